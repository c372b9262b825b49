import { crc32 } from 'node:zlib';
import { HoldfastError } from '../../model/errors.ts';
import type { KafkaHeader, KafkaRecord } from './record.ts';

/**
 * How a partition lies in a backup (docs/sources/kafka.md, "The format of a partition"): eight bytes of magic with the
 * version, then frames, each with its length before it: a head, records and gaps in the order of their offsets, an end with
 * counts and a checksum. All numbers are big-endian.
 */
const MAGIC = Buffer.from('HFKAFKA\x01', 'latin1');
const FRAME = { head: 1, record: 2, gap: 3, end: 4 } as const;
const FLAG = { logAppend: 1, codecShift: 1, codecMask: 0x0e } as const;
/** Length and type. */
const FRAME_HEAD = 5;
/** Offset, timestamp, flags, lengths of key and value, count of headers. */
const RECORD_HEAD = 29;
/** In the body of an end. */
const END_SUM_AT = 24;
/** Above what any broker takes (2 GiB), less what surrounds it. */
const MAX_FRAME_BYTES = 0x7fff_0000;

export interface PartitionHead {
  readonly topic: string;
  readonly partition: number;
  /** UUID of the topic, another one after it was deleted and made again. */
  readonly topicId: string;
  readonly cluster: string;
}

/** Offsets, the last not among them, whose records the cluster deleted while they were read. */
export interface PartitionGap {
  readonly from: number;
  readonly to: number;
}

export interface PartitionEnd {
  readonly records: number;
  /** First offset that was there, and the end that was read to. */
  readonly begin: number;
  readonly end: number;
}

/** Encodes one partition. */
export class PartitionWriter {
  #pieces: Buffer[] = [];
  #size = 0;
  #sum = 0;
  #records = 0;

  constructor(head: PartitionHead) {
    this.#push(MAGIC);
    this.#frame(FRAME.head, Buffer.from(JSON.stringify(head)));
  }

  /** Bytes that wait to be taken. */
  get size(): number {
    return this.#size;
  }

  get records(): number {
    return this.#records;
  }

  record({ offset, timestamp, isLogAppend, codec, key, value, headers }: KafkaRecord): void {
    const headerBytes = headers.reduce((sum, header) => sum + 8 + header.name.length + (header.value?.length ?? 0), 0);
    const bytes = Buffer.allocUnsafe(FRAME_HEAD + RECORD_HEAD + (key?.length ?? 0) + (value?.length ?? 0) + headerBytes);
    bytes.writeUInt32BE(bytes.length - 4, 0);
    bytes[4] = FRAME.record;
    bytes.writeBigInt64BE(BigInt(offset), 5);
    bytes.writeBigInt64BE(timestamp, 13);
    bytes[21] = (isLogAppend ? FLAG.logAppend : 0) | (codec << FLAG.codecShift);
    let at = putBytes(bytes, 22, key);
    at = putBytes(bytes, at, value);
    at = bytes.writeUInt32BE(headers.length, at);
    for (const header of headers) at = putBytes(bytes, putBytes(bytes, at, header.name), header.value);
    this.#records++;
    this.#push(bytes);
  }

  gap({ from, to }: PartitionGap): void {
    const body = Buffer.allocUnsafe(16);
    body.writeBigInt64BE(BigInt(from), 0);
    body.writeBigInt64BE(BigInt(to), 8);
    this.#frame(FRAME.gap, body);
  }

