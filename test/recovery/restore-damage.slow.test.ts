import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { FLAG, SnapshotReader, openRepository } from '../../lib/repository/index.ts';
import { executeRestore, outcomeOf, planRestore } from '../../lib/recovery/restore.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const workerUrl = join(__dirname, '../../lib/recovery/worker.ts');

interface Vault {
  readonly snapshot: FixtureSnapshot;
  readonly reader: SnapshotReader;
  readonly store: MemoryStore;
  readonly contents: ReadonlyMap<string, Buffer>;
}

async function vault(): Promise<Vault> {
  const store = new MemoryStore(systemClock);
  const snapshot = new FixtureSnapshot(store, { frameBytes: 4000, packBytes: 12_000, treeChunkBytes: 700 }).directory('').directory('d');
  const contents = new Map<string, Buffer>();
  for (let index = 0; index < 60; index++) {
    const parts = Array.from({ length: index % 3 === 0 ? 3 : 1 }, () => randomBytes(700));
    const path = `d/f${String(index).padStart(2, '0')}`;
    contents.set(path, Buffer.concat(parts));
    await snapshot.file(path, parts);
  }
  return { snapshot, reader: await snapshot.build(), store, contents };
}

async function replace(store: MemoryStore, name: string, change: (bytes: Uint8Array) => Uint8Array | undefined): Promise<void> {
  const changed = change(await store.get(name));
  await store.remove(name);
  if (changed) await store.put(name, changed);
}

/** Reads the manifest again from the changed vault. */
async function reopened({ snapshot, reader, store }: Vault): Promise<SnapshotReader> {
  const { repository } = snapshot;
  return SnapshotReader.open(openRepository(store, repository.config, repository.keys.keys), `snapshots/${reader.manifest.plan}/${reader.manifest.backup}`);
}

const DAMAGES: [string, (bytes: Uint8Array) => Uint8Array | undefined][] = [
  ['removed', () => undefined],
  ['cut short', (bytes) => bytes.slice(0, bytes.length >> 1)],
  ['one byte of a frame flipped', (bytes) => flip(bytes, 16 + 2000)],
  ['one byte of the directory flipped', (bytes) => flip(bytes, bytes.length - 40)],
  ['the footer zeroed', (bytes) => Uint8Array.from(bytes).fill(0, bytes.length - 16)],
];

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

describe.each([
  ['inline', {}],
  ['in threads', { workerUrl, threads: 2 }],
])('damage in the vault, restored %s', (_how, options) => {
  it.each(DAMAGES)('a data pack with %s refuses the files it touches and nothing else', async (_what, change) => {
    const before = await vault();
    await replace(before.store, before.snapshot.packs[1]?.name as string, change);
    const target = temporaryFolder();
    const reader = await reopened(before);
    const plan = await planRestore(reader, { target });
    // Threads are passed over for small restores; this one is to use them.
    const report = await executeRestore(reader, { ...plan, totals: { ...plan.totals, create: { entries: 62, files: 60, bytes: 1 << 30 } } }, { clock: systemClock, fsync: 'none', ...options });
    expect(outcomeOf(report)).toBe('damaged');
    const refused = new Set(report.refused.map((entry) => entry.path as string));
    expect(refused.size).toBeGreaterThan(1);
    expect(refused.size).toBeLessThan(40);
    expect(report.refused.every(({ kind, reason }) => kind === 'damaged' && reason.includes(before.snapshot.packs[1]?.name as string))).toBe(true);
    for (const [path, content] of before.contents) {
      if (refused.has(path)) expect(existsSync(join(target, path))).toBe(false);
      else expect(readFileSync(join(target, path)).equals(content)).toBe(true);
    }
    expect(readdirSync(join(target, 'd')).length).toBe(60 - refused.size);
  });
});

