import { crc32c } from './crc32c.ts';
import { FLAG_CONTINUED, FLAG_OVERWRITTEN, LONG_HEADER_BYTES, SHORT_HEADER_BYTES, pageHeader, segmentHeader } from './page-header.ts';
import type { SegmentHeader } from './page-header.ts';

/** What the records of one segment say, as far as they are whole in it. */
export interface WalSummary {
  readonly systemId: string;
  readonly startLsn: bigint;
  /** Behind the last record that is whole; of a segment that ends with a switch, the end of the segment. */
  readonly endLsn: bigint;
  /** When the first and the last transaction in it committed or gave up, in milliseconds by the server's clock. Undefined: none did. */
  readonly firstTransactionAt: number | undefined;
  readonly lastTransactionAt: number | undefined;
  /** When a server began a new timeline in it, by that server's clock: to the microsecond after a promotion, to the second below after any other recovery. */
  readonly begunAt: number | undefined;
  readonly restorePoints: readonly { readonly name: string; readonly lsn: bigint; readonly at: number }[];
}

/** Of access/xlogrecord.h: XLogRecord. */
const RECORD_HEADER_BYTES = 24;
const CHECKSUM_AT = 20;
const ALIGNMENT = 8;
/** Resource managers, and operations of theirs in the high bits of `xl_info`. */
const XLOG = 0;
const TRANSACTION = 1;
const SWITCH = 0x40;
const RESTORE_POINT = 0x70;
const SHUTDOWN_CHECKPOINT = 0x00;
const END_OF_RECOVERY = 0x90;
const ENDING = new Set([0x00, 0x20, 0x30, 0x40]);
/** Of the main data so much is looked at. */
const LOOKED_AT = 128;
/** In `CheckPoint` of catalog/pg_control.h, PostgreSQL 13 to 18, seconds since 1970. */
const CHECKPOINT_TIME_AT = 64;
const MICROSECONDS_TO_2000 = 946_684_800_000_000n;

/**
 * Walks the records of a segment, or of its beginning. The walk stops where a record does not name the one before it, where
 * a page is not the one that must be there, and where there are zeroes. Of the last record, which may be cut with zeroes
 * behind it, the checksum is computed; that of all others is for replay to do. `fromLsn`: what began before is not told.
 */
export function summariseWal(bytes: Uint8Array, what: string, fromLsn = 0n): WalSummary {
  return new Walk(bytes, segmentHeader(bytes, what), fromLsn).run();
}

interface WalRecord {
  readonly at: number;
  readonly length: number;
  readonly next: number;
  readonly manager: number;
  readonly info: number;
}

class Walk {
  readonly #bytes: Buffer;
  readonly #header: SegmentHeader;
  readonly #fromLsn: bigint;
  readonly #points: { name: string; lsn: bigint; at: number }[] = [];
  #firstTransactionAt: number | undefined;
  #begunAt: number | undefined;
  #lastTransactionAt: number | undefined;
  #end = 0;

  constructor(bytes: Uint8Array, header: SegmentHeader, fromLsn: bigint) {
    this.#fromLsn = fromLsn;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#header = header;
  }

