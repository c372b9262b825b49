import { randomBytes } from 'node:crypto';
import { systemClock } from '../../lib/model/clock.ts';
import { isSnapshotFile } from '../../lib/repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../../lib/repository/index.ts';
import { readContent } from '../../lib/recovery/read-content.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';

async function sample() {
  const store = new MemoryStore(systemClock);
  const snapshot = new FixtureSnapshot(store, { frameBytes: 1000, packBytes: 3000 }).directory('');
  const parts = Array.from({ length: 12 }, () => randomBytes(900));
  await snapshot.file('long', parts);
  const reader = await snapshot.build();
  return { store, snapshot, parts, reader, file: await fileOf(reader) };
}

async function fileOf(reader: SnapshotReader): Promise<SnapshotFile> {
  for await (const entry of reader.entries()) if (isSnapshotFile(entry)) return entry;
  throw new Error('the sample has a file');
}

describe('reading one file (cat)', () => {
  it('gives its chunks in order', async () => {
    const { reader, file, parts } = await sample();
    const chunks = await Array.fromAsync(readContent(reader, file));
    expect(Buffer.concat(chunks).equals(Buffer.concat(parts))).toBe(true);
  });

  it('reads no chunk before it is wanted', async () => {
    const { reader, file, store } = await sample();
    let reads = 0;
    const get = store.get.bind(store);
    store.get = async (name, range) => {
      if (name.includes('/hot/')) reads++;
      return get(name, range);
    };
    const stream = readContent(reader, file);
    await stream.next();
    const after = reads;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reads).toBe(after);
    await stream.return(undefined);
  });

  it('stops as damaged at the first chunk that is lost, after what came before', async () => {
    const { reader, file, store, snapshot, parts } = await sample();
    await store.remove(snapshot.packs[1]?.name as string);
    const given: Uint8Array[] = [];
    const reading = (async () => {
      for await (const bytes of readContent(reader, file)) given.push(bytes);
    })();
    await expect(reading).rejects.toMatchObject({ name: 'HoldfastError' });
    expect(given.length).toBeGreaterThan(0);
    expect(given.length).toBeLessThan(parts.length);
    expect(Buffer.concat(given).equals(Buffer.concat(parts.slice(0, given.length)))).toBe(true);
  });
});
