import { listWal, openRepository, putWal } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { executeWalPrune, readWalState } from '../../lib/retention/wal.ts';
import type { ReadFacts } from '../../lib/retention/wal.ts';
import { planWalPrune } from '../../lib/retention/wal-plan.ts';
import { SMALL_PLAN, SmallBackups } from '../support/small-backup.ts';
import { memoryVault } from '../support/vault.ts';

const DAY = 86_400_000;
const MIB = 1 << 20;
const SYSTEM = '7400000000000000001';

describe('freeing WAL in a vault (S2, P3)', () => {
  it('removes what no base backup needs, and nothing else', async () => {
    const { clock, store, repository } = memoryVault();
    const readFacts = await fill(repository);
    clock.advance(3 * DAY);
    const before = await Array.fromAsync(store.list(''));
    const plan = planWalPrune(await readWalState(repository, await store.now(), readFacts));
    expect(plan.deletions.map(({ file }) => file.slice(0, 24))).toEqual(['000000010000000000000001', '000000010000000000000002']);
    expect(await executeWalPrune(plan, store, { clock })).toEqual({ deletedFiles: 2, bytesFreed: plan.bytesFreed });
    const after = await Array.fromAsync(store.list(''));
    expect(before.filter(({ name }) => !after.some((object) => object.name === name)).map(({ name }) => name)).toEqual(plan.deletions.flatMap(({ names }) => names));
    expect((await listWal(store, SMALL_PLAN)).map(({ name }) => name)).toEqual(['000000010000000000000003', '000000010000000000000004']);
    // Again there is nothing to do.
    expect(planWalPrune(await readWalState(repository, await store.now(), readFacts)).deletions).toEqual([]);
  });

  it('removes none while a manifest cannot be read, because that may be the base backup that needs all of it', async () => {
    const { clock, store, repository } = memoryVault();
    const readFacts = await fill(repository);
    clock.advance(30 * DAY);
    const { config, keys: { keys: { pairs, chunker } } } = repository;
    const stranger = openRepository(store, config, { pairs: pairs.map((pair) => ({ ...pair, meta: new Uint8Array(32).fill(9) })), chunker });
    const [snapshot] = await Array.fromAsync(store.list('snapshots/'));
    expect(planWalPrune(await readWalState(stranger, await store.now(), readFacts))).toMatchObject({ deletions: [], kept: [expect.stringContaining(snapshot?.name ?? 'none')] });
  });

  it('asks nothing of a vault without WAL', async () => {
    const { store, repository } = memoryVault();
    await new SmallBackups(repository).make(['a']);
    const readFacts: ReadFacts = () => Promise.reject(new Error('asked'));
    expect(await readWalState(repository, await store.now(), readFacts)).toMatchObject({ entries: [], bases: [] });
  });
});

/** Four segments, and a backup that says it is a base backup which begins in the third. */
async function fill(repository: Repository): Promise<ReadFacts> {
  for (const number of [1, 2, 3, 4]) {
    const bytes = Buffer.alloc(MIB, number);
    await putWal(repository, { plan: SMALL_PLAN, systemId: SYSTEM, kind: 'segment', name: `00000001000000000000000${number}`, timeline: 1, segmentBytes: MIB }, { sizeBytes: MIB, read: async () => bytes });
  }
  const backup = await new SmallBackups(repository).make(['a base backup']);
  return async ({ manifest }) => (manifest.backup === backup ? { systemId: SYSTEM, startLsn: '0/300028', walSegmentBytes: MIB } : undefined);
}
