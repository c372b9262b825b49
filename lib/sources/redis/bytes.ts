import { HoldfastError } from '../../model/errors.ts';

/** How a string is written (`RDB_ENC_*`); `plain` when nothing special was said. */
export const ENCODING = { plain: -1, int8: 0, int16: 1, int32: 2, lzf: 3 } as const;

/** A step of reading yields when it needs more bytes than were pushed, and is resumed when there are more. */
export type Reading<T> = Generator<undefined, T>;

const EMPTY = Buffer.alloc(0);

/**
 * The bytes of an RDB file as they come, with as few of them held as a number needs, unless they are kept for somebody.
 * Numbers and strings are written as rdb.h of Redis says.
 */
export class RdbBytes {
  /** Of the last `length`; anything but `plain` means that what was read is no length. */
  encoding: number = ENCODING.plain;
  /** Of all bytes that were read. */
  position = 0;
  #buffer: Buffer = EMPTY;
  #at = 0;
  #kept: Buffer[] | undefined;
  #keptFrom = 0;

  push(chunk: Buffer): void {
    this.#kept?.push(this.#buffer.subarray(this.#keptFrom, this.#at));
    this.#buffer = this.#at === this.#buffer.length ? chunk : Buffer.concat([this.#buffer.subarray(this.#at), chunk]);
    this.#at = this.#keptFrom = 0;
  }

  get isEmpty(): boolean {
    return this.#at === this.#buffer.length;
  }

  /** From now on, until `kept`. */
  keep(): void {
    [this.#kept, this.#keptFrom] = [[], this.#at];
  }

  /** What was read since `keep`. */
  kept(): Buffer {
    const bytes = Buffer.concat([...(this.#kept ?? []), this.#buffer.subarray(this.#keptFrom, this.#at)]);
    this.#kept = undefined;
    return bytes;
  }

  *byte(): Reading<number> {
    while (this.isEmpty) yield;
    this.position++;
    return this.#buffer[this.#at++]!;
  }

  *skip(count: number): Reading<void> {
    let left = count;
    while (left > this.#buffer.length - this.#at) {
      left -= this.#move(this.#buffer.length - this.#at);
      yield;
    }
    this.#move(left);
  }

  *take(count: number): Reading<Buffer> {
    if (count <= this.#buffer.length - this.#at) return Buffer.from(this.#buffer.subarray(this.#at, this.#at + this.#move(count)));
    const parts: Buffer[] = [];
    for (let left = count; left > 0; ) {
      while (this.isEmpty) yield;
      const part = Math.min(left, this.#buffer.length - this.#at);
      parts.push(this.#buffer.subarray(this.#at, this.#at + part));
      left -= this.#move(part);
    }
    return Buffer.concat(parts);
  }

  /** Also sets `encoding`. */
  *length(): Reading<number> {
    while (this.isEmpty) yield;
    const first = this.#buffer[this.#at]!;
    const size = first < 0x40 || first >= 0xc0 ? 1 : first < 0x80 ? 2 : first === 0x80 ? 5 : 9;
    while (this.#buffer.length - this.#at < size) yield;
    const from = this.#at;
    this.#move(size);
    this.encoding = first >= 0xc0 ? first & 0x3f : ENCODING.plain;
    if (size === 1) return first & 0x3f;
    if (size === 2) return ((first & 0x3f) << 8) | this.#buffer[from + 1]!;
    if (size === 5) return this.#buffer.readUInt32BE(from + 1);
    if (first === 0x81) return Number(this.#buffer.readBigUInt64BE(from + 1));
    throw new HoldfastError('damaged', `The RDB has 0x${first.toString(16)} where a length begins, at byte ${this.position - size}.`);
  }

  /** Without looking into it; nearly always in one step. */
  *skipString(): Reading<void> {
    const length = yield* this.length();
    yield* this.skip(this.encoding === ENCODING.plain ? length : yield* this.#encodedSize());
  }

  /** As its owner wrote it. */
  *string(): Reading<Buffer> {
    const length = yield* this.length();
    const { encoding } = this;
    if (encoding === ENCODING.plain) return yield* this.take(length);
    if (encoding !== ENCODING.lzf) {
      const number = yield* this.take(1 << this.#checked(encoding));
      return Buffer.from(String(number.readIntLE(0, number.length)));
    }
    const [packed, plain] = [yield* this.length(), yield* this.length()];
    return unpackLzf(yield* this.take(packed), plain);
  }

  *#encodedSize(): Reading<number> {
    if (this.encoding !== ENCODING.lzf) return 1 << this.#checked(this.encoding);
    const packed = yield* this.length();
    yield* this.length();
    return packed;
  }

  #checked(encoding: number): number {
    if (encoding <= ENCODING.int32) return encoding;
    throw new HoldfastError('damaged', `The RDB has a string of the unknown encoding ${encoding} at byte ${this.position}.`);
  }

  #move(count: number): number {
    this.#at += count;
    this.position += count;
    return count;
  }
}

/** Three bytes stand for this many at most. */
const MOST_UNPACKED = 264;

/** LZF of Marc Lehmann's liblzf: runs of literals, and references up to 8 KiB back. */
function unpackLzf(packed: Buffer, length: number): Buffer {
  if (length > packed.length * MOST_UNPACKED) throw unpackable(length, packed.length * MOST_UNPACKED);
  const plain = Buffer.alloc(length);
  let to = 0;
  for (let from = 0; from < packed.length; ) {
    const control = packed[from++]!;
    if (control < 32) {
      to += packed.copy(plain, to, from, from + control + 1);
      from += control + 1;
      continue;
    }
    let count = control >> 5;
    if (count === 7) count += packed[from++]!;
    let reference = to - ((control & 31) << 8) - packed[from++]! - 1;
    if (!(reference >= 0 && to + count + 2 <= length)) throw unpackable(length, to);
    // Byte by byte: it may reach into what it writes.
    for (count += 2; count > 0; count--) plain[to++] = plain[reference++]!;
  }
  if (to === length) return plain;
  throw unpackable(length, to);
}

function unpackable(wanted: number, seen: number): HoldfastError {
  return new HoldfastError('damaged', `A packed string of the RDB has ${seen} bytes, wanted ${wanted}.`);
}
