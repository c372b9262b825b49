import { HoldfastError } from '../../model/errors.ts';
import type { RdbBytes, Reading } from './bytes.ts';

type Field = 'string' | 'length' | 'text-number' | 'eight-bytes';

interface Layout {
  readonly once?: readonly Field[];
  /** After a count, so many times. */
  readonly each?: readonly Field[];
}

const LISTED: Layout = { each: ['string'] };
const PAIRS: Layout = { each: ['string', 'string'] };
const BLOB: Layout = { once: ['string'] };

/** By type byte, as rdb.h of Redis 7 and Valkey 8 has them, before their numbers parted. */
const COMMON: Readonly<Record<number, Layout>> = {
  0: BLOB, 1: LISTED, 2: LISTED, 3: { each: ['string', 'text-number'] }, 4: PAIRS, 5: { each: ['string', 'eight-bytes'] },
  9: BLOB, 10: BLOB, 11: BLOB, 12: BLOB, 13: BLOB, 14: LISTED, 16: BLOB, 17: BLOB, 18: { each: ['length', 'string'] }, 20: BLOB,
};
/** Hashes whose fields expire: Redis 7.4 (RDB 12) and Valkey 9 (RDB 80) write them differently. */
const REDIS: Readonly<Record<number, Layout>> = { 24: { once: ['eight-bytes'], each: ['length', 'string', 'string'] }, 25: { once: ['eight-bytes', 'string'] } };
const VALKEY: Readonly<Record<number, Layout>> = { 22: { each: ['string', 'string', 'eight-bytes'] } };
export const FIRST_VALKEY_VERSION = 80;

const MODULE = 7;
/** Which version of the layout of streams a type is. */
const STREAMS: Readonly<Record<number, number>> = { 15: 1, 19: 2, 21: 3 };

/** Reads past one value. False, with nothing read, where the type is not known here. */
export function* skipValue(bytes: RdbBytes, type: number, version: number): Reading<boolean> {
  const layout = COMMON[type] ?? (version < FIRST_VALKEY_VERSION ? REDIS : VALKEY)[type];
  if (layout !== undefined) {
    yield* skipFields(bytes, layout.once ?? []);
    if (layout.each !== undefined) for (let left = yield* countOf(bytes); left > 0; left--) yield* skipFields(bytes, layout.each);
    return true;
  }
  const stream = STREAMS[type];
  if (stream !== undefined) yield* skipStream(bytes, stream);
  else if (type === MODULE) {
    yield* bytes.length();
    yield* skipModule(bytes);
  } else return false;
  return true;
}

/** Numbers and strings that a module wrote, each with a word before it that says what it is. */
export function* skipModule(bytes: RdbBytes): Reading<void> {
  for (;;) {
    const what = yield* bytes.length();
    if (what === 0) return;
    if (what === 1 || what === 2) yield* bytes.length();
    else if (what === 3 || what === 4) yield* bytes.skip(what === 3 ? 4 : 8);
    else if (what === 5) yield* bytes.skipString();
    else throw new HoldfastError('damaged', `The RDB has the unknown word ${what} in a value of a module, at byte ${bytes.position}.`);
  }
}

function* skipFields(bytes: RdbBytes, fields: readonly Field[]): Reading<void> {
  for (const field of fields) {
    if (field === 'string') yield* bytes.skipString();
    else if (field === 'length') yield* bytes.length();
    else if (field === 'eight-bytes') yield* bytes.skip(8);
    else {
      // Not a number and the infinities are these lengths alone.
      const length = yield* bytes.byte();
      if (length < 253) yield* bytes.skip(length);
    }
  }
}

function* skipStream(bytes: RdbBytes, version: number): Reading<void> {
  for (let left = yield* countOf(bytes); left > 0; left--) yield* skipFields(bytes, ['string', 'string']);
  yield* skipLengths(bytes, version === 1 ? 3 : 8);
  for (let groups = yield* countOf(bytes); groups > 0; groups--) {
    yield* bytes.skipString();
    yield* skipLengths(bytes, version === 1 ? 2 : 3);
    for (let pending = yield* countOf(bytes); pending > 0; pending--) {
      yield* bytes.skip(16 + 8);
      yield* bytes.length();
    }
    for (let consumers = yield* countOf(bytes); consumers > 0; consumers--) {
      yield* bytes.skipString();
      yield* bytes.skip(version === 3 ? 16 : 8);
      yield* bytes.skip(16 * (yield* countOf(bytes)));
    }
  }
}

function* skipLengths(bytes: RdbBytes, count: number): Reading<void> {
  for (let left = count; left > 0; left--) yield* bytes.length();
}

function* countOf(bytes: RdbBytes): Reading<number> {
  const count = yield* bytes.length();
  if (bytes.encoding === -1 && count <= 0xffff_ffff_ffff) return count;
  throw new HoldfastError('damaged', `The RDB has no count where one was wanted, before byte ${bytes.position}.`);
}
