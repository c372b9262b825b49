import { compressionsAlgorithmsByBitmask, crc32c } from '@platformatic/kafka';
import { HoldfastError } from '../../model/errors.ts';
import type { KafkaHeader, KafkaRecord } from './record.ts';
import { VarintReader } from './varints.ts';

/** As they lie in a broker's log (Kafka documentation, "Record Batch", magic 2). */
export interface RecordBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  /** Holds a marker that ends a transaction, and no record of anybody. */
  readonly isControl: boolean;
  /** Records in it by its own word; compaction takes them out and leaves the offsets. */
  readonly count: number;
  /** Of a control batch: the transaction was aborted. */
  isAbort(): boolean;
  /** Decompresses. Fails as `source-failed`. */
  records(): Generator<KafkaRecord>;
}

const HEADER_BYTES = 61;
/** Offset and length. */
const BEFORE_LENGTH = 12;
const CRC_AT = 17;
const AFTER_CRC = 21;
const NO_HEADERS: readonly KafkaHeader[] = [];

/**
 * The whole batches of an answer, each with its checksum compared; the last may be cut, as the protocol allows, and is left
 * out. Fails as `source-failed` where bytes are not what a broker wrote, `unsupported` for messages of before Kafka 0.11.
 */
export function* readBatches(bytes: Buffer, where: string): Generator<RecordBatch> {
  for (let at = 0; bytes.length - at >= HEADER_BYTES; ) {
    const length = bytes.readInt32BE(at + 8);
    if (length < HEADER_BYTES - BEFORE_LENGTH) throw broken(where, `a batch says that it has ${length} bytes, wanted at least ${HEADER_BYTES - BEFORE_LENGTH}`);
    if (bytes.length - at - BEFORE_LENGTH < length) return;
    yield readBatch(bytes.subarray(at, at + BEFORE_LENGTH + length), where);
    at += BEFORE_LENGTH + length;
  }
}

function readBatch(bytes: Buffer, where: string): RecordBatch {
  const magic = bytes.readInt8(16);
  if (magic !== 2) throw new HoldfastError('unsupported', `A batch of ${where} has message format ${magic}, wanted 2: it was written before Kafka 0.11.`, { nextStep: 'Let the cluster rewrite the topic (log.message.format.version), or leave it out.' });
  const [sum, wanted] = [crc32c(bytes.subarray(AFTER_CRC)), bytes.readUInt32BE(CRC_AT)];
  const baseOffset = offsetAt(bytes, 0, where);
  if (sum !== wanted) throw broken(where, `the batch at offset ${baseOffset} has checksum ${hex(sum)}, wanted ${hex(wanted)}`);
  const attributes = bytes.readInt16BE(21);
  const count = bytes.readInt32BE(57);
  const batch = { attributes, baseOffset, count, baseTimestamp: bytes.readBigInt64BE(27), maxTimestamp: bytes.readBigInt64BE(35), where };
  return {
    baseOffset, count,
    lastOffset: baseOffset + bytes.readInt32BE(23),
    producerId: bytes.readBigInt64BE(43),
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    isAbort: () => {
      // Key of a marker: version, then type; 0 is an abort.
      for (const { key } of recordsOf(bytes, batch)) return key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
      return false;
    },
    records: () => recordsOf(bytes, batch),
  };
}

interface BatchHead {
  readonly attributes: number;
  readonly baseOffset: number;
  readonly count: number;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly where: string;
}

function* recordsOf(bytes: Buffer, { attributes, baseOffset, count, baseTimestamp, maxTimestamp, where }: BatchHead): Generator<KafkaRecord> {
  const codec = attributes & 7;
  const isLogAppend = (attributes & 8) !== 0;
  const reader = new VarintReader(plainRecords(bytes.subarray(HEADER_BYTES), codec, `${where}, batch at offset ${baseOffset}`), () => broken(where, `the records of the batch at offset ${baseOffset} end before their time`));
  for (let index = 0; index < count; index++) {
    const end = reader.number() + reader.position;
    reader.skip(1); // Attributes of a record: none is defined.
    const timestamp = baseTimestamp + reader.bigint();
    const offset = baseOffset + reader.number();
    const [key, value] = [reader.bytes(), reader.bytes()];
    yield { offset, timestamp: isLogAppend ? maxTimestamp : timestamp, isLogAppend, codec, key, value, headers: headersOf(reader) };
    if (reader.position !== end) throw broken(where, `the record at offset ${offset} ends at byte ${reader.position} of its batch, wanted ${end}`);
  }
  if (reader.remaining !== 0) throw broken(where, `${reader.remaining} bytes follow the ${count} records of the batch at offset ${baseOffset}`);
}

