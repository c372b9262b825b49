import { createRecordsBatch, readRecordsBatch, Reader } from '@platformatic/kafka';
import { encodeBatch, readBatches } from '../../../lib/sources/kafka/record-batch.ts';
import type { KafkaRecord } from '../../../lib/sources/kafka/record.ts';
import { VarintReader } from '../../../lib/sources/kafka/varints.ts';

const PRODUCER = { producerId: 7n, producerEpoch: 2, sequence: 5 };
const bytes = (text: string) => Buffer.from(text, 'latin1');

function record(offset: number, changes: Partial<KafkaRecord> = {}): KafkaRecord {
  return { offset, timestamp: 1_700_000_000_000n + BigInt(offset), isLogAppend: false, codec: 0, key: bytes(`k${offset}`), value: bytes('v'.repeat(offset * 9)), headers: [{ name: bytes('h'), value: bytes('\xff\0') }, { name: bytes('h'), value: null }], ...changes };
}

const decoded = (batch: Buffer) => [...readBatches(batch, 'a test')].flatMap((one) => [...one.records()]);

describe('batches of records as a broker keeps them (S10)', () => {
  it('are read as they were written, whatever their timestamps: weeks, centuries and all 64 bits apart', () => {
    const records = [record(0), record(1, { timestamp: 0n, key: null }), record(2, { timestamp: 2n ** 63n - 1n, value: null }), record(3, { timestamp: -1n, headers: [], key: Buffer.alloc(0) }), record(4, { timestamp: 1_700_195_902_916_399n })];
    expect(decoded(encodeBatch(records, PRODUCER))).toEqual(records);
  });

  it.each([['none', 0], ['gzip', 1], ['snappy', 2], ['lz4', 3], ['zstd', 4]] as const)('of codec %s are read from another encoder, and by another decoder', (compression, codec) => {
    const records = Array.from({ length: 20 }, (_, offset) => record(offset, { codec, headers: [] }));
    const theirs = createRecordsBatch(records.map(({ key, value, timestamp }) => ({ topic: 't', key: key as Buffer, value: value as Buffer, timestamp })), { compression, producerId: 7n });
    expect(decoded(theirs.buffer)).toEqual(records);
    const read = readRecordsBatch(Reader.from(encodeBatch(records, PRODUCER)));
    expect(read).toMatchObject({ producerId: 7n, producerEpoch: 2, firstSequence: 5, lastOffsetDelta: 19, firstTimestamp: 1_700_000_000_000n, maxTimestamp: 1_700_000_000_019n });
    expect(read.records.map(({ key, value }) => [key, value])).toEqual(records.map(({ key, value }) => [key, value]));
  });

  it('are refused whichever byte differs that the broker signed, and one that is cut is no batch', () => {
    const batch = encodeBatch([record(3), record(4)], PRODUCER);
    for (let at = 16; at < batch.length; at++) {
      const changed = Buffer.from(batch);
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => decoded(changed)).toThrow(expect.objectContaining({ code: at === 16 ? 'unsupported' : 'source-failed' }));
    }
    for (let length = 0; length < batch.length; length++) expect(decoded(batch.subarray(0, length))).toEqual([]);
    const short = Buffer.from(batch);
    short.writeInt32BE(3, 8);
    expect(() => decoded(short)).toThrow('a batch says that it has 3 bytes, wanted at least 49');
  });

  it('are refused with a count, a length or a header that their bytes do not hold, although they are signed', () => {
    const batch = encodeBatch([record(1)], PRODUCER);
    const signed = (change: (bytes: Buffer) => void) => {
      const changed = Buffer.from(batch);
      change(changed);
      changed.writeUInt32BE(checksum(changed), 17);
      return () => decoded(changed);
    };
    expect(signed((one) => one.writeInt32BE(2, 57))).toThrow('end before their time');
    expect(signed((one) => one.writeInt32BE(0, 57))).toThrow('bytes follow the 0 records');
    expect(signed((one) => (one[61] = (one[61] as number) + 2))).toThrow('ends at byte');
    expect(signed((one) => one.writeInt16BE(1, 21))).toThrow('cannot be decompressed');
    expect(signed((one) => one.writeInt16BE(7, 21))).toThrow('codec 7, wanted 0 to 4');
  });

  it('take the time of the broker where it took it', () => {
    const batch = encodeBatch([record(1), record(2)], PRODUCER);
    batch.writeInt16BE(8, 21);
    batch.writeUInt32BE(checksum(batch), 17);
    expect(decoded(batch).map(({ timestamp, isLogAppend }) => [timestamp, isLogAppend])).toEqual([[1_700_000_000_002n, true], [1_700_000_000_002n, true]]);
  });

  it('hold numbers of up to 64 bits and no more', () => {
    const cut = () => new Error('cut');
    expect(new VarintReader(Buffer.from('859ccacbb30b', 'hex'), cut).bigint()).toBe(-195_902_916_355n);
    expect(() => new VarintReader(Buffer.alloc(11, 0xff), cut).bigint()).toThrow('cut');
    expect(() => new VarintReader(Buffer.alloc(6, 0xff), cut).number()).toThrow('cut');
    expect(() => new VarintReader(Buffer.from([0x80]), cut).number()).toThrow('cut');
    expect(() => new VarintReader(Buffer.from([0x03]), cut).bytes()).toThrow('cut');
  });
});

/** CRC-32C, bit by bit. */
function checksum(batch: Buffer): number {
  let sum = 0xffff_ffff;
  for (const byte of batch.subarray(21)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f6_3b78 : sum >>> 1;
  }
  return ~sum >>> 0;
}
