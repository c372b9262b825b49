import { systemClock } from '../../../lib/model/clock.ts';
import { openRepository } from '../../../lib/repository/index.ts';
import type { Repository } from '../../../lib/repository/index.ts';
import { removeDeadIndexes } from '../../../lib/retention/dead-indexes.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { planIndexes, readIndexState } from '../../../lib/validation/healing/index-plan.ts';
import { executeIndexRepair } from '../../../lib/validation/healing/repair-index.ts';
import { verify } from '../../../lib/validation/verify.ts';
import { TEST_KEYS, TEST_WRITER, objectNames } from '../../support/run-backup.ts';
import { Killed, killedAt } from '../../support/vault.ts';
import { WoundedVault, flipped, tamper } from '../../support/wounded-vault.ts';

const newVault = () => WoundedVault.begin(new MemoryStore(systemClock));
const repair = async (repository: Repository) => executeIndexRepair(planIndexes(await readIndexState(repository)), repository);

async function notes({ repository }: WoundedVault): Promise<string[]> {
  return (await verify(repository, { level: 'structure', clock: systemClock })).notes.map(({ code }) => code);
}

test('V1: a vault whose indexes are whole is left alone', async () => {
  const vault = await newVault();
  expect(planIndexes(await readIndexState(vault.repository))).toEqual({ objects: [], unreadable: [] });
});

test.each([['flipped', flipped(200)], ['flipped in a reserved byte of its head, where it opens all the same', flipped(7)], ['cut short', (bytes: Buffer) => bytes.subarray(0, 20)], ['empty', () => Buffer.alloc(0)]] as const)('V1: an index that is %s is named by verify, made again from its packs with the meta key alone, and told no more', async (_what, change) => {
  const vault = await newVault();
  const [index] = await objectNames(vault.store, 'index/');
  await tamper(vault.store, index!, change);
  expect(await vault.damagedNames('structure')).toEqual([index]);
  const { data: _data, ...pair } = TEST_KEYS.pairs[0]!;
  const metaOnly = openRepository(vault.store, vault.repository.config, { ...TEST_KEYS, pairs: [pair] });
  expect(await repair(metaOnly)).toMatchObject({ superseded: 1, packs: 3, chunks: 7 });
  expect(await vault.damagedNames()).toEqual([]);
  expect(await notes(vault)).not.toContain('not-indexed');
  expect(planIndexes(await readIndexState(vault.repository)).objects).toEqual([]);
});

test('V1: all indexes lost are made again, and a full backup finds every chunk by them', async () => {
  const vault = await newVault();
  for (const name of await objectNames(vault.store, 'index/')) await tamper(vault.store, name, () => undefined);
  expect(await notes(vault)).toContain('not-indexed');
  const { written } = await repair(vault.repository);
  expect(written).toEqual([expect.stringContaining(`index/${TEST_WRITER.id}/`)]);
  expect(await notes(vault)).not.toContain('not-indexed');
  // Adopting packs by their directories would store an index of its own.
  const indexes = await objectNames(vault.store, 'index/');
  expect((await vault.backUp(vault.repository, 'full')).manifest.statistics).toMatchObject({ readBytes: 112_000, newBytes: 0 });
  expect(await objectNames(vault.store, 'index/')).toEqual(indexes);
});

test.each([200, 7])('V1: the next backup that finds something new makes an index with a wrong byte %i again by itself', async (at) => {
  const vault = await newVault();
  const [index] = await objectNames(vault.store, 'index/');
  await tamper(vault.store, index!, flipped(at));
  vault.write('new');
  expect((await vault.backUp()).manifest.statistics).toMatchObject({ newBytes: 16_000 });
  expect(await vault.damagedNames()).toEqual([]);
});

test('V1: prune takes away what is stood for, and keeps what stands for it', async () => {
  const vault = await newVault();
  const [index] = await objectNames(vault.store, 'index/');
  await tamper(vault.store, index!, flipped(200));
  const { written } = await repair(vault.repository);
  await removeDeadIndexes(vault.repository, { clock: systemClock });
  const left = await objectNames(vault.store, 'index/');
  expect(left).not.toContain(index);
  expect(left).toEqual(expect.arrayContaining([...written]));
  expect(await vault.damagedNames()).toEqual([]);
});

test('V1: a pack whose directory does not open is named and not indexed', async () => {
  const vault = await newVault();
  const [pack] = await vault.packs(0, 'hot');
  for (const name of await objectNames(vault.store, 'index/')) await tamper(vault.store, name, () => undefined);
  await tamper(vault.store, pack!.name, flipped(-60));
  expect(planIndexes(await readIndexState(vault.repository)).unreadable).toEqual([{ name: pack!.name, reason: expect.stringContaining('holdfast verify') }]);
});

test('V1: killed before or after its one write, a repair of indexes is finished by the next one', async () => {
  for (const hasLanded of [false, true]) {
    const vault = await newVault();
    const [index] = await objectNames(vault.store, 'index/');
    await tamper(vault.store, index!, flipped(200));
    await expect(repair({ ...vault.repository, store: killedAt(vault.store, 0, hasLanded) })).rejects.toBeInstanceOf(Killed);
    await repair(vault.repository);
    expect(await vault.damagedNames()).toEqual([]);
  }
});
