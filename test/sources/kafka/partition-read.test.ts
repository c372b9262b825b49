import { crc32c } from '@platformatic/kafka';
import { isHoldfastError } from '../../../lib/model/errors.ts';
import type { KafkaCluster } from '../../../lib/sources/kafka/cluster.ts';
import type { Fetched } from '../../../lib/sources/kafka/fetch.ts';
import { PartitionRead } from '../../../lib/sources/kafka/partition-read.ts';
import type { PartitionRange } from '../../../lib/sources/kafka/partition-read.ts';
import { encodeBatch } from '../../../lib/sources/kafka/record-batch.ts';
import { readPartition } from '../../../lib/sources/kafka/record-format.ts';
import { LeapingClock } from '../../support/fake-clock.ts';
import { failure } from '../reading.ts';

const RANGE: PartitionRange = { topic: 't', topicId: '7429705d-3d9a-4fbe-ae68-f91a3813e16b', partition: 0, begin: 0, end: 10, clusterId: 'c', isCompacted: true };

/** Records at these offsets, each in a batch of its own. */
function batches(...offsets: readonly number[]): Buffer {
  return Buffer.concat(offsets.map((offset) => {
    const batch = encodeBatch([{ offset, timestamp: 1n, isLogAppend: false, codec: 0, key: null, value: Buffer.from(String(offset)), headers: [] }], { producerId: -1n, producerEpoch: -1, sequence: -1 });
    batch.writeBigInt64BE(BigInt(offset), 0);
    return batch;
  }));
}

const answer = (bytes: Buffer, more: Partial<Fetched> = {}): Fetched => ({ batches: bytes, logStart: 0, highWatermark: 10, lastStable: 10, aborted: [], ...more });
const SILENT = answer(Buffer.alloc(0));

/** A broker that says what no broker can be made to say here; the last of its answers again and again. */
function reader(answers: readonly (Fetched | undefined)[], changes: Partial<PartitionRange> = {}, isRefusingHoles = true) {
  const asked: number[] = [];
  const cluster = { ask: async ({ args: [place] }: { args: [{ offset: number }] }) => {
    asked.push(place.offset);
    const next = answers[Math.min(asked.length, answers.length) - 1];
    return { errorCode: 0, found: next && { ...next, errorCode: 0 } };
  } };
  const read = new PartitionRead({ ...RANGE, ...changes }, { cluster: cluster as unknown as Pick<KafkaCluster, 'ask'>, clock: new LeapingClock(), signal: new AbortController().signal, isRefusingHoles });
  const records = async () => (await Array.fromAsync(readPartition(read.body(), 'a test'))).flatMap((item) => ('record' in item ? [item.record.offset] : []));
  return { read, asked, records };
}

describe('one partition, read from a broker (S10)', () => {
  it('whose last offsets were compacted away ends there: a broker that stays silent is believed, and nobody waits for ever', async () => {
    const { records, read, asked } = reader([answer(batches(0, 1, 2, 3)), SILENT]);
    expect(await records()).toEqual([0, 1, 2, 3]);
    expect(read.counts).toEqual({ records: 4, markers: 0, aborted: 0, missing: 6, expired: 0 });
    expect(asked.slice(0, 2)).toEqual([0, 4]);
    expect(asked.length).toBeLessThan(10);
  });

  it('is not believed to have ended where the broker needs a moment', async () => {
    const { records } = reader([answer(batches(0, 1)), SILENT, undefined, SILENT, answer(batches(2, 3, 4, 5, 6, 7, 8, 9))], { isCompacted: false });
    expect(await records()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('that lost its end meanwhile fails', async () => {
    const error = await failure(reader([answer(batches(0, 1), { lastStable: 2 }), answer(Buffer.alloc(0), { lastStable: 2 })]).records());
    expect(error).toMatchObject({ code: 'source-failed', message: 'Reading partition 0 of topic t failed at offset 2: the log ends at offset 2 by now, and ended at 10 when the run began.' });
  });

  it.each([
    ['in the middle', [answer(batches(0, 1, 5, 6, 7, 8, 9))], 'from 2 to 4'],
    ['at the beginning', [answer(batches(3, 4, 5, 6, 7, 8, 9))], 'from 0 to 2'],
    ['between two answers', [answer(batches(0, 1)), answer(batches(4, 5, 6, 7, 8, 9))], 'from 2 to 3'],
    ['at the end', [answer(batches(0, 1)), SILENT], 'from 2 to 9'],
  ])('of a topic that is not compacted fails where records are missing %s', async (_, answers, where) => {
    const error = await failure(reader(answers, { isCompacted: false }).records());
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringContaining(`no record has an offset ${where}, and the topic is not compacted`) as string });
    const { read, records } = reader(answers, { isCompacted: false }, false);
    expect(await records()).toHaveLength(read.counts.records);
    expect(read.counts.records + read.counts.missing).toBe(10);
  });

  it('counts what compaction took out of the middle and off the end of a batch', async () => {
    const one = (offset: number) => ({ offset, timestamp: 1n, isLogAppend: false, codec: 0, key: null, value: Buffer.from('v'), headers: [] });
    const batch = encodeBatch([one(0), one(1)], { producerId: -1n, producerEpoch: -1, sequence: -1 });
    // The second record is 4 offsets behind the first, and the batch had 7 once.
    batch[61 + 1 + ((batch[61] as number) >> 1) + 3] = 4 << 1;
    batch.writeInt32BE(6, 23);
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
    const { read, records } = reader([answer(batch), answer(batches(7, 8, 9))]);
    expect(await records()).toEqual([0, 4, 7, 8, 9]);
    expect(read.counts).toEqual({ records: 5, markers: 0, aborted: 0, missing: 5, expired: 0 });
    const refused = await failure(reader([answer(batch)], { isCompacted: false }).records());
    expect(refused.message).toContain('no record has an offset from 1 to 3');
  });

  it('goes on behind a batch that is cut at the end of an answer, and fails where nothing else came', async () => {
    const cut = (bytes: Buffer) => bytes.subarray(0, bytes.length - 1);
    const { records, asked } = reader([answer(cut(batches(0, 1, 2))), answer(batches(2, 3, 4, 5, 6, 7, 8, 9))], { isCompacted: false });
    expect(await records()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(asked).toEqual([0, 2]);
    expect(await failure(reader([answer(cut(batches(0)))]).records())).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/sent \d+ bytes of a batch and not all of it/) as string });
  });

  it('takes nothing twice, and nothing behind its end', async () => {
    const { records } = reader([answer(batches(0, 1, 2)), answer(batches(1, 2, 3, 4, 5)), answer(batches(6, 7, 8, 9, 10, 11))], { isCompacted: false });
    expect(await records()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('fails where the broker sends the same again instead of what follows', async () => {
    expect(await failure(reader([answer(batches(0, 1, 2))]).records())).toMatchObject({ code: 'source-failed', message: expect.stringContaining('failed at offset 3: the broker sent batches up to offset 2 only') as string });
  });

  it('fails where a byte of a batch differs', async () => {
    const bytes = batches(0, 1, 2);
    bytes[bytes.length - 1] = 2;
    expect(isHoldfastError(await failure(reader([answer(bytes)]).records()), 'source-failed')).toBe(true);
  });
});
