import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeyFile } from '../../lib/keyring/key-file.ts';
import type { KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { passphraseWrapper } from '../../lib/keyring/passphrase.ts';
import { toBytes } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { executeRestore, outcomeOf, planRestore } from '../../lib/recovery/restore.ts';
import { ChunkReader, ENTRY, SnapshotReader, directoryOf, isSnapshotFile, listSnapshots, names, openIndex, openJson, openRepository, readConfig } from '../../lib/repository/index.ts';
import type { Repository, SnapshotEntry } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { MustFail, Patch } from '../../scripts/vectors/must-fail.ts';
import { describeTree } from '../../scripts/vectors/source-tree.ts';
import type { ExpectedEntry } from '../../scripts/vectors/source-tree.ts';

interface ExpectedBackup {
  readonly backup: string;
  readonly plan: string;
  readonly cipher: string;
  readonly keyNumber: number;
  readonly entries: readonly ExpectedEntry[];
}

const V1 = join(__dirname, 'v1');
const expected = readJson('expected.json') as { repository: string; passphrase: string; backups: ExpectedBackup[] };
const mustFail = readJson('must-fail.json') as MustFail[];
const stored = readVault(join(V1, 'vault'), '');

let folder: string;
let key: KeyWrapper;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-vectors-'));
  // A checkout makes files that others may read; such a key file is refused.
  copyFileSync(join(V1, 'holdfast.key'), join(folder, 'key'));
  chmodSync(join(folder, 'key'), 0o600);
  key = await readKeyFile(join(folder, 'key'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the frozen vault of format version 1', () => {
  it('opens with its key file and with its passphrase, to the same keys', async () => {
    const store = await vault();
    const config = await readConfig(store);
    expect(config.repository).toBe(expected.repository);
    const [byFile, byPassphrase] = [await openSlots(store, config.repository, key), await openSlots(store, config.repository, passphraseWrapper(expected.passphrase))];
    expect(byFile).toEqual(byPassphrase);
    expect(byFile).toMatchObject({ newestNumber: 2, problems: [], pairs: [{ number: 1 }, { number: 2 }] });
  });

  it.each(expected.backups)('gives every entry and every byte of backup $backup ($cipher, key number $keyNumber)', async ({ backup, plan, cipher, keyNumber, entries }) => {
    const store = await vault();
    const repository = await open(store);
    const name = names.snapshot(plan, backup);
    const stamp = await store.get(name);
    expect([stamp[5], stamp[11]]).toEqual([cipher === 'aes-256-gcm' ? 1 : 2, keyNumber]);
    const reader = await SnapshotReader.open(repository, name);
    const found = await describeBackup(repository, reader);
    expect(found.map(withoutLink)).toEqual([...entries].sort(byPath).map(withoutLink));
    expect(linkedPaths(found)).toEqual(linkedPaths(entries));
  });

  it('has a backup with a delta that names its predecessor', async () => {
    const store = await vault();
    const repository = await open(store);
    const [first, second] = expected.backups as [ExpectedBackup, ExpectedBackup];
    const { manifest } = await SnapshotReader.open(repository, names.snapshot(second.plan, second.backup));
    const digest = createHash('sha256').update(await store.get(names.snapshot(first.plan, first.backup))).digest('hex');
    expect(manifest).toMatchObject({ sequence: 2, predecessors: [{ backup: first.backup, sha256: digest }] });
  });

  it.each(expected.backups.slice(0, 2))('restores backup $backup to the tree that was backed up', async ({ backup, plan, entries }) => {
    const target = join(folder, backup);
    const reader = await SnapshotReader.open(await open(await vault()), names.snapshot(plan, backup));
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, restoreOwner: false });
    expect(outcomeOf(report)).toBeUndefined();
    expect(describeTree(target).sort(byPath)).toEqual([...entries].sort(byPath));
  });
});

describe('a changed vault of format version 1 is refused:', () => {
  it('unchanged it is not', async () => {
    await readEverything(await vault());
  });

  it.each(mustFail)('$title', async ({ patches, code, says }) => {
    const error = await readEverything(await vault(patches)).then(() => undefined, (thrown: unknown) => thrown);
    expect(isHoldfastError(error)).toBe(true);
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
    expect((error as Error).message).not.toContain('\n');
  });

  it.each(mustFail.filter(({ title }) => / path|NUL|256 bytes/.test(title)))('$title, and a restore touches nothing', async ({ title, patches }) => {
    const around = join(folder, title);
    mkdirSync(join(around, 'target'), { recursive: true });
    const name = patches.find(({ object }) => object.startsWith('snapshots/'))?.object as string;
    const reader = await SnapshotReader.open(await open(await vault(patches)), name);
    const report = await executeRestore(reader, await planRestore(reader, { target: join(around, 'target') }), { clock: systemClock, restoreOwner: false });
    expect(report.treeDamage.map(({ error }) => error.code)).toEqual(['damaged']);
    expect(readdirSync(around, { recursive: true })).toEqual(['target']);
  });
});

