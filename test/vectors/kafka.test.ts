import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PartitionWriter, readPartition } from '../../lib/sources/kafka/record-format.ts';
import type { PartitionItem } from '../../lib/sources/kafka/record-format.ts';

const FOLDER = join(__dirname, 'kafka-v1');
const frozen = readFileSync(join(FOLDER, 'partition.records'));
const expected = json<{ head: object; items: object[]; end: object }>('expected.json');
const mustFail = json<{ title: string; at: number; remove: number; put: string; isSummed: boolean; code: string; says: string }[]>('must-fail.json');

describe('the frozen partition kafka-v1 (S10)', () => {
  it.each([1, 7, 100, 1 << 20])('gives what it holds, in pieces of %d bytes', async (size) => {
    const items = (await itemsOf(frozen, size)).map(plain);
    expect(items).toEqual([{ head: expected.head }, ...expected.items, { end: expected.end }]);
  });

  it('is what is written today', async () => {
    let writer: PartitionWriter | undefined;
    for (const item of await itemsOf(frozen)) {
      if ('head' in item) writer = new PartitionWriter(item.head);
      else if ('record' in item) writer?.record(item.record);
      else if ('gap' in item) writer?.gap(item.gap);
      else writer?.end(item.end);
    }
    expect(writer?.take().toString('hex')).toBe(frozen.toString('hex'));
  });

  it.each(mustFail)('is refused with $title', async ({ at, remove, put, isSummed, code, says }) => {
    const changed = Buffer.concat([frozen.subarray(0, at), Buffer.from(put, 'hex'), frozen.subarray(at + remove)]);
    // What is wrong must be told even where the sum is right.
    if (isSummed) changed.writeUInt32BE(crc32(changed.subarray(0, -4)), changed.length - 4);
    await expect(itemsOf(changed)).rejects.toMatchObject({ code, message: expect.stringContaining(says), nextStep: expect.any(String) });
  });

  it('is refused whichever byte differs, and wherever it is cut', async () => {
    for (let at = 0; at < frozen.length; at++) {
      const changed = Buffer.from(frozen);
      changed[at] = (changed[at] as number) ^ 0x10;
      await expect(itemsOf(changed)).rejects.toMatchObject({ name: 'HoldfastError' });
      await expect(itemsOf(frozen.subarray(0, at))).rejects.toMatchObject({ code: 'damaged' });
    }
  });
});

async function itemsOf(bytes: Buffer, size = 1 << 20): Promise<PartitionItem[]> {
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  };
  return Array.fromAsync(readPartition(pieces(), 'the vector'));
}

function plain(item: PartitionItem): object {
  if (!('record' in item)) return item;
  const { key, value, headers, timestamp, ...rest } = item.record;
  const hex = (bytes: Buffer | null) => bytes?.toString('hex') ?? null;
  return { record: { ...rest, timestamp: String(timestamp), key: hex(key), value: hex(value), headers: headers.map((header) => [hex(header.name), hex(header.value)]) } };
}

function json<T>(name: string): T {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as T;
}
