import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { entriesOnDisk } from './entries-on-disk.ts';
import { PythonReader } from './python-reader.ts';
import type { ReadEntry } from './python-reader.ts';
import { SETS, VECTORS, argumentsOf, frozen, patched, vaultSet } from './vector-sets.ts';
import type { ExpectedBackup, ExpectedEntry, ExpectedKey, ExpectedWalFile, MustFail, PatchedVault } from './vector-sets.ts';

interface ListedBackup extends Required<Omit<ExpectedBackup, 'entries'>> {}

const vaults = SETS.filter((set) => existsSync(join(VECTORS, set, 'vault')));
const reader = new PythonReader();

afterAll(() => reader.stop());

// Frozen beside the vaults, and no vaults: what is in an entry is the source's (test/vectors/kafka.test.ts).
const OF_SOURCES = ['kafka-v1'];

test('every set of vectors is read here or with the frozen slots', () => {
  expect(vaults).toEqual(expect.arrayContaining(['v1', 'v1-kinds']));
  expect([...vaults, ...OF_SOURCES, 'kms-slots', 'recipient-slots'].sort()).toEqual([...SETS].sort());
});

describe.each(vaults)('%s, read by what knows the document alone', (set) => {
  const vault = join(VECTORS, set, 'vault');
  const { keys, backups, repository, opened, latest, wal = [] } = vaultSet(set);
  const holdfastKey = ['--key-file', join(VECTORS, set, 'holdfast.key')];
  const given = (opens: ExpectedKey['opens']) => keys.filter((key) => key.opens === opens).map((key) => ({ about: key.about, key }));

  test.each(given('all'))('$about opens it, and every entry is what the source had (K10)', async ({ key }) => {
    for (const { backup, entries } of backups) {
      const read = await reader.read<ReadEntry>([vault, 'entries', backup, ...argumentsOf(set, key)]);
      expect(read.map(asExpected)).toEqual(entries);
    }
  });

  for (const { about, key } of given('meta')) test(`${about}: it lists entries and reads no content (K8)`, async () => {
    const args = argumentsOf(set, key);
    for (const { backup, entries } of backups) {
      const names = await reader.read<ReadEntry>([vault, 'names', backup, ...args]);
      expect(names.map(asExpected)).toEqual(entries.map(({ sha256: _sha256, ...entry }) => entry));
      expect((await reader.ask([vault, 'entries', backup, ...args])).refusal).toMatchObject({ code: 'wrong-key' });
    }
  });

  test.each(given('none'))('$about opens nothing', async ({ key }) => {
    expect((await reader.ask([vault, 'list', ...argumentsOf(set, key)])).refusal).toMatchObject({ code: 'wrong-key' });
  });

  test('each key opens the slots that are its own, to the keys that everyone gets (K8)', async () => {
    for (const key of keys) {
      for (const slot of key.slots) {
        const { meta, data } = opened?.pairs.find(({ number }) => slot.startsWith(`keys/${number}/`)) ?? {};
        const read = await reader.read(['slot', join(vault, slot), '--repository', repository, ...argumentsOf(set, key)]);
        expect(read).toEqual([{ chunker: opened?.chunker, meta, ...(key.opens === 'all' && { data }) }]);
      }
    }
  });

  test('every backup is listed with its standing, every object keeps the musts of the document (K10)', async () => {
    const listed = await reader.read<ListedBackup>([vault, 'list', ...holdfastKey]);
    expect(listed).toMatchObject(backups.map(({ backup, plan, planName, sequence, refsRevision, hasDelta, standing }) => JSON.parse(JSON.stringify({ backup, plan, planName, sequence, refsRevision, hasDelta, standing })) as object));
    expect(listed).toHaveLength(backups.length);
    if (latest !== undefined) expect(listed.findLast(({ standing }) => standing === 'good')?.backup).toBe(latest);
    expect(await reader.read([vault, 'check', ...holdfastKey])).toMatchObject([{ backups: backups.length, entries: backups.flatMap(({ entries }) => entries).length }]);
  });

  test('every file of WAL is what PostgreSQL archived, and there is no other (S2)', async () => {
    const read = await reader.read<ExpectedWalFile>([vault, 'wal', ...holdfastKey]);
    const wanted = wal.map(({ names, kind, segmentBytes, sizeBytes, sha256 }) => ({ names, kind, segmentBytes, sizeBytes, sha256 }));
    expect(byName(read)).toEqual(byName(wanted));
  });

  test('what it restores is on disk as the source had it (K10)', async () => {
    for (const { backup, entries } of backups) {
      const target = join(temporaryFolder(), backup);
      expect(await reader.read([vault, 'restore', backup, target, ...holdfastKey])).toEqual([{ backup, restored: target, left: 0 }]);
      const wanted = entries.map(({ sparse: _sparse, xattrs: _xattrs, ...entry }) => ({ ...entry, type: entry.type === 'stream' ? 'file' : entry.type }));
      expect(entriesOnDisk(target, wanted)).toEqual(wanted);
    }
  });

  test.each(frozen<readonly MustFail[]>(set, 'must-fail.json'))('$title: refused as $code (K10)', async (row) => {
    const { refusal } = await reader.ask([patched(set, row), 'check', ...holdfastKey]);
    expect(refusal).toMatchObject({ code: row.code, message: expect.stringContaining(row.says) });
  });

  for (const row of frozen<readonly PatchedVault[]>(set, 'tolerated.json', [])) test(`${row.title}: every backup is still read (K10)`, async () => {
    const copy = patched(set, row);
    for (const { backup, entries } of backups) {
      const read = await reader.read<ReadEntry>([copy, 'entries', backup, ...holdfastKey]);
      expect(read.map(asExpected)).toEqual(entries);
    }
  });
});

/** The facts that vectors tell: owners are those of the machine that made them, and the time of a stream that of its run. */
function asExpected({ uid: _uid, gid: _gid, flags: _flags, mtime, ...entry }: ReadEntry): ExpectedEntry {
  return { ...entry, ...(entry.type !== 'stream' && { mtime }) };
}

function byName(files: readonly ExpectedWalFile[]): readonly ExpectedWalFile[] {
  return files.toSorted((left, right) => ((left.names[0] ?? '') < (right.names[0] ?? '') ? -1 : 1));
}