  run(): WalSummary {
    let at = this.#firstRecord();
    let last: WalRecord | undefined;
    while (at !== undefined) {
      const record = this.#record(at, last);
      if (record === undefined) break;
      if (last !== undefined) this.#note(last);
      last = record === 'given up' ? undefined : record;
      at = record === 'given up' ? this.#afterGivenUp(at) : isSwitch(record) ? undefined : this.#aligned(record.next);
    }
    if (last !== undefined && this.#isIntact(last)) this.#note(last);
    const { systemId, address } = this.#header;
    return { systemId, startLsn: address, endLsn: address + BigInt(this.#end), firstTransactionAt: this.#firstTransactionAt, lastTransactionAt: this.#lastTransactionAt, begunAt: this.#begunAt, restorePoints: this.#points };
  }

  /** Behind what a record of the segment before left over. */
  #firstRecord(): number | undefined {
    const { flags, remaining } = this.#header;
    if ((flags & FLAG_CONTINUED) === 0) return this.#aligned(LONG_HEADER_BYTES);
    const end = this.#skip(LONG_HEADER_BYTES, remaining);
    if (typeof end !== 'number') return undefined;
    this.#end = end;
    return this.#aligned(end);
  }

  #record(at: number, last: WalRecord | undefined): WalRecord | 'given up' | undefined {
    if (at + 4 > this.#bytes.length) return undefined;
    const length = this.#bytes.readUInt32LE(at);
    if (length < RECORD_HEADER_BYTES) return undefined;
    const next = this.#skip(at, length);
    if (typeof next !== 'number') return next;
    const head = this.#gather(at, RECORD_HEADER_BYTES);
    if (last !== undefined && head.readBigUInt64LE(8) !== this.#lsn(last.at)) return undefined;
    return { at, length, next, info: head.readUInt8(16), manager: head.readUInt8(17) };
  }

  #note(record: WalRecord): void {
    const { at, length, next, manager, info } = record;
    this.#end = isSwitch(record) ? this.#header.segmentBytes : next;
    if (this.#lsn(at) < this.#fromLsn) return;
    const data = () => mainData(this.#gather(at, Math.min(length, RECORD_HEADER_BYTES + LOOKED_AT)));
    if (manager === TRANSACTION && ENDING.has(info & 0x70)) this.#lastTransactionAt = timeIn(data()) ?? this.#lastTransactionAt;
    this.#firstTransactionAt ??= this.#lastTransactionAt;
    if (manager !== XLOG) return;
    if ((info & 0xf0) === RESTORE_POINT) this.#notePoint(data(), next);
    if ((info & 0xf0) === END_OF_RECOVERY) this.#begunAt ??= timeIn(data());
    if ((info & 0xf0) === SHUTDOWN_CHECKPOINT) this.#begunAt ??= beginIn(data());
  }

  /** Its checksum covers what follows the header, then the header up to itself. */
  #isIntact({ at, length }: WalRecord): boolean {
    const record = this.#gather(at, length);
    return crc32c(record.subarray(0, CHECKSUM_AT), crc32c(record.subarray(RECORD_HEADER_BYTES))) === record.readUInt32LE(CHECKSUM_AT);
  }

  #notePoint(data: Buffer | undefined, end: number): void {
    const at = timeIn(data);
    if (data === undefined || at === undefined) return;
    const name = data.subarray(8);
    const zero = name.indexOf(0);
    this.#points.push({ name: name.subarray(0, zero < 0 ? name.length : zero).toString('utf8'), lsn: this.#lsn(end), at });
  }

  /** The page after the one on which a record began that was given up. */
  #afterGivenUp(at: number): number | undefined {
    const page = this.#header.pageBytes;
    for (let next = (Math.floor(at / page) + 1) * page; next + SHORT_HEADER_BYTES <= this.#bytes.length; next += page) {
      const header = this.#page(next);
      if (header === undefined) return undefined;
      if ((header.flags & FLAG_CONTINUED) === 0 || (header.flags & FLAG_OVERWRITTEN) !== 0) return next + SHORT_HEADER_BYTES;
    }
    return undefined;
  }

  /** Where `length` bytes end that begin at `at`, headers of pages between them not counted. Undefined: they are not all here. */
  #skip(at: number, length: number): number | 'given up' | undefined {
    const page = this.#header.pageBytes;
    let [position, left] = [at, length];
    for (;;) {
      const here = page - (position % page);
      if (left <= here) return position + left > this.#bytes.length ? undefined : position + left;
      left -= here;
      position += here;
      const header = this.#page(position);
      if (header === undefined) return undefined;
      if ((header.flags & FLAG_CONTINUED) === 0) return 'given up';
      if (header.remaining !== left) return undefined;
      position += SHORT_HEADER_BYTES;
    }
  }

  /** Copies what `#skip` has found to be there. */
  #gather(at: number, length: number): Buffer {
    const page = this.#header.pageBytes;
    const here = page - (at % page);
    if (length <= here) return this.#bytes.subarray(at, at + length);
    return Buffer.concat([this.#bytes.subarray(at, at + here), this.#gather(at + here + SHORT_HEADER_BYTES, length - here)]);
  }

  /** A page that is not the one that must stand there is what an older use of the file left. */
  #page(at: number): ReturnType<typeof pageHeader> | undefined {
    if (at + SHORT_HEADER_BYTES > this.#bytes.length) return undefined;
    const header = pageHeader(this.#bytes, at);
    return header.magic === this.#header.magic && header.address === this.#lsn(at) ? header : undefined;
  }

  /** Records begin at multiples of 8, behind the header of a page. */
  #aligned(at: number): number | undefined {
    const next = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
    if (next % this.#header.pageBytes !== 0) return next;
    return this.#page(next) === undefined ? undefined : next + SHORT_HEADER_BYTES;
  }

  #lsn(at: number): bigint {
    return this.#header.address + BigInt(at);
  }
}

function isSwitch({ manager, info }: Pick<WalRecord, 'manager' | 'info'>): boolean {
  return manager === XLOG && (info & 0xf0) === SWITCH;
}

/** Behind the headers of blocks; records that end transactions and restore points name no blocks. */
function mainData(record: Buffer): Buffer | undefined {
  let at = RECORD_HEADER_BYTES;
  while (at < record.length) {
    const id = record.readUInt8(at);
    if (id === 255) return record.subarray(at + 2);
    if (id === 254) return record.subarray(at + 5);
    // Replication origin, and the identifier of the top-level transaction.
    if (id === 253) at += 3;
    else if (id === 252) at += 5;
    else return undefined;
  }
  return undefined;
}

/** A checkpoint names its timeline and the one before; they differ where a recovery has ended. */
function beginIn(data: Buffer | undefined): number | undefined {
  if (data === undefined || data.length < CHECKPOINT_TIME_AT + 8 || data.readUInt32LE(8) === data.readUInt32LE(12)) return undefined;
  return Number(data.readBigInt64LE(CHECKPOINT_TIME_AT)) * 1000;
}

/** Milliseconds since 1970; PostgreSQL counts microseconds since 2000. */
function timeIn(data: Buffer | undefined): number | undefined {
  if (data === undefined || data.length < 8) return undefined;
  return Number(data.readBigInt64LE(0) + MICROSECONDS_TO_2000) / 1000;
}
