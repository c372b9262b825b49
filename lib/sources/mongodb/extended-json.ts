import { BSON, Decimal128 } from 'mongodb';
import { HoldfastError } from '../../model/errors.ts';
import { TYPE, elementsOf, notBson, stringIn } from './elements.ts';
import type { Element } from './elements.ts';

/**
 * Raw BSON as canonical extended JSON (the specification "MongoDB Extended JSON v2"), key by key in the order of the bytes: a
 * JavaScript object would put keys like `1` first, and the order of the keys of an index is what the index is.
 */
export function extendedJson(document: Buffer): string {
  return `{${Array.from(elementsOf(document), (element) => `${JSON.stringify(element.name)}:${valueJson(element)}`).join(',')}}`;
}

/** An element in canonical extended JSON, as a value alone. */
export function valueJson({ type, value }: Element): string {
  const render = RENDERERS[type];
  if (render === undefined) throw notBson(`the type ${type} is unknown`);
  return render(value);
}

const wrapped = (key: string, value: unknown) => JSON.stringify({ [key]: value });
const RENDERERS: Readonly<Record<number, (value: Buffer) => string>> = {
  [TYPE.double]: (value) => wrapped('$numberDouble', doubleText(value.readDoubleLE())),
  [TYPE.string]: (value) => JSON.stringify(stringIn(value)),
  [TYPE.document]: extendedJson,
  [TYPE.array]: (value) => `[${Array.from(elementsOf(value), valueJson).join(',')}]`,
  [TYPE.binary]: (value) => wrapped('$binary', { base64: value.toString('base64', 5), subType: (value[4] as number).toString(16).padStart(2, '0') }),
  [TYPE.undefined]: () => wrapped('$undefined', true),
  [TYPE.objectId]: (value) => wrapped('$oid', value.toString('hex')),
  [TYPE.boolean]: (value) => String(value[0] !== 0),
  [TYPE.date]: (value) => wrapped('$date', { $numberLong: value.readBigInt64LE().toString() }),
  [TYPE.null]: () => 'null',
  [TYPE.regex]: (value) => wrapped('$regularExpression', { pattern: value.toString('utf8', 0, value.indexOf(0)), options: value.toString('utf8', value.indexOf(0) + 1, value.length - 1) }),
  [TYPE.dbPointer]: (value) => wrapped('$dbPointer', { $ref: stringIn(value.subarray(0, -12)), $id: { $oid: value.toString('hex', value.length - 12) } }),
  [TYPE.code]: (value) => wrapped('$code', stringIn(value)),
  [TYPE.symbol]: (value) => wrapped('$symbol', stringIn(value)),
  [TYPE.codeWithScope]: (value) => {
    const scope = 8 + value.readInt32LE(4);
    return `{"$code":${JSON.stringify(stringIn(value.subarray(4, scope)))},"$scope":${extendedJson(value.subarray(scope))}}`;
  },
  [TYPE.int32]: (value) => wrapped('$numberInt', String(value.readInt32LE())),
  [TYPE.timestamp]: (value) => wrapped('$timestamp', { t: value.readUInt32LE(4), i: value.readUInt32LE(0) }),
  [TYPE.int64]: (value) => wrapped('$numberLong', value.readBigInt64LE().toString()),
  [TYPE.decimal128]: (value) => wrapped('$numberDecimal', new Decimal128(value).toString()),
  [TYPE.minKey]: () => wrapped('$minKey', 1),
  [TYPE.maxKey]: () => wrapped('$maxKey', 1),
};

/** A value that the driver takes as it is: maps keep the order of their keys. */
export type BsonValue = BsonMap | readonly BsonValue[] | string | boolean | null | object;
export type BsonMap = Map<string, BsonValue>;

/** Extended JSON, canonical or relaxed, as a document for the driver. `what` is said in errors; fails as `damaged`. */
export function parseExtendedJson(text: string, what: string): BsonMap {
  let parsed: unknown;
  try {
    // A mark before each key: then no key looks like a number, and all stay in their order.
    parsed = JSON.parse(text.replace(/("(?:[^"\\]|\\.)*")(\s*:)?/gs, (_, string: string, colon: string | undefined) => (colon === undefined ? string : `"${MARK}${string.slice(1)}${colon}`)));
  } catch (cause) {
    throw noJson(what, (cause as Error).message);
  }
  const value = revived(parsed, what);
  if (value instanceof Map) return value;
  throw noJson(what, 'it is not an object');
}

const MARK = ' ';

function revived(value: unknown, what: string): BsonValue {
  if (Array.isArray(value)) return value.map((item) => revived(item, what));
  if (typeof value !== 'object' || value === null) return value as BsonValue;
  const entries = Object.entries(value).map(([key, item]) => [key.slice(MARK.length), item] as const);
  if (entries.some(([key]) => WRAPPERS.has(key))) return leaf(plain(value), what);
  return new Map(entries.map(([key, item]) => [key, revived(item, what)]));
}

/** Keys that make a value of BSON out of an object; every other `$…` is an operator of a query. */
const WRAPPERS: ReadonlySet<string> = new Set(['$numberDouble', '$numberInt', '$numberLong', '$numberDecimal', '$binary', '$undefined', '$oid', '$date', '$regularExpression', '$dbPointer', '$code', '$symbol', '$timestamp', '$minKey', '$maxKey', '$uuid']);

function leaf(object: unknown, what: string): BsonValue {
  try {
    return BSON.EJSON.deserialize(object as never, { relaxed: false }) as BsonValue;
  } catch (cause) {
    throw noJson(what, (cause as Error).message);
  }
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.slice(MARK.length), plain(item)]));
}

function doubleText(number: number): string {
  if (Object.is(number, -0)) return '-0.0';
  const text = String(number).replace('e', 'E');
  return Number.isInteger(number) && !text.includes('E') ? `${text}.0` : text;
}

function noJson(what: string, why: string): HoldfastError {
  return new HoldfastError('damaged', `${what} is not extended JSON: ${why}.`, { nextStep: 'If it is part of a backup, run `holdfast verify --level full`. If you wrote it, correct it: keys in double quotes, dates as {"$date": "2026-11-28T00:00:00Z"}.' });
}
