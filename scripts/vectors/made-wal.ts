import { crc32c } from '../../lib/sources/postgres/wal/crc32c.ts';
import { segmentNumber, segmentStart } from '../../lib/sources/postgres/wal/lsn.ts';

/** One record of WAL, as far as anybody here looks at it. */
export type MadeRecord =
  | { readonly kind: 'commit' | 'abort'; readonly at: number }
  | { readonly kind: 'point'; readonly name: string; readonly at: number }
  /** The first of a new timeline: `promotion` of a standby, `recovery` of anything else, whose time counts whole seconds. */
  | { readonly kind: 'promotion' | 'recovery'; readonly timeline: number; readonly parent: number; readonly at: number }
  | { readonly kind: 'filler'; readonly bytes: number }
  | { readonly kind: 'switch' };

export interface MadeSegment {
  /** 24 hexadecimal digits. */
  readonly name: string;
  readonly records?: readonly MadeRecord[];
  readonly systemId?: string;
  readonly segmentBytes?: number;
  /** Of its first page, when it is a copy of an older timeline's. */
  readonly pageTimeline?: number;
  /** Bytes that a record of the segment before left over. */
  readonly remaining?: number;
}

export const MADE_SYSTEM = '7400000000000000001';
const PAGE_BYTES = 8192;

/** A segment with page headers and records as PostgreSQL 18 lays them out. */
export function makeSegment({ name, records = [], systemId = MADE_SYSTEM, segmentBytes = 1 << 20, pageTimeline, remaining = 0 }: MadeSegment): Buffer {
  const bytes = Buffer.alloc(segmentBytes);
  const start = segmentStart(segmentNumber(name, segmentBytes), segmentBytes);
  const timeline = pageTimeline ?? Number.parseInt(name.slice(0, 8), 16);
  const head = (at: number, left: number) => {
    bytes.writeUInt16LE(0xd118, at);
    bytes.writeUInt16LE((at === 0 ? 2 : 0) | (left > 0 ? 1 : 0), at + 2);
    bytes.writeUInt32LE(timeline, at + 4);
    bytes.writeBigUInt64LE(start + BigInt(at), at + 8);
    bytes.writeUInt32LE(left, at + 16);
  };
  head(0, remaining);
  bytes.writeBigUInt64LE(BigInt(systemId), 24);
  bytes.writeUInt32LE(segmentBytes, 32);
  bytes.writeUInt32LE(PAGE_BYTES, 36);
  let at = 40;
  let previous = 0n;
  const write = (content: Buffer): void => {
    for (let done = 0; done < content.length; ) {
      if (at % PAGE_BYTES === 0) {
        head(at, content.length - done);
        at += 24;
      }
      const here = Math.min(content.length - done, PAGE_BYTES - (at % PAGE_BYTES));
      content.copy(bytes, at, done, done + here);
      at += here;
      done += here;
    }
  };
  const align = (): void => {
    at = Math.ceil(at / 8) * 8;
    if (at % PAGE_BYTES !== 0) return;
    head(at, 0);
    at += 24;
  };
  if (remaining > 0) write(Buffer.alloc(remaining, 7));
  for (const record of records) {
    align();
    const content = encode(record, previous);
    previous = start + BigInt(at);
    write(content);
  }
  return bytes;
}

function encode(record: MadeRecord, previous: bigint): Buffer {
  const [manager, info, data] = bodyOf(record);
  const body = data.length < 256 ? Buffer.concat([Buffer.of(255, data.length), data]) : Buffer.concat([Buffer.of(254), lengthOf(data), data]);
  const header = Buffer.alloc(24);
  header.writeUInt32LE(24 + body.length, 0);
  header.writeUInt32LE(731, 4);
  header.writeBigUInt64LE(previous, 8);
  header.writeUInt8(info, 16);
  header.writeUInt8(manager, 17);
  header.writeUInt32LE(crc32c(header.subarray(0, 20), crc32c(body)), 20);
  return Buffer.concat([header, body]);
}

function bodyOf(record: MadeRecord): readonly [manager: number, info: number, data: Buffer] {
  if (record.kind === 'filler') return [10, 0, Buffer.alloc(record.bytes, 'filler ')];
  if (record.kind === 'switch') return [0, 0x40, Buffer.alloc(0)];
  if (record.kind === 'point') return [0, 0x70, Buffer.concat([timeOf(record.at), Buffer.from(record.name), Buffer.alloc(64 - record.name.length)])];
  if (record.kind === 'promotion') return [0, 0x90, Buffer.concat([timeOf(record.at), timelinesOf(record)])];
  if (record.kind === 'recovery') return [0, 0x00, checkpointOf(record)];
  return [1, record.kind === 'commit' ? 0 : 0x20, timeOf(record.at)];
}

function timelinesOf({ timeline, parent }: { readonly timeline: number; readonly parent: number }): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(timeline, 0);
  bytes.writeUInt32LE(parent, 4);
  return bytes;
}

/** `CheckPoint` of catalog/pg_control.h, as far as anybody looks at it. */
function checkpointOf(record: { readonly timeline: number; readonly parent: number; readonly at: number }): Buffer {
  const bytes = Buffer.alloc(88);
  timelinesOf(record).copy(bytes, 8);
  bytes.writeBigInt64LE(BigInt(Math.floor(record.at / 1000)), 64);
  return bytes;
}

function timeOf(at: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(Math.round(at * 1000)) - 946_684_800_000_000n);
  return bytes;
}

function lengthOf(data: Buffer): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(data.length);
  return bytes;
}
