import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '../../lib/model/clock.ts';
import { threadFramePool } from '../../lib/recovery/frame-pool.ts';
import type { FrameJob, FramePool } from '../../lib/recovery/frame-pool.ts';
import { readContent } from '../../lib/recovery/read-content.ts';
import { frameOpener, isSnapshotFile } from '../../lib/repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';

const WORKER = join(__dirname, '..', '..', 'lib', 'recovery', 'worker.ts');
const parts = Array.from({ length: 40 }, (_, index) => (index % 3 === 0 ? Buffer.alloc(20_000, index) : randomBytes(9000)));

async function sample(): Promise<{ store: MemoryStore; snapshot: FixtureSnapshot; reader: SnapshotReader; file: SnapshotFile }> {
  const store = new MemoryStore(systemClock);
  const snapshot = new FixtureSnapshot(store, { frameBytes: 30_000, packBytes: 100_000 }).directory('');
  // Parts come again, as in the later version of a dump.
  await snapshot.file('long', [...parts, ...parts.slice(5, 20), ...parts.slice(0, 5)]);
  const reader = await snapshot.build();
  for await (const entry of reader.entries()) if (isSnapshotFile(entry)) return { store, snapshot, reader, file: entry };
  throw new Error('the sample has a file');
}

async function withThreads<T>(reader: SnapshotReader, use: (pool: FramePool, jobs: FrameJob[]) => Promise<T>): Promise<T> {
  const pool = threadFramePool(WORKER, 2, frameOpener(reader.repository.keys, 'frame'));
  const jobs: FrameJob[] = [];
  try {
    return await use({ ...pool, open: (job) => (jobs.push(job), pool.open(job)) }, jobs);
  } finally {
    await pool.close();
  }
}

/** What is lent is copied before the next is asked for. */
async function copied(content: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const given: Uint8Array[] = [];
  for await (const bytes of content) given.push(Uint8Array.from(bytes));
  return given;
}

describe('reading one file with threads', () => {
  it('gives its chunks in order, those that come again too', async () => {
    const { reader, file } = await sample();
    await withThreads(reader, async (pool) => {
      const content = Buffer.concat(await copied(readContent(reader, file, pool)));
      expect(content.equals(Buffer.concat([...parts, ...parts.slice(5, 20), ...parts.slice(0, 5)]))).toBe(true);
    });
  });

  it('opens frames ahead of who reads, and no more than it says', async () => {
    const { reader, file } = await sample();
    await withThreads(reader, async (pool, jobs) => {
      const narrow = { ...pool, width: 0.0125 };
      const stream = readContent(reader, file, narrow);
      await stream.next();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(jobs.length).toBeGreaterThan(1);
      expect(jobs.length).toBeLessThan(8);
      await stream.return(undefined);
    });
  });

  it('gives each frame back once, when its last chunk was read and no other is likely to be', async () => {
    const { reader, file } = await sample();
    await withThreads(reader, async (pool, jobs) => {
      const released = new Map<Uint8Array, number>();
      const giveBack = (raw: Uint8Array) => void released.set(raw, (released.get(raw) ?? 0) + 1);
      await copied(readContent(reader, file, { ...pool, giveBack }));
      await new Promise((resolve) => setImmediate(resolve));
      expect([...released.values()].every((times) => times === 1)).toBe(true);
      expect(released.size).toBe(jobs.length - 4);
    });
  });

  it('a chunk stays what it is until the next is asked for, though its frame has left the cache', async () => {
    const { reader, file } = await sample();
    await withThreads(reader, async (pool) => {
      let at = 0;
      for await (const bytes of readContent(reader, file, { ...pool, width: 0.1 })) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        expect(Buffer.compare(bytes, [...parts, ...parts.slice(5, 20), ...parts.slice(0, 5)][at++] as Buffer)).toBe(0);
      }
      expect(at).toBe(60);
    });
  });

  it('stops as damaged at a flipped byte, after everything before it', async () => {
    const { reader, file, store, snapshot } = await sample();
    const { name } = snapshot.packs[2] as { name: string };
    const bytes = Buffer.from(await store.get(name));
    bytes[100] = (bytes[100] as number) ^ 1;
    await store.remove(name);
    await store.put(name, bytes);
    await withThreads(reader, async (pool) => {
      const given: Uint8Array[] = [];
      const reading = (async () => {
        for await (const chunk of readContent(reader, file, pool)) given.push(Uint8Array.from(chunk));
      })();
      await expect(reading).rejects.toMatchObject({ name: 'HoldfastError', code: 'damaged', message: expect.stringContaining(name), nextStep: expect.stringContaining('verify') });
      expect(given.length).toBeGreaterThan(4);
      expect(Buffer.concat(given).equals(Buffer.concat(parts.slice(0, given.length)))).toBe(true);
    });
  });

  it('a thread that dies fails the reading instead of leaving it waiting', async () => {
    const { reader, file } = await sample();
    const pool = threadFramePool(join(__dirname, 'no-such-worker.ts'), 1, frameOpener(reader.repository.keys, 'frame'));
    await expect(Array.fromAsync(readContent(reader, file, pool))).rejects.toMatchObject({ code: 'broken-invariant' });
    await pool.close();
  });
});
