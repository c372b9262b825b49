import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyFile } from '../../lib/keyring/key-file.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { SnapshotReader, encodeMark, encodeRuling, listSnapshots, names, openRepository, readConfig, readDamagedPacks, readVerdicts, rulingNameOf, sha256, standingVerdict } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { executeRestore, outcomeOf as restoreOutcome, planRestore } from '../../lib/recovery/restore.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../lib/retention/prune-state.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { examineHead, verify } from '../../lib/validation/verify.ts';
import { failure } from '../sources/reading.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { DUMP_PLAN, FILES_PLAN, backUpFiles, buildVault, objectsOf, packsOf } from './corruption-vault.ts';
import type { WholeVault } from './corruption-vault.ts';

let vault: WholeVault;

beforeAll(async () => {
  vault = await buildVault(temporaryFolder());
});

/** A copy of the vault on disk, and its repository. */
function copy(): { folder: string; repository: Repository } {
  const folder = join(temporaryFolder(), 'vault');
  cpSync(vault.folder, folder, { recursive: true });
  return { folder, repository: openRepository(openDirectoryStore(folder), vault.config, vault.keys) };
}

function flipOnDisk(folder: string, name: string, at: number): void {
  const bytes = readFileSync(join(folder, name));
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  writeFileSync(join(folder, name), bytes);
}

/** Names and digests of everything in the vault. */
async function storedBytes({ store }: Repository): Promise<Map<string, string>> {
  return new Map([...(await objectsOf(store))].map(([name, bytes]) => [name, sha256(bytes).toString('hex')]));
}

const dataPackOfBase = () => packsOf(vault, baseSnapshot()).filter(({ name }) => name.includes('/hot/')).reduce((best, pack) => (pack.size > best.size ? pack : best)).name;
const baseSnapshot = () => [...vault.contents.keys()].filter((name) => name.includes(FILES_PLAN))[0] as string;
const newestSnapshot = () => [...vault.contents.keys()].filter((name) => name.includes(FILES_PLAN)).at(-1) as string;