describe('damage in the tree', () => {
  it('a lost tree chunk is told as a range of paths, and what lies in others is restored', async () => {
    const before = await vault();
    const meta = before.snapshot.metaPacks[1] ?? before.snapshot.metaPacks[0];
    await replace(before.store, meta?.name as string, (bytes) => flip(bytes, 16 + 100));
    const reader = await reopened(before);
    const target = temporaryFolder();
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none' });
    expect(outcomeOf(report)).toBe('damaged');
    expect(report.treeDamage.length).toBeGreaterThan(0);
    expect(report.restored.files).toBeGreaterThan(10);
    for (const name of readdirSync(join(target, 'd'))) expect(readFileSync(join(target, 'd', name)).equals(before.contents.get(`d/${name}`) as Buffer)).toBe(true);
  });

  it('where the delta is lost the base is not passed off as the present state', async () => {
    const store = new MemoryStore(systemClock);
    const snapshot = new FixtureSnapshot(store, { packBytes: 1, frameBytes: 1, treeChunkBytes: 1 }).directory('');
    for (const name of ['a', 'b', 'c', 'd']) await snapshot.file(name, `old ${name}`);
    snapshot.inDelta();
    for (const name of ['b', 'c']) await snapshot.file(name, `new ${name}`);
    const reader = await snapshot.build();
    const lost = reader.manifest.tree.delta?.chunks[1];
    await store.remove(snapshot.metaPacks.find(({ name }) => name.endsWith(lost?.pack as string))?.name as string);
    const target = temporaryFolder();
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none' });
    expect(outcomeOf(report)).toBe('damaged');
    expect(report.treeDamage.map(({ from }) => from)).toEqual(['c']);
    expect(readdirSync(target).map((name) => readFileSync(join(target, name), 'utf8')).sort()).toEqual(['new b', 'old a']);
  });

  it('nothing extra is deleted while a part of the tree cannot be read', async () => {
    const before = await vault();
    const target = temporaryFolder();
    await executeRestore(before.reader, await planRestore(before.reader, { target }), { clock: systemClock, fsync: 'none' });
    await replace(before.store, before.snapshot.metaPacks[0]?.name as string, (bytes) => flip(bytes, 16 + 100));
    const reader = await reopened(before);
    const plan = await planRestore(reader, { target, deleteExtra: true });
    expect(plan.treeDamage.length).toBeGreaterThan(0);
    expect(plan.totals['delete-extra'].entries).toBe(0);
    await executeRestore(reader, plan, { clock: systemClock, fsync: 'none' });
    expect(readdirSync(join(target, 'd')).length).toBe(60);
  });

  it('a lost list of chunks refuses that file alone', async () => {
    const store = new MemoryStore(systemClock);
    const snapshot = new FixtureSnapshot(store, { packBytes: 1, frameBytes: 1 }).directory('');
    await snapshot.file('long', [randomBytes(500), randomBytes(500)], { isListed: true });
    await snapshot.file('other', 'fine');
    const reader = await snapshot.build();
    await store.remove(snapshot.metaPacks[0]?.name as string);
    const target = temporaryFolder();
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none' });
    expect(report.refused.map(({ path, kind }) => [path, kind])).toEqual([['long', 'damaged']]);
    expect(readdirSync(target)).toEqual(['other']);
  });

  it('other names of a damaged hard-linked file are refused with it', async () => {
    const store = new MemoryStore(systemClock);
    const snapshot = new FixtureSnapshot(store).directory('');
    for (const name of ['a', 'b']) await snapshot.file(name, 'same', { flags: FLAG.linked, linkGroup: Buffer.alloc(16, 1) });
    const reader = await snapshot.build();
    await store.remove(snapshot.packs[0]?.name as string);
    const target = temporaryFolder();
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none' });
    expect(report.refused.map(({ path, kind }) => [path, kind])).toEqual([['a', 'damaged'], ['b', 'damaged']]);
    expect(readdirSync(target)).toEqual([]);
  });

  it('a store that does not answer ends the restore instead of being called damage', async () => {
    const before = await vault();
    const reader = await reopened(before);
    const get = before.store.get.bind(before.store);
    before.store.get = async (name, range) => {
      // Frames, not directories: those lie at the end.
      if (name.includes('/hot/') && range?.offset === 16) throw new HoldfastError('unavailable', 'no answer');
      return get(name, range);
    };
    await expect(executeRestore(reader, await planRestore(reader, { target: temporaryFolder() }), { clock: systemClock, fsync: 'none' })).rejects.toMatchObject({ code: 'unavailable' });
  });
});
