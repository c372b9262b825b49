import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeyFile } from '../../lib/keyring/key-file.ts';
import type { KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { passphraseWrapper } from '../../lib/keyring/passphrase.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { executeRestore, outcomeOf, planRestore } from '../../lib/recovery/restore.ts';
import { SnapshotReader, names, readConfig, readRefs, readVerdicts, standingVerdict } from '../../lib/repository/index.ts';
import { describeTree } from '../../scripts/vectors/source-tree.ts';
import type { ExpectedEntry } from '../../scripts/vectors/source-tree.ts';
import type { Tolerated } from '../../scripts/vectors/kinds-cases.ts';
import type { KindsBackup } from '../../scripts/vectors/v1-kinds.ts';
import { FrozenVault, comparable, describeBackup, linkGroups, openFrozen, readBackups, readEverything, unlockerOf } from './frozen-vault.ts';
import type { ExpectedBackup } from './frozen-vault.ts';

const SETS = ['v1', 'v1-kinds'] as const;
const V1 = new FrozenVault('v1');
const KINDS = new FrozenVault('v1-kinds');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-vectors-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(SETS)('the frozen vault %s', (set) => {
  const vectors = set === 'v1' ? V1 : KINDS;
  const { expected, mustFail } = vectors;
  let key: KeyWrapper;
  beforeAll(async () => {
    mkdirSync(join(folder, set));
    key = await readKeyFile(vectors.copyKey('holdfast.key', join(folder, set)));
  });

  it.each(expected.backups)('gives every entry and every byte of backup $backup ($cipher, key number $keyNumber)', async ({ backup, plan, cipher, keyNumber, entries }) => {
    const store = await vectors.store();
    const repository = await openFrozen(store, key);
    expect(repository.config.repository).toBe(expected.repository);
    const name = names.snapshot(plan, backup);
    const stamp = await store.get(name);
    expect([stamp[5], stamp[11]]).toEqual([cipher === 'aes-256-gcm' ? 1 : 2, keyNumber]);
    const found = await describeBackup(await SnapshotReader.open(repository, name));
    expect(comparable(found)).toEqual(comparable(entries));
    expect(linkGroups(found)).toEqual(linkGroups(entries));
  });

  it.each(expected.backups.filter(({ entries }) => isOneTree(entries)))('restores backup $backup to the tree that was backed up', async ({ backup, plan, entries }) => {
    const target = join(folder, set, backup);
    const reader = await SnapshotReader.open(await openFrozen(await vectors.store(), key), names.snapshot(plan, backup));
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, restoreOwner: false });
    expect(outcomeOf(report)).toBeUndefined();
    const restored = describeTree(target);
    expect(comparable(restored)).toEqual(comparable(entries.map(({ sparse: _, xattrs: __, ...entry }) => entry)));
    expect(linkGroups(restored)).toEqual(linkGroups(entries));
  });

  it('unchanged is read to its last byte', async () => {
    await readEverything(await vectors.store(), key);
  });

  it.each(mustFail)('is refused with $title', async ({ patches, code, says }) => {
    const error = await readEverything(await vectors.store(patches), key).then(() => undefined, (thrown: unknown) => thrown);
    expect(isHoldfastError(error)).toBe(true);
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
    expect((error as Error).message).not.toContain('\n');
  });

  it.each(mustFail.filter(({ title }) => / path|NUL|256 bytes/.test(title)))('with $title restores nothing', async ({ title, patches }) => {
    const around = join(folder, set, title.replaceAll('/', ' '));
    mkdirSync(join(around, 'target'), { recursive: true });
    const name = patches.find(({ object }) => object.startsWith('snapshots/'))?.object as string;
    const reader = await SnapshotReader.open(await openFrozen(await vectors.store(patches), key), name);
    const report = await executeRestore(reader, await planRestore(reader, { target: join(around, 'target') }), { clock: systemClock, restoreOwner: false });
    expect(report.treeDamage.map(({ error }) => error.code)).toEqual(['damaged']);
    // What stands in the base where the delta cannot be read may have been replaced: it is left out too.
    expect(readdirSync(around, { recursive: true })).toEqual(['target']);
  });
});