/** Reads all that a vault holds, object by object and backup by backup, and believes nothing. */
async function readEverything(store: MemoryStore): Promise<void> {
  const repository = await open(store);
  for await (const { name } of store.list('')) {
    const bytes = await store.get(name);
    if (name.startsWith('packs/')) directoryOf(repository.keys, name, bytes);
    if (name.startsWith('index/')) openIndex(repository.keys, name, bytes);
    if (name.startsWith('verdicts/')) openJson(repository.keys, 'verdict', name, bytes);
  }
  for (const { name } of await listSnapshots(store)) await describeBackup(repository, await SnapshotReader.open(repository, name));
}

async function open(store: MemoryStore): Promise<Repository> {
  const config = await readConfig(store);
  return openRepository(store, config, await openSlots(store, config.repository, key));
}

async function describeBackup(repository: Repository, reader: SnapshotReader): Promise<ExpectedEntry[]> {
  const chunks = new ChunkReader(repository.store, repository.keys, 'frame', async (name) => (await repository.store.stat(name)).size);
  const found: ExpectedEntry[] = [];
  const groups = new Map<string, number>();
  for await (const entry of reader.entries()) {
    const common = { path: toBytes(entry.path).toString('base64'), mode: entry.mode, mtime: `${entry.mtimeSeconds}.${String(entry.mtimeNanoseconds).padStart(9, '0')}` };
    if (!isSnapshotFile(entry)) found.push({ ...common, ...describeOther(entry) });
    else {
      const hash = createHash('sha256');
      for (const { id, packId } of await reader.chunksOf(entry)) hash.update((await chunks.read(reader.pack(packId).name, id)) ?? 'absent');
      const group = entry.linkGroup && Buffer.from(entry.linkGroup).toString('hex');
      if (group !== undefined && !groups.has(group)) groups.set(group, groups.size + 1);
      const link = group === undefined ? {} : { link: groups.get(group) as number };
      found.push({ ...common, type: entry.type === ENTRY.stream ? 'stream' : 'file', size: entry.size, sha256: hash.digest('hex'), ...link });
    }
  }
  return found.sort(byPath);
}

function describeOther(entry: SnapshotEntry): Pick<ExpectedEntry, 'type' | 'target'> {
  if (entry.type === ENTRY.symlink) return { type: 'symlink', target: toBytes(entry.target).toString('base64') };
  return { type: entry.type === ENTRY.directory ? 'directory' : 'fifo' };
}

/** Streams have the time at which they were read; the vectors do not know it. */
function withoutLink({ link: _link, mtime, ...rest }: ExpectedEntry): object {
  return rest.type === 'stream' ? rest : { ...rest, mtime };
}

function linkedPaths(entries: readonly ExpectedEntry[]): string[] {
  return entries.filter(({ link }) => link !== undefined).map(({ path }) => path).sort();
}

function byPath(left: ExpectedEntry, right: ExpectedEntry): number {
  return Buffer.from(left.path, 'base64').compare(Buffer.from(right.path, 'base64'));
}

async function vault(patches: readonly Patch[] = []): Promise<MemoryStore> {
  const objects = new Map(stored);
  for (const patch of patches) applyPatch(objects, patch);
  const store = new MemoryStore({ now: () => 1_700_000_000_000 });
  for (const [name, bytes] of objects) await store.put(name, bytes);
  return store;
}

function applyPatch(objects: Map<string, Buffer>, patch: Patch): void {
  const before = stored.get(patch.object) ?? Buffer.alloc(0);
  if ('remove' in patch) return void objects.delete(patch.object);
  if ('bytes' in patch) return void objects.set(patch.object, Buffer.from(patch.bytes, 'base64'));
  if ('contentOf' in patch) return void objects.set(patch.object, stored.get(patch.contentOf) as Buffer);
  if ('truncate' in patch) return void objects.set(patch.object, before.subarray(0, patch.truncate));
  if ('json' in patch) return void objects.set(patch.object, Buffer.from(JSON.stringify({ ...(JSON.parse(before.toString()) as object), ...patch.json })));
  const flipped = Buffer.from(before);
  flipped[patch.flip] = (flipped[patch.flip] as number) ^ 1;
  objects.set(patch.object, flipped);
}

function readVault(root: string, prefix: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of readdirSync(join(root, prefix), { withFileTypes: true })) {
    const name = `${prefix}${entry.name}`;
    if (entry.isFile()) found.set(name, readFileSync(join(root, name)));
    else for (const [inner, bytes] of readVault(root, `${name}/`)) found.set(inner, bytes);
  }
  return found;
}

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(join(V1, name), 'utf8'));
}
