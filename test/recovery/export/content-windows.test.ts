import { randomBytes } from 'node:crypto';
import { systemClock } from '../../../lib/model/clock.ts';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import { isHoldfastError } from '../../../lib/model/errors.ts';
import { isSnapshotFile, packIdOf } from '../../../lib/repository/index.ts';
import type { SnapshotReader } from '../../../lib/repository/index.ts';
import { readParts } from '../../../lib/recovery/export/content-windows.ts';
import type { Part } from '../../../lib/recovery/export/content-windows.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../../support/fixture-snapshot.ts';

const never = new AbortController().signal;

async function sample() {
  const store = new MemoryStore(systemClock);
  const snapshot = new FixtureSnapshot(store, { frameBytes: 3000, packBytes: 9000 }).directory('');
  const contents = Array.from({ length: 40 }, () => randomBytes(900));
  for (const [index, content] of contents.entries()) await snapshot.file(`f${String(index).padStart(2, '0')}`, content);
  const reader = await snapshot.build();
  return { store, snapshot, contents, reader };
}

async function* wantedParts(reader: SnapshotReader): AsyncGenerator<Part[]> {
  for await (const entry of reader.entries()) {
    if (!isSnapshotFile(entry)) continue;
    yield [Buffer.from(`<${entry.path}>`), ...(await reader.chunksOf(entry)).map((chunk) => ({ path: entry.path, chunk }))];
  }
}

describe('contents in order, packs by range (K9)', () => {
  it('gives every part in its place, and reads each range of a pack once', async () => {
    const { reader, contents, store } = await sample();
    const reads: string[] = [];
    const get = store.get.bind(store);
    store.get = async (name, range) => {
      if (name.includes('/hot/')) reads.push(`${name} ${range?.offset}`);
      return get(name, range);
    };
    const parts = (await Array.fromAsync(readParts(reader, wantedParts(reader), never))).flat();
    expect(Buffer.concat(parts.map(({ content }) => content as Uint8Array)).equals(Buffer.concat(contents.flatMap((content, index) => [Buffer.from(`<f${String(index).padStart(2, '0')}>`), content])))).toBe(true);
    expect(new Set(reads).size).toBe(reads.length);
    // A directory and one range of each pack.
    expect(reads.length).toBe(2 * reader.refs.packs.filter(({ name }) => name.includes('/hot/')).length);
  });

  it('loses what lay in a lost pack and nothing else, each with its reason', async () => {
    const { reader, contents, store, snapshot } = await sample();
    const gone = snapshot.packs[1]?.name as string;
    await store.remove(gone);
    const parts = (await Array.fromAsync(readParts(reader, wantedParts(reader), never))).flat().filter(({ wanted }) => wanted !== undefined);
    const inGone = parts.filter(({ wanted }) => wanted?.chunk.packId === packIdOf(gone));
    expect(inGone.length).toBeGreaterThan(0);
    for (const [index, { wanted, content }] of parts.entries()) {
      if (wanted?.chunk.packId === packIdOf(gone)) expect(isHoldfastError(content)).toBe(true);
      else expect(Buffer.from(content as Uint8Array).equals(contents[index] as Buffer)).toBe(true);
    }
  });

  it('loses of a damaged frame what lay in it', async () => {
    const { reader, store, snapshot } = await sample();
    const name = snapshot.packs[0]?.name as string;
    const get = store.get.bind(store);
    // Byte 100 lies in the first frame; the sealed directory at the end stays as it is.
    store.get = async (wanted, range) => {
      const bytes = Buffer.from(await get(wanted, range));
      if (wanted === name && (range?.offset ?? 0) <= 100) bytes[100 - (range?.offset ?? 0)] = (bytes[100 - (range?.offset ?? 0)] ?? 0) ^ 1;
      return bytes;
    };
    const lost = (await Array.fromAsync(readParts(reader, wantedParts(reader), never))).flat().filter(({ content }) => isHoldfastError(content));
    expect(lost.map(({ wanted }) => wanted?.path)).toEqual(['f00', 'f01', 'f02', 'f03']);
  });

  it('takes a chunk that its pack does not hold for lost', async () => {
    const { reader } = await sample();
    const stranger = async function* (): AsyncGenerator<Part[]> {
      for await (const [, part] of wantedParts(reader)) {
        if (part && !(part instanceof Uint8Array)) return yield [{ path: 'x' as ByteString, chunk: { ...part.chunk, id: randomBytes(32) } }, { path: 'y' as ByteString, chunk: { ...part.chunk, length: 1 } }];
      }
    };
    const parts = (await Array.fromAsync(readParts(reader, stranger(), never))).flat();
    expect(parts.map(({ content }) => isHoldfastError(content, 'damaged'))).toEqual([true, true]);
  });

  it('stops when it is asked to', async () => {
    const { reader } = await sample();
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    await expect(Array.fromAsync(readParts(reader, wantedParts(reader), stop.signal))).rejects.toThrow('enough');
  });
});