describe('the frozen vault v1', () => {
  it('opens with its key file and with its passphrase, to the same keys', async () => {
    const store = await V1.store();
    const config = await readConfig(store);
    const key = await readKeyFile(join(folder, 'v1', 'holdfast.key'));
    const [byFile, byPassphrase] = [await openSlots(store, config.repository, key), await openSlots(store, config.repository, passphraseWrapper(V1.expected.passphrase ?? ''))];
    expect({ ...byFile, slots: [] }).toEqual({ ...byPassphrase, slots: [] });
    expect(byFile).toMatchObject({ newestNumber: 2, problems: [], pairs: [{ number: 1 }, { number: 2 }] });
  });

  it('has a backup with a delta that names its predecessor', async () => {
    const store = await V1.store();
    const repository = await openFrozen(store, await readKeyFile(join(folder, 'v1', 'holdfast.key')));
    const [first, second] = V1.expected.backups as [ExpectedBackup, ExpectedBackup];
    const { manifest } = await SnapshotReader.open(repository, names.snapshot(second.plan, second.backup));
    const digest = createHash('sha256').update(await store.get(names.snapshot(first.plan, first.backup))).digest('hex');
    expect(manifest).toMatchObject({ sequence: 2, predecessors: [{ backup: first.backup, sha256: digest }] });
  });
});

describe('the frozen vault v1-kinds', () => {
  const { keys = [] } = KINDS.expected;
  const backups = KINDS.expected.backups as readonly KindsBackup[];

  it.each(keys)('opens as far as it should ($opens) with $about', async (key) => {
    const store = await KINDS.store();
    const opening = openFrozen(store, await unlockerOf(KINDS, key, folder));
    if (key.opens === 'none') return expect(opening).rejects.toMatchObject({ code: 'wrong-key' });
    const { opened } = KINDS.json('expected.json') as { opened: { chunker: string; pairs: { number: number; meta: string; data: string }[] } };
    const { keys: found } = (await opening).keys;
    const pairs = opened.pairs.map(({ number, meta, data }) => ({ number, meta, ...(key.opens === 'all' && { data }) }));
    expect({ chunker: hex(found.chunker), pairs: found.pairs.map(({ number, meta, data }) => ({ number, meta: hex(meta), ...(data && { data: hex(data) }) })) }).toEqual({ chunker: opened.chunker, pairs });
    if (key.opens === 'all') return readBackups(await opening);
    await expect(readBackups(await opening)).rejects.toMatchObject({ code: 'wrong-key', message: expect.stringContaining('opens metadata only') });
  });

  it.each(backups)('holds what it says of backup $backup: $shows', async ({ plan, planName, backup, sequence, refsRevision, hasDelta, standing, ...rest }) => {
    const repository = await openFrozen(await KINDS.store(), await unlockerOf(KINDS, keys[0]!, folder));
    const { manifest } = await SnapshotReader.open(repository, names.snapshot(plan, backup));
    const refs = await readRefs(repository, manifest);
    expect({ planName: manifest.planName, sequence: manifest.sequence, hasDelta: manifest.tree.delta !== null, refsRevision: refs.revision }).toEqual({ planName, sequence, hasDelta, refsRevision });
    expect(refs.packs.map(({ name }) => name.split('/')[1])).toEqual(expect.arrayContaining([rest.class, 'meta']));
    expect(standingVerdict(await readVerdicts(repository, backup))?.result).toBe(standing);
  });

  it.each(KINDS.json('tolerated.json') as Tolerated[])('reads on with $title', async ({ patches }) => {
    const repository = await openFrozen(await KINDS.store(patches), await unlockerOf(KINDS, keys[0]!, folder));
    for (const { plan, backup, entries } of backups) expect(comparable(await describeBackup(await SnapshotReader.open(repository, names.snapshot(plan, backup))))).toEqual(comparable(entries));
  });
});

/** Backed up as one folder: its restore is that folder. */
function isOneTree(entries: readonly ExpectedEntry[]): boolean {
  return entries.some(({ path }) => path === '');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