describe('what a vault is opened with', () => {
  const slots = () => [...vault.objects.keys()].filter((name) => name.startsWith('keys/'));

  test.each([
    ['missing', (folder: string) => rmSync(join(folder, 'holdfast.json')), 'vault-not-found'],
    ['cut short', (folder: string) => writeFileSync(join(folder, 'holdfast.json'), '{"format":1,'), 'damaged'],
    ['altered in its first byte', (folder: string) => flipOnDisk(folder, 'holdfast.json', 0), 'damaged'],
  ] as const)('holdfast.json %s is named, and what it should say is known from the slots', async (_, change, code) => {
    const { folder } = copy();
    change(folder);
    const store = openDirectoryStore(folder);
    expect((await failure(readConfig(store))).code).toBe(code);
    const { damage, rebuiltConfig } = await examineHead(store, vault.keyFiles[0]);
    expect(damage.map(({ name }) => name)).toEqual(['holdfast.json']);
    expect(damage[0]?.lost).toContain('opens again when holdfast.json is put back');
    expect(rebuiltConfig?.repository).toBe(vault.config.repository);
    expect(await openSlots(store, rebuiltConfig!.repository, vault.keyFiles[0]!)).toMatchObject({ chunker: vault.keys.chunker });
  });

  test('a holdfast.json of another vault, or with a flipped digit of the id, is named and the slots are not blamed', async () => {
    const { folder } = copy();
    const { repository: id } = vault.config;
    const other = (id.startsWith('0') ? '1' : '0') + id.slice(1);
    writeFileSync(join(folder, 'holdfast.json'), readFileSync(join(folder, 'holdfast.json'), 'utf8').replace(id, other));
    const config = await readConfig(openDirectoryStore(folder));
    expect(config.repository).not.toBe(vault.config.repository);
    expect((await failure(openSlots(openDirectoryStore(folder), config.repository, vault.keyFiles[0]!))).code).toBe('damaged');
    expect((await examineHead(openDirectoryStore(folder))).damage.map(({ name }) => name)).toEqual(['holdfast.json']);
  });

  test.each([
    ['cut short', (folder: string, [one]: string[]) => writeFileSync(join(folder, one!), '{')],
    ['under another slot\'s name', (folder: string, [one, other]: string[]) => writeFileSync(join(folder, one!), readFileSync(join(folder, other!)))],
    ['with an altered wrapping', (folder: string, [one]: string[]) => flipOnDisk(folder, one!, readFileSync(join(folder, one!)).indexOf('"meta":"') + 12)],
  ])('a key slot %s is named by verify, and another slot opens everything', async (_, change) => {
    const { folder, repository } = copy();
    const [first, second] = await Promise.all(vault.keyFiles.map(async (key) => (await ownSlot(repository, key)) ?? ''));
    change(folder, [first!, second!]);
    const opened = await openSlots(repository.store, vault.config.repository, vault.keyFiles[1]!);
    const report = await verify(openRepository(repository.store, vault.config, opened), { level: 'structure', clock: systemClock, unlocker: vault.keyFiles[0]! });
    expect(report.damage.map(({ name }) => name)).toEqual([first]);
    expect(report.damage[0]?.lost).toContain('other slots go on');
    expect(report.backups.map(({ result }) => result)).toEqual(['good', 'good', 'good']);
  });

  test('with the last key slot everything is lost, and that is said', async () => {
    const { folder } = copy();
    for (const name of slots()) rmSync(join(folder, name));
    const store = openDirectoryStore(folder);
    expect(await failure(openSlots(store, vault.config.repository, vault.keyFiles[0]!))).toMatchObject({ code: 'damaged', nextStep: expect.stringContaining('the backups are lost') });
    const { damage } = await examineHead(store);
    expect(damage.map(({ name, lost }) => [name, /every backup in this vault is lost/.test(lost)])).toEqual([['keys/', true]]);
  });

  test('a wrong key is told from damage, and nothing is written', async () => {
    const { folder, repository } = copy();
    const before = await storedBytes(repository);
    const wrong = await createKeyFile(join(temporaryFolder(), 'wrong.key'));
    expect((await failure(openSlots(repository.store, vault.config.repository, wrong))).code).toBe('wrong-key');
    const { damage, notes } = await examineHead(openDirectoryStore(folder), wrong);
    expect([damage, notes.map(({ code }) => code)]).toEqual([[], expect.arrayContaining(['key-slot'])]);
    expect(await storedBytes(repository)).toEqual(before);
  });

  test.each(['holdfast.json', 'a key slot'])('%s of a newer format version stops verify before anything is written', async (which) => {
    const { folder, repository } = copy();
    const name = which === 'holdfast.json' ? which : (slots()[0] as string);
    writeFileSync(join(folder, name), readFileSync(join(folder, name), 'utf8').replace('"format":1', '"format":2'));
    const before = await storedBytes(repository);
    expect(await failure(verify(repository, { level: 'full', clock: systemClock }))).toMatchObject({ code: 'unsupported-version', nextStep: expect.stringContaining('newer') });
    expect(await storedBytes(repository)).toEqual(before);
  });

  async function ownSlot(repository: Repository, key: WholeVault['keyFiles'][number]): Promise<string | undefined> {
    for (const name of slots()) {
      const store = { list: async function* () { yield { name, size: 100 }; }, get: (wanted: string) => repository.store.get(wanted) };
      if (await openSlots(store, vault.config.repository, key).then(() => true, () => false)) return name;
    }
    return undefined;
  }
});

test('V1: what is damaged is recorded, restores refuse it alone, the next backup stores it anew, and older ones have it back but for what the source has no more', async () => {
  const { folder, repository } = copy();
  flipOnDisk(folder, dataPackOfBase(), 16 + 100);
  const first = await verify(repository, { level: 'full', clock: systemClock });
  const lost = new Set<string>(first.damage[0]?.touched.find(({ snapshot }) => snapshot === newestSnapshot())?.examples);
  expect(first.damage.map(({ name }) => name)).toEqual([dataPackOfBase()]);
  expect(lost.size).toBeGreaterThan(0);
  expect([...(await readDamagedPacks(repository.store))]).toContain(dataPackOfBase().split('/').at(-1));
  expect(standingVerdict(await readVerdicts(repository, newestSnapshot().split('/')[2]!))).toMatchObject({ result: 'corrupted', level: 'full' });

  const target = join(temporaryFolder(), 'restored');
  const reader = await SnapshotReader.open(repository, newestSnapshot());
  const restored = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none' });
  expect(restoreOutcome(restored)).toBe('damaged');
  expect(new Set<string>(restored.refused.map(({ path }) => path))).toEqual(lost);
  for (const path of vault.contents.get(newestSnapshot())!.keys()) if (/^[\w/.-]+$/.test(path)) expect(existsSync(join(target, path))).toBe(!lost.has(path));

  const next = await backUpFiles(repository, vault.filesFolder);
  const report = await verify(repository, { level: 'full', clock: systemClock });
  expect(report.backups.find(({ snapshot }) => snapshot === next)).toMatchObject({ result: 'good', damaged: [] });
  expect(report.backups.find(({ snapshot }) => snapshot === newestSnapshot())).toMatchObject({ result: 'good', damaged: [] });
  // Of the base the old content of the one file that was changed since is gone.
  expect(report.damage.flatMap(({ touched }) => touched.map(({ snapshot, examples }) => [snapshot, examples]))).toEqual([[baseSnapshot(), ['letters/b.txt']]]);
  const again = join(temporaryFolder(), 'again');
  const healed = await SnapshotReader.open(repository, next);
  expect(restoreOutcome(await executeRestore(healed, await planRestore(healed, { target: again }), { clock: systemClock, fsync: 'none' }))).toBeUndefined();
  for (const name of ['large.bin', 'large-again.bin', 'letters/a.txt']) expect(readFileSync(join(again, name)).equals(readFileSync(join(vault.filesFolder, name)))).toBe(true);
});