  end({ begin, end }: Omit<PartitionEnd, 'records'>): void {
    const body = Buffer.allocUnsafe(28);
    body.writeBigInt64BE(BigInt(this.#records), 0);
    body.writeBigInt64BE(BigInt(begin), 8);
    body.writeBigInt64BE(BigInt(end), 16);
    this.#summed();
    // Its own numbers count, too.
    body.writeUInt32BE(crc32(body.subarray(0, END_SUM_AT), crc32(frameHead(FRAME.end, body.length), this.#sum)), END_SUM_AT);
    this.#frame(FRAME.end, body);
  }

  /** What was written since the last time. */
  take(): Buffer {
    this.#summed();
    const bytes = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces, this.#size);
    this.#pieces = [];
    this.#size = 0;
    return bytes;
  }

  #frame(type: number, body: Buffer): void {
    this.#push(Buffer.concat([frameHead(type, body.length), body]));
  }

  #push(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#size += bytes.length;
  }

  /** In one piece: the checksum of each small one would cost more than its bytes. */
  #summed(): void {
    if (this.#size === 0) return;
    this.#pieces = [Buffer.concat(this.#pieces, this.#size)];
    this.#sum = crc32(this.#pieces[0] as Buffer, this.#sum);
  }
}

function frameHead(type: number, bodyLength: number): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEAD);
  head.writeUInt32BE(bodyLength + 1, 0);
  head[4] = type;
  return head;
}

function putBytes(into: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return into.writeInt32BE(-1, at);
  into.writeInt32BE(bytes.length, at);
  bytes.copy(into, at + 4);
  return at + 4 + bytes.length;
}

export type PartitionItem = { readonly head: PartitionHead } | { readonly record: KafkaRecord } | { readonly gap: PartitionGap } | { readonly end: PartitionEnd };

/**
 * Decodes one partition, its head first and its end last. Fails as `damaged` where the bytes are not what a writer wrote,
 * also where they end early or go on, and as `unsupported-version`.
 */
export async function* readPartition(bytes: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<PartitionItem> {
  const reader = new FrameReader(bytes, name);
  let [records, last, sum, hasHead] = [0, -1, 0, false];
  await reader.magic();
  for (;;) {
    sum = reader.sum;
    const frame = await reader.frame();
    if (hasHead !== (frame.type !== FRAME.head)) throw reader.damaged(hasHead ? 'a second head' : `a frame of type ${frame.type} before the head`);
    if (frame.type === FRAME.head) {
      yield { head: headIn(frame.body, reader) };
      hasHead = true;
    } else if (frame.type === FRAME.record) {
      const record = recordIn(frame.body, reader);
      if (record.offset <= last) throw reader.damaged(`offset ${record.offset} after ${last}`);
      [records, last] = [records + 1, record.offset];
      yield { record };
    } else if (frame.type === FRAME.gap) {
      const gap = gapIn(frame.body, reader);
      if (gap.from <= last || gap.to <= gap.from) throw reader.damaged(`a gap from ${gap.from} to ${gap.to} after offset ${last}`);
      last = gap.to - 1;
      yield { gap };
    } else if (frame.type === FRAME.end) {
      const end = endIn(frame.body, { records, last, sum: crc32(frame.body.subarray(0, END_SUM_AT), crc32(frameHead(FRAME.end, frame.body.length), sum)) }, reader);
      await reader.nothing();
      yield { end };
      return;
    } else throw reader.damaged(`a frame of type ${frame.type}, wanted 1 to 4`);
  }
}

function headIn(body: Buffer, reader: FrameReader): PartitionHead {
  try {
    const { topic, partition, topicId, cluster } = JSON.parse(body.toString('utf8')) as Partial<PartitionHead>;
    if (typeof topic === 'string' && typeof partition === 'number' && typeof topicId === 'string' && typeof cluster === 'string') return { topic, partition, topicId, cluster };
  } catch (error) {
    throw reader.damaged(`a head that is no JSON (${(error as Error).message})`);
  }
  throw reader.damaged(`the head ${body.toString('utf8')}, wanted topic, partition, topicId and cluster`);
}

function recordIn(body: Buffer, reader: FrameReader): KafkaRecord {
  if (body.length < RECORD_HEAD) throw reader.damaged(`a record of ${body.length} bytes, wanted at least ${RECORD_HEAD}`);
  const flags = body[16] as number;
  if ((flags & ~(FLAG.logAppend | FLAG.codecMask)) !== 0) throw reader.damaged(`a record with flags ${flags}`);
  let at = 17;
  const take = (): Buffer | null => {
    const length = at + 4 <= body.length ? body.readInt32BE(at) : -2;
    if (length < -1 || at + 4 + Math.max(0, length) > body.length) throw reader.damaged('a record that is shorter than what it holds');
    at += 4;
    return length === -1 ? null : body.subarray(at, (at += length));
  };
  const [key, value] = [take(), take()];
  if (at + 4 > body.length) throw reader.damaged('a record without its count of headers');
  const count = body.readUInt32BE(at);
  at += 4;
  const headers: KafkaHeader[] = [];
  for (let index = 0; index < count; index++) {
    const header = take();
    if (header === null) throw reader.damaged('a header without a name');
    headers.push({ name: header, value: take() });
  }
  if (at !== body.length) throw reader.damaged(`a record with ${body.length - at} bytes behind its end`);
  return { offset: offsetIn(body, 0, reader), timestamp: body.readBigInt64BE(8), isLogAppend: (flags & FLAG.logAppend) !== 0, codec: (flags & FLAG.codecMask) >> FLAG.codecShift, key, value, headers };
}

function gapIn(body: Buffer, reader: FrameReader): PartitionGap {
  if (body.length !== 16) throw reader.damaged(`a gap of ${body.length} bytes, wanted 16`);
  return { from: offsetIn(body, 0, reader), to: offsetIn(body, 8, reader) };
}

function endIn(body: Buffer, seen: { readonly records: number; readonly last: number; readonly sum: number }, reader: FrameReader): PartitionEnd {
  if (body.length !== 28) throw reader.damaged(`an end of ${body.length} bytes, wanted 28`);
  const [records, begin, end, sum] = [offsetIn(body, 0, reader), offsetIn(body, 8, reader), offsetIn(body, 16, reader), body.readUInt32BE(END_SUM_AT)];
  if (records !== seen.records) throw reader.damaged(`${seen.records} records, wanted ${records} by its end`);
  if (sum !== seen.sum) throw reader.damaged(`checksum ${seen.sum.toString(16)}, wanted ${sum.toString(16)} by its end`);
  if (begin > end || seen.last >= end) throw reader.damaged(`offset ${seen.last} and an end from ${begin} to ${end}`);
  return { records, begin, end };
}

function offsetIn(body: Buffer, at: number, reader: FrameReader): number {
  const offset = Number(body.readBigInt64BE(at));
  if (Number.isSafeInteger(offset) && offset >= 0) return offset;
  throw reader.damaged(`the number ${offset} where an offset or a count belongs`);
}

/** Frames out of pieces of any size. */
class FrameReader {
  /** Checksum of all that was taken. */
  sum = 0;
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #held = Buffer.alloc(0);
  #taken = 0;

  constructor(bytes: AsyncIterable<Uint8Array>, name: string) {
    this.#pieces = bytes[Symbol.asyncIterator]();
    this.#name = name;
  }

  async magic(): Promise<void> {
    const seen = await this.#take(MAGIC.length);
    if (seen.equals(MAGIC)) return;
    if (seen.subarray(0, -1).equals(MAGIC.subarray(0, -1))) throw new HoldfastError('unsupported-version', `${this.#name} has version ${seen.at(-1)} of the format of partitions, wanted 1.`, { nextStep: 'Use a newer Holdfast.' });
    throw this.damaged(`the beginning ${seen.toString('hex')}, wanted ${MAGIC.toString('hex')}`);
  }

  async frame(): Promise<{ readonly type: number; readonly body: Buffer }> {
    const length = (await this.#take(4)).readUInt32BE(0);
    if (length < 1 || length > MAX_FRAME_BYTES) throw this.damaged(`a frame of ${length} bytes`);
    const bytes = await this.#take(length);
    return { type: bytes[0] as number, body: bytes.subarray(1) };
  }

  /** Nothing may follow. */
  async nothing(): Promise<void> {
    if (this.#held.length === 0) {
      const { done, value } = await this.#pieces.next();
      if (done || value.length === 0) return;
    }
    throw this.damaged('bytes behind its end');
  }

  damaged(what: string): HoldfastError {
    return new HoldfastError('damaged', `${this.#name} is no whole partition: it has ${what}, at byte ${this.#taken}.`, { nextStep: 'Run `holdfast verify --level full`, and restore from another backup.' });
  }

  async #take(count: number): Promise<Buffer> {
    if (this.#held.length < count) await this.#fill(count);
    const bytes = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    this.#taken += count;
    this.sum = crc32(bytes, this.sum);
    return bytes;
  }

  async #fill(count: number): Promise<void> {
    const pieces: Uint8Array[] = [this.#held];
    let size = this.#held.length;
    while (size < count) {
      const { done, value } = await this.#pieces.next();
      if (done) throw this.damaged(`an end after ${this.#taken + size} bytes, wanted at least ${this.#taken + count}`);
      pieces.push(value);
      size += value.length;
    }
    this.#held = Buffer.concat(pieces, size);
  }
}
