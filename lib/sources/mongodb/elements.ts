import { HoldfastError } from '../../model/errors.ts';

/** Numbers of BSON's types (bsonspec.org). */
export const TYPE = {
  double: 1, string: 2, document: 3, array: 4, binary: 5, undefined: 6, objectId: 7, boolean: 8, date: 9, null: 10, regex: 11, dbPointer: 12,
  code: 13, symbol: 14, codeWithScope: 15, int32: 16, timestamp: 17, int64: 18, decimal128: 19, minKey: 255, maxKey: 127,
} as const;

export interface Element {
  readonly type: number;
  readonly name: string;
  /** Its value alone, as it lies in the document. */
  readonly value: Buffer;
}

/** The elements of a document in their order, nothing decoded. Fails as `damaged` where the bytes are no document. */
export function* elementsOf(document: Buffer): Generator<Element> {
  checkDocument(document);
  for (let at = 4; at < document.length - 1; ) {
    const type = document[at] as number;
    const nameEnd = document.indexOf(0, at + 1);
    const from = nameEnd + 1;
    const end = nameEnd < 0 ? Infinity : from + lengthOf(type, document, from);
    if (end > document.length - 1) throw notBson(`an element of type ${type} goes beyond the end of its document`);
    yield { type, name: document.toString('utf8', at + 1, nameEnd), value: document.subarray(from, end) };
    at = end;
  }
}

/** The first element of that name; undefined when there is none. */
export function elementOf(document: Buffer, name: string): Element | undefined {
  for (const element of elementsOf(document)) if (element.name === name) return element;
  return undefined;
}

/** A text; undefined when it is absent or no text. */
export function textOf(document: Buffer, name: string): string | undefined {
  const element = elementOf(document, name);
  return element?.type === TYPE.string ? stringIn(element.value) : undefined;
}

export function documentOf(document: Buffer, name: string): Buffer | undefined {
  const element = elementOf(document, name);
  return element?.type === TYPE.document ? element.value : undefined;
}

export function stringIn(value: Buffer): string {
  return value.toString('utf8', 4, value.length - 1);
}

/** Length and end are those of a document; what is in it is not looked at. */
export function checkDocument(document: Uint8Array): void {
  const { length } = document;
  const stated = length < 5 ? -1 : new DataView(document.buffer, document.byteOffset, 4).getInt32(0, true);
  if (stated !== length || document[length - 1] !== 0) throw notBson(`a document says that it has ${stated} bytes, and there are ${length}`);
}

const FIXED: Readonly<Record<number, number>> = {
  [TYPE.double]: 8, [TYPE.undefined]: 0, [TYPE.objectId]: 12, [TYPE.boolean]: 1, [TYPE.date]: 8, [TYPE.null]: 0, [TYPE.int32]: 4, [TYPE.timestamp]: 8,
  [TYPE.int64]: 8, [TYPE.decimal128]: 16, [TYPE.minKey]: 0, [TYPE.maxKey]: 0,
};

function lengthOf(type: number, document: Buffer, at: number): number {
  const fixed = FIXED[type];
  if (fixed !== undefined) return fixed;
  if (type === TYPE.regex) return document.indexOf(0, document.indexOf(0, at) + 1) + 1 - at;
  const extra = new Map<number, number>([[TYPE.string, 4], [TYPE.code, 4], [TYPE.symbol, 4], [TYPE.binary, 5], [TYPE.dbPointer, 16], [TYPE.document, 0], [TYPE.array, 0], [TYPE.codeWithScope, 0]]).get(type);
  if (extra === undefined || at + 4 > document.length) throw notBson(`an element has the type ${type}, which BSON does not know`);
  const length = document.readInt32LE(at) + extra;
  if (length < 4) throw notBson(`an element of type ${type} has a length of ${length}`);
  return length;
}

export function notBson(why: string): HoldfastError {
  return new HoldfastError('damaged', `This is no BSON: ${why}.`, { nextStep: 'If it came from a backup, run `holdfast verify --level full`; if it came from a server, look into its log.' });
}