test.each(['missing', 'damaged'] as const)('V1: a backup after a %s meta pack of its predecessor stands by itself', async (how) => {
  const { folder, repository } = copy();
  const meta = packsOf(vault, newestSnapshot()).filter(({ name }) => name.includes('/meta/')).map(({ name }) => name);
  for (const name of meta) if (how === 'missing') rmSync(join(folder, name));
  else flipOnDisk(folder, name, 16 + 60);
  await verify(repository, { level: 'full', clock: systemClock });
  const next = await backUpFiles(repository, vault.filesFolder);
  const report = await verify(repository, { level: 'full', clock: systemClock });
  expect(report.backups.find(({ snapshot }) => snapshot === next)?.result).toBe('good');
  expect(report.backups.filter(({ result }) => result === 'corrupted')).toHaveLength(2);
});

test.each([0, 4, 11, -1])('a backup goes on beside a newest manifest that is damaged at byte %i, and reads its source again', async (at) => {
  const { folder, repository } = copy();
  flipOnDisk(folder, newestSnapshot(), at);
  const next = await backUpFiles(repository, vault.filesFolder);
  const report = await verify(repository, { level: 'full', clock: systemClock });
  expect(report.backups.find(({ snapshot }) => snapshot === next)?.result).toBe('good');
  expect(report.damage.map(({ name }) => name)).toEqual([newestSnapshot()]);
});

test('a damaged ruling of prune stops no backup, and nothing under it is deleted', async () => {
  const { folder, repository } = copy();
  const orphan = names.pack('hot', 'ab'.repeat(16), '0123456789abcdef'.repeat(2));
  await repository.store.put(orphan, Buffer.from('needed by nobody'));
  const mark = names.condemned(orphan.split('/').at(-1)!, '01HZZZZZZZZZZZZZZZZZZZZZZZ');
  await repository.store.put(mark, encodeMark(orphan));
  await repository.store.put(rulingNameOf(mark), encodeRuling('doomed'));
  const doomed = async () => planPrune(await readPruneState(repository.store, repository)).deletions.map(({ pack }) => pack);
  expect(await doomed()).toContain(orphan);
  flipOnDisk(folder, rulingNameOf(mark), 24);
  expect(await doomed()).toEqual([]);
  expect(await backUpFiles(repository, vault.filesFolder)).toContain(FILES_PLAN);
});

test('an old state of the vault served as the newest is noted when somebody outside knows better', async () => {
  const { folder, repository } = copy();
  const newest = newestSnapshot();
  const [, plan, backup] = newest.split('/') as [string, string, string];
  for (const name of [newest, `${newest.replace('snapshots/', 'refs/')}.0`]) rmSync(join(folder, name));
  rmSync(join(folder, 'verdicts', backup), { recursive: true });
  const alone = await verify(repository, { level: 'structure', clock: systemClock });
  expect(alone.damage).toEqual([]);
  const report = await verify(repository, { level: 'structure', clock: systemClock, knownNewest: [{ plan, backup, sequence: 3 }] });
  expect(report.notes.filter(({ code }) => code === 'rolled-back').map(({ message }) => message)).toEqual([expect.stringContaining(`${backup} (number 3) was made, and the vault shows number 2 as the newest`)]);
});

test('a withheld snapshot is named by its verdicts or by its successor', async () => {
  const { folder, repository } = copy();
  for (const name of [newestSnapshot(), baseSnapshot()]) rmSync(join(folder, name));
  const report = await verify(repository, { level: 'structure', clock: systemClock });
  expect(report.damage.map(({ name }) => name).sort()).toEqual([baseSnapshot(), newestSnapshot()].sort());
  expect((await listSnapshots(repository.store)).map(({ name }) => name)).toEqual([expect.stringContaining(DUMP_PLAN)]);
});