function headersOf(reader: VarintReader): readonly KafkaHeader[] {
  const count = reader.number();
  if (count === 0) return NO_HEADERS;
  const headers: KafkaHeader[] = [];
  for (let index = 0; index < count; index++) headers.push({ name: reader.bytes() ?? Buffer.alloc(0), value: reader.bytes() });
  return headers;
}

function plainRecords(bytes: Buffer, codec: number, where: string): Buffer {
  if (codec === 0) return bytes;
  const algorithm = compressionsAlgorithmsByBitmask[codec];
  if (algorithm === undefined) throw new HoldfastError('unsupported', `${where} is compressed by codec ${codec}, wanted 0 to 4.`, { nextStep: 'Use a newer Holdfast.' });
  try {
    return algorithm.decompressSync(bytes);
  } catch (cause) {
    throw broken(where, `it cannot be decompressed (codec ${codec}: ${(cause as Error).message})`);
  }
}

function offsetAt(bytes: Buffer, at: number, where: string): number {
  const offset = Number(bytes.readBigInt64BE(at));
  if (Number.isSafeInteger(offset) && offset >= 0) return offset;
  throw broken(where, `a batch has offset ${offset}, wanted 0 to ${Number.MAX_SAFE_INTEGER}`);
}

function broken(where: string, what: string): HoldfastError {
  return new HoldfastError('source-failed', `What the broker sent of ${where} is damaged: ${what}.`, { nextStep: 'Run it again; when it fails at the same offset, that replica of the log is damaged: look at the log of the broker.' });
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0');
}

export interface BatchProducer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly sequence: number;
}

/** A batch of records that were not in one before, compressed by the codec of the first. */
export function encodeBatch(records: readonly KafkaRecord[], { producerId, producerEpoch, sequence }: BatchProducer): Buffer {
  const [first] = records as readonly [KafkaRecord];
  const plain = Buffer.concat(records.map((record, index) => encodeRecord(record, index, first.timestamp)));
  const body = first.codec === 0 ? plain : (compressionsAlgorithmsByBitmask[first.codec]?.compressSync(plain) ?? plain);
  const batch = Buffer.alloc(HEADER_BYTES + body.length);
  batch.writeInt32BE(batch.length - BEFORE_LENGTH, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(first.codec, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(first.timestamp, 27);
  batch.writeBigInt64BE(records.reduce((most, { timestamp }) => (timestamp > most ? timestamp : most), first.timestamp), 35);
  batch.writeBigInt64BE(producerId, 43);
  batch.writeInt16BE(producerEpoch, 51);
  batch.writeInt32BE(sequence, 53);
  batch.writeInt32BE(records.length, 57);
  body.copy(batch, HEADER_BYTES);
  batch.writeUInt32BE(crc32c(batch.subarray(AFTER_CRC)), CRC_AT);
  return batch;
}

function encodeRecord({ timestamp, key, value, headers }: KafkaRecord, index: number, base: bigint): Buffer {
  const parts = [Buffer.of(0), zigzag(timestamp - base), zigzag(BigInt(index)), ...sized(key), ...sized(value), zigzag(BigInt(headers.length)), ...headers.flatMap((header) => [...sized(header.name), ...sized(header.value)])];
  return Buffer.concat([zigzag(BigInt(parts.reduce((sum, part) => sum + part.length, 0))), ...parts]);
}

function sized(bytes: Buffer | null): Buffer[] {
  return bytes === null ? [zigzag(-1n)] : [zigzag(BigInt(bytes.length)), bytes];
}

function zigzag(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.of(...bytes, Number(rest));
}
