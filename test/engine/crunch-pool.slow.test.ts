import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ChunkTables } from '../../lib/engine/chunk-table.ts';
import { ThreadPool } from '../../lib/engine/crunch-pool.ts';
import type { CrunchPool } from '../../lib/engine/crunch-pool.ts';
import type { BlockResult, CrunchSettings, CrunchedPack, FilesResult } from '../../lib/engine/crunch-settings.ts';
import { Cruncher } from '../../lib/engine/cruncher.ts';
import { InlinePool } from '../../lib/engine/inline-pool.ts';
import { PackIds } from '../../lib/engine/pack-ids.ts';
import { GrowingBuffers, SharedBuffers } from '../../lib/engine/shared-buffers.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { END } from '../../lib/model/end-thread.ts';
import { ByteReader, ByteWriter, PACK_SIZES, decodeBody, decodeRef, frameOpener, isFile, openFrame, packIdOf, sha256 } from '../../lib/repository/index.ts';
import { directoryOf } from '../../lib/repository/pack-reader.ts';
import { TEST_WRITER, TINY_CHUNKS, startThread, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { keys, config, cipher } = testRepository();
const SMALL_PACKS = { frameBytes: 64 << 10, targetBytes: 256 << 10, limitBytes: 1 << 20 };

function settingsOf(tables: ChunkTables, packs: SharedBuffers, blocks: SharedBuffers): CrunchSettings {
  return { repository: config.repository, keys: keys.keys, cipher, compression: { algorithm: 'zstd', level: 1 }, packClass: 'hot', writer: TEST_WRITER.id, chunker: { files: TINY_CHUNKS, streams: TINY_CHUNKS }, packSizes: SMALL_PACKS, tables: tables.buffers, packIds: PackIds.create().buffer, packs: packs.shape, blocks: blocks.shape, keepXattrs: false };
}

interface Rig {
  readonly pool: CrunchPool;
  /** Every chunk that was stored: id to plain bytes; a chunk that is stored twice is an error. */
  readonly stored: Map<string, Buffer>;
  readonly packs: Map<string, number>;
}

function collecting(viewOf: (buffer: number) => Uint8Array, give: (buffer: number) => void): Omit<Rig, 'pool'> & { onPack: (pack: CrunchedPack) => void } {
  const stored = new Map<string, Buffer>();
  const packs = new Map<string, number>();
  const onPack = ({ name, buffer, length, sha256: digest, ids }: CrunchedPack) => {
    const bytes = viewOf(buffer).slice(0, length);
    give(buffer);
    expect(sha256(bytes).toString('hex')).toBe(digest);
    const directory = directoryOf(keys, name, bytes);
    const chunks = directory.frames.flatMap((frame) => frame.chunks);
    expect(Buffer.concat(chunks.map(({ id }) => id)).equals(ids)).toBe(true);
    for (const frame of directory.frames) {
      const raw = openFrame(frameOpener(keys, 'frame'), directory.cipher, frame, bytes.subarray(frame.offset, frame.offset + frame.sealedLength), name);
      let offset = 0;
      for (const { id, length: size } of frame.chunks) stored.set(Buffer.from(id).toString('hex'), Buffer.from(raw.subarray(offset, (offset += size))));
    }
    packs.set(packIdOf(name), chunks.length);
  };
  return { stored, packs, onPack };
}

function threadRig(threads: number, start: (settings: CrunchSettings) => Worker = startThread): Rig {
  const tables = ChunkTables.create(64);
  const buffers = SharedBuffers.create(threads + 1, SMALL_PACKS.limitBytes + (1 << 20));
  const blocks = SharedBuffers.create(threads + 2, TINY_CHUNKS.max * 2);
  const { onPack, ...rest } = collecting((index) => buffers.view(index), (index) => buffers.give(index));
  return { ...rest, pool: new ThreadPool({ threads, startThread: start, settings: settingsOf(tables, buffers, blocks), tables, onPack, signal: new AbortController().signal }) };
}

function inlineRig(): Rig {
  const buffers = new GrowingBuffers(SMALL_PACKS.limitBytes + (1 << 20));
  const { onPack, ...rest } = collecting((index) => buffers.view(index), (index) => buffers.give(index));
  const settings = settingsOf(ChunkTables.create(10_000), SharedBuffers.create(1, 1), SharedBuffers.create(1, 1));
  return { ...rest, pool: new InlinePool(settings, buffers, onPack, { now: systemClock.now, readXattrs: undefined }) };
}

function idsOfFiles({ bodies }: FilesResult, count: number): string[][] {
  const reader = new ByteReader(bodies, 'answer');
  return Array.from({ length: count }, () => {
    expect(reader.u8()).toBe(0);
    const body = decodeBody(reader.bytes(reader.u32()), 'body');
    if (!isFile(body)) throw new Error('no file');
    return body.refs.map(({ id }) => Buffer.from(id).toString('hex'));
  });
}

function idsOfBlocks(blocks: readonly BlockResult[]): string[] {
  const reader = new ByteReader(Buffer.concat(blocks.map(({ refs }) => refs)), 'refs');
  const ids: string[] = [];
  while (reader.remaining > 0) ids.push(Buffer.from(decodeRef(reader).id).toString('hex'));
  return ids;
}

async function streamed(pool: CrunchPool, content: Buffer): Promise<string[]> {
  const file = join(temporaryFolder(), 'stream');
  writeFileSync(file, content);
  const fd = openSync(file, 'r');
  const blocks: BlockResult[] = [];
  const end = await pool.stream({ fd, sizes: 'streams' }, (block) => blocks.push(block));
  closeSync(fd);
  expect(Buffer.from(end.sha256).equals(sha256(content))).toBe(true);
  return idsOfBlocks(blocks);
}

describe('crunching', () => {
  it('gives the same chunks in threads and inline, each stored once, files and streams sharing them', async () => {
    const folder = temporaryFolder();
    const contents = Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? Buffer.from(`same ${index % 9}`) : randomBytes(((index * 7919) % 60_000) + 1)));
    const paths = contents.map((content, index) => {
      writeFileSync(join(folder, String(index)), content);
      return fromText(join(folder, String(index)));
    });
    const stream = Buffer.concat([contents[1] as Buffer, randomBytes(1_500_000), Buffer.from('odd end')]);
    const told: { files: string[][]; stream: string[] }[] = [];
    for (const rig of [threadRig(3), inlineRig()]) {
      const batches = Array.from({ length: 10 }, (_, index) => paths.slice(index * 30, index * 30 + 30));
      const results = await Promise.all(batches.map((batch) => rig.pool.files(batch)));
      const ids = await streamed(rig.pool, stream);
      await rig.pool.flush();
      await rig.pool.close();
      const files = results.flatMap((result) => idsOfFiles(result, 30));
      for (const [index, content] of contents.entries()) expect(Buffer.concat((files[index] as string[]).map((id) => rig.stored.get(id) ?? Buffer.from('?'))).equals(content)).toBe(true);
      expect(Buffer.concat(ids.map((id) => rig.stored.get(id) ?? Buffer.from('?'))).equals(stream)).toBe(true);
      const named = new Set(results.flatMap(({ packs }) => packs));
      for (const pack of named) expect(rig.packs.has(pack)).toBe(true);
      // Threads that learnt of a greater table at different times may store a chunk twice; that is all that it costs.
      const all = [...rig.packs.values()].reduce((sum, count) => sum + count, 0);
      expect(all).toBeGreaterThanOrEqual(rig.stored.size);
      expect(all).toBeLessThan(rig.stored.size * 1.1);
      told.push({ files, stream: ids });
    }
    expect(told[0]).toEqual(told[1]);
  });

  it('a file that takes several readings is whole, under the digest of its bytes, its known parts kept once', async () => {
    const path = join(temporaryFolder(), 'long');
    const part = randomBytes(3_000_000);
    const content = Buffer.concat([part, randomBytes(4_500_000), part, randomBytes(5_000_001)]);
    writeFileSync(path, content);
    const rig = inlineRig();
    const result = await rig.pool.files([fromText(path)]);
    await rig.pool.flush();
    const reader = new ByteReader(result.bodies, 'answer');
    expect(reader.u8()).toBe(0);
    const body = decodeBody(reader.bytes(reader.u32()), 'body');
    if (!isFile(body)) throw new Error('no file');
    expect(Buffer.concat(body.refs.map(({ id }) => rig.stored.get(Buffer.from(id).toString('hex')) ?? Buffer.from('?'))).equals(content)).toBe(true);
    expect(Buffer.from(body.sha256 ?? []).equals(sha256(content))).toBe(true);
    expect(result.counters.readBytes).toBe(content.length);
    expect(result.counters.newBytes).toBeLessThan(content.length - 2_500_000);
  });

  it.each([
    ['dies while it starts', "throw new Error('as the test says')"],
    ['ends by itself', 'process.exit(3)'],
    ['throws later', "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => { throw new Error('as the test says'); })"],
  ])('a thread that %s fails whatever waits for it and everything after', async (_what, code) => {
    const { pool } = threadRig(2, () => new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`)));
    await expect(pool.files([fromText('/dev/null')])).rejects.toThrow();
    await expect(pool.files([fromText('/dev/null')])).rejects.toThrow();
    await pool.close();
  });

  it('what threads finish while the pool is closed is stored by nobody', async () => {
    const path = join(temporaryFolder(), 'file');
    writeFileSync(path, randomBytes(1_000_000));
    const { pool, packs } = threadRig(1);
    const late = [pool.files([fromText(path)]), pool.flush()];
    for (const one of late) one.catch(() => undefined);
    await pool.close();
    expect(packs.size).toBe(0);
  });

  it('a block that a thread could not crunch ends the stream, though its feeder could read on for ever', async () => {
    // The real feeder; every other thread refuses its work.
    const refusing = `import { parentPort } from 'node:worker_threads'; parentPort.on('message', (message) => message === '${END}' ? parentPort.close() : parentPort.postMessage({ type: 'failed', job: message.job, error: { code: 'broken-invariant', message: 'as the test says' } }))`;
    let started = 0;
    const { pool } = threadRig(1, (settings) => (started++ === 0 ? startThread(settings) : new Worker(new URL(`data:text/javascript,${encodeURIComponent(refusing)}`))));
    const fd = openSync('/dev/zero', 'r');
    await expect(pool.stream({ fd, sizes: 'streams' }, () => undefined)).rejects.toMatchObject({ code: 'broken-invariant' });
    await pool.close();
    closeSync(fd);
  });

  it('a stream that cannot be read fails as the source\'s fault, and the next one works', async () => {
    const { pool, stored } = threadRig(1);
    const folder = openSync(temporaryFolder(), 'r');
    // More often than there are buffers.
    for (let turn = 0; turn < 5; turn++) await expect(pool.stream({ fd: folder, sizes: 'streams' }, () => undefined)).rejects.toMatchObject({ code: 'source-failed' });
    closeSync(folder);
    const ids = await streamed(pool, Buffer.from('content'));
    await pool.flush();
    await pool.close();
    expect(stored.get(ids[0] as string)?.toString()).toBe('content');
  });

  it('packs of the tiniest chunks stay within their buffers, directories included, and hold no more chunks than the memory budget allows', () => {
    const buffers = new GrowingBuffers(PACK_SIZES.limitBytes + (1 << 20));
    const lengths: number[] = [];
    const chunks: number[] = [];
    const settings = { ...settingsOf(ChunkTables.create(1 << 20), SharedBuffers.create(1, 1), SharedBuffers.create(1, 1)), packSizes: PACK_SIZES };
    const cruncher = new Cruncher(settings, ({ buffer, length, ids }) => (lengths.push(length), chunks.push(ids.length / 32), buffers.give(buffer)), buffers);
    const refs = new ByteWriter(64);
    for (let index = 0; index < 700_000; index++) {
      cruncher.take(Buffer.from(`file ${index}`), refs);
      refs.reset();
    }
    cruncher.flush();
    expect(lengths.length).toBeGreaterThan(1);
    for (const length of lengths) expect(length).toBeLessThanOrEqual(24 << 20);
    expect(chunks.reduce((sum, count) => sum + count, 0)).toBe(700_000);
    for (const count of chunks) expect(count).toBeLessThan((1 << 16) + (1 << 14));
  });
});
