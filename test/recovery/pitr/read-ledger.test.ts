import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveWal } from '../../../lib/backup/wal/archive-wal.ts';
import { walFinding } from '../../../lib/local/doctor-wal.ts';
import { readLedgers } from '../../../lib/recovery/pitr/read-ledger.ts';
import type { ReadFacts } from '../../../lib/recovery/pitr/read-ledger.ts';
import { archivedPlans } from '../../../lib/recovery/pitr/wal-plans.ts';
import { formatLsn, segmentName } from '../../../lib/sources/postgres/wal/lsn.ts';
import { MADE_SYSTEM, makeSegment } from '../../../scripts/vectors/made-wal.ts';
import type { MadeRecord } from '../../../scripts/vectors/made-wal.ts';
import { SMALL_PLAN, SmallBackups } from '../../support/small-backup.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { memoryVault } from '../../support/vault.ts';

const MIB = 1 << 20;
const NOON = Date.UTC(2026, 10, 28, 12);
const FILLER = { kind: 'filler', bytes: 100 } as const;

/** A base backup that ends in segment 3, with the WAL of `segments` behind it. */
async function protectedSystem(segments: ReadonlyMap<number, readonly MadeRecord[]>) {
  const vault = memoryVault();
  const backup = await new SmallBackups(vault.repository).make(['base']);
  const folder = temporaryFolder();
  for (const [segment, records] of segments) {
    const name = segmentName(1, segment, MIB);
    writeFileSync(join(folder, name), makeSegment({ name, records }));
    await archiveWal({ repository: vault.repository, plan: SMALL_PLAN, clock: vault.clock }, { path: join(folder, name), name });
  }
  const readFacts: ReadFacts = async ({ manifest }) => (manifest.backup === backup ? { systemId: MADE_SYSTEM, timeline: 1, startLsn: at(3.25), startSegment: segmentName(1, 3, MIB), stopLsn: at(3.5), stoppedAt: NOON, hasWal: true, walSegmentBytes: MIB } : undefined);
  return { ...vault, readFacts };
}

const at = (segment: number) => formatLsn(BigInt(segment * MIB));

describe('the ledger of a server that was idle for long (R4)', () => {
  const idle = new Map<number, readonly MadeRecord[]>([[3, []], [4, [{ kind: 'commit', at: NOON + 5000 }]], ...Array.from({ length: 20 }, (_, index): [number, MadeRecord[]] => [5 + index, [FILLER]])]);

  it('says of its newest segments that they hold no transaction, and finds the one before them when a restore asks', async () => {
    const { repository, readFacts } = await protectedSystem(idle);
    const windowOf = async (...lookedInto: [number?]) => (await readLedgers(repository, SMALL_PLAN, readFacts, ...lookedInto))[0]?.lines[0]?.windows[0];
    expect(await windowOf()).toMatchObject({ lastTransactionAt: undefined, isLookedThrough: false });
    expect(await windowOf(Infinity)).toMatchObject({ lastTransactionAt: NOON + 5000, isLookedThrough: true, toLsn: BigInt(25 * MIB) });
  });

  it('says that there is none when there is none, however far back that is', async () => {
    const { repository, readFacts } = await protectedSystem(new Map([...idle].filter(([segment]) => segment !== 4).concat([[4, [FILLER]]])));
    const [ledger] = await readLedgers(repository, SMALL_PLAN, readFacts, Infinity);
    expect(ledger?.lines[0]?.windows[0]).toMatchObject({ lastTransactionAt: undefined, isLookedThrough: true });
  });
});

it('a vault without WAL costs doctor one listing and no backup is read', async () => {
  const { repository, store } = memoryVault();
  await new SmallBackups(repository).make(['base']);
  const get = jest.spyOn(store, 'get');
  expect(await walFinding(repository, NOON)).toBeUndefined();
  expect(get).not.toHaveBeenCalled();
});

it('a plan with WAL is called as its newest backup that can be read calls it, and by its id without any', async () => {
  const { repository, store } = await protectedSystem(new Map([[3, []]]));
  expect(await archivedPlans(repository)).toEqual([{ plan: SMALL_PLAN, planName: expect.not.stringContaining(SMALL_PLAN) }]);
  for await (const { name } of store.list('snapshots/')) await store.remove(name);
  expect(await archivedPlans(repository)).toEqual([{ plan: SMALL_PLAN, planName: SMALL_PLAN }]);
});
