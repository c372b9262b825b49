import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveWal } from '../../../lib/backup/wal/archive-wal.ts';
import { ledgerLines } from '../../../lib/cli/ledger-words.ts';
import { walFinding } from '../../../lib/local/doctor-wal.ts';
import type { PitrTarget } from '../../../lib/recovery/pitr/check-target.ts';
import { hasGoneOn, refuseDiverged } from '../../../lib/recovery/pitr/divergence.ts';
import { forksOf } from '../../../lib/recovery/pitr/forks.ts';
import { lineOf } from '../../../lib/recovery/pitr/lines.ts';
import { readLedgers } from '../../../lib/recovery/pitr/read-ledger.ts';
import type { ReadFacts, WalLedger } from '../../../lib/recovery/pitr/read-ledger.ts';
import { formatLsn, segmentName } from '../../../lib/sources/postgres/wal/lsn.ts';
import { MADE_SYSTEM, makeSegment } from '../../../scripts/vectors/made-wal.ts';
import type { MadeRecord } from '../../../scripts/vectors/made-wal.ts';
import { SMALL_PLAN, SmallBackups } from '../../support/small-backup.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { memoryVault } from '../../support/vault.ts';

const MIB = 1 << 20;
const NOON = Date.UTC(2026, 10, 28, 12);
const at = (segment: number) => BigInt(Math.round(segment * MIB));
const commit = (seconds: number): MadeRecord => ({ kind: 'commit', at: NOON + seconds * 1000 });
const born = (seconds: number, timeline = 2): MadeRecord => ({ kind: 'recovery', timeline, parent: 1, at: NOON + seconds * 1000 });

interface Given {
  /** By timeline and segment. */
  readonly wal: readonly (readonly [timeline: number, segment: number, records: readonly MadeRecord[]])[];
  /** In segments; timelines that left timeline 1 there. */
  readonly switches: Readonly<Record<number, number>>;
  readonly base?: { readonly timeline: number; readonly stop: number };
}

async function ledgerOf({ wal, switches, base = { timeline: 1, stop: 3.5 } }: Given): Promise<WalLedger & { readonly doctor: string | undefined }> {
  const { repository, clock } = memoryVault();
  const backup = await new SmallBackups(repository).make(['base']);
  const folder = temporaryFolder();
  const keep = async (name: string, content: Buffer | string) => {
    writeFileSync(join(folder, name), content);
    await archiveWal({ repository, plan: SMALL_PLAN, clock }, { path: join(folder, name), name, systemId: MADE_SYSTEM });
  };
  for (const [timeline, segment, records] of wal) await keep(segmentName(timeline, segment, MIB), makeSegment({ name: segmentName(timeline, segment, MIB), records }));
  for (const [timeline, lsn] of Object.entries(switches)) await keep(`0000000${timeline}.history`, `1\t${formatLsn(at(lsn))}\tno recovery target specified\n`);
  const facts: ReadFacts = async ({ manifest }) => (manifest.backup === backup ? { systemId: MADE_SYSTEM, timeline: base.timeline, startLsn: formatLsn(at(base.stop - 0.25)), startSegment: segmentName(base.timeline, Math.floor(base.stop), MIB), stopLsn: formatLsn(at(base.stop)), stoppedAt: NOON, hasWal: true, walSegmentBytes: MIB } : undefined);
  const ledger = (await readLedgers(repository, SMALL_PLAN, facts))[0] as WalLedger;
  return { ...ledger, doctor: (await walFinding(repository, NOON))?.seen };
}

/** The copy began at second 60, in segment 5. */
const COPY = [[2, 5, [born(60), commit(70)]]] as const;
const COMMON = [[1, 3, [commit(0)]], [1, 4, [commit(10)]]] as const;
const BASE = { timeline: 1, stopLsn: formatLsn(at(3.5)) };

describe('two timelines that went on beside each other (R4)', () => {
  it('are told, and a restore must say which to follow, once the older one has a transaction from after the newer one began', async () => {
    const ledger = await ledgerOf({ wal: [...COMMON, ...COPY, [1, 5, [commit(80), commit(90)]]], switches: { 2: 5 } });
    expect(ledger.divergences).toEqual([{ older: 1, newer: 2, forkLsn: at(5), bornAt: NOON + 60_000, firstAt: NOON + 80_000, lastAt: NOON + 90_000 }]);
    expect(() => refuseDiverged(ledger, { kind: 'latest' }, BASE)).toThrow(expect.objectContaining({
      code: 'refused', nextStep: expect.stringMatching(/--timeline 1` or `--timeline 2`/),
      message: expect.stringMatching(/both went on behind 0\/500000: timeline 2 began at 2026-11-28T12:01:00\.000Z, and timeline 1 has transactions until 2026-11-28T12:01:30\.000Z[^]*timeline 2: .* to before 2026-11-28T12:01:10\.000Z; timeline 1: .* to before 2026-11-28T12:01:30\.000Z/),
    }));
    expect(ledgerLines('cluster', ledger, NOON).join('\n')).toMatch(/DIVERGED {2}Timelines 1 and 2 .* --timeline 1 or --timeline 2/);
  });

  it.each<[string, PitrTarget, boolean]>([
    ['the end', { kind: 'latest' }, true], ['a name', { kind: 'name', name: 'x' }, true], ['the first consistent point', { kind: 'immediate' }, false],
    ['a position before the fork', { kind: 'lsn', lsn: at(4.9) }, false], ['the fork', { kind: 'lsn', lsn: at(5) }, true],
    ['a time before the newer one began', { kind: 'time', at: NOON + 59_000 }, false], ['a time behind that', { kind: 'time', at: NOON + 75_000 }, true],
  ])('are in the way of %s: %j (%s)', async (_what, target, isRefused) => {
    const ledger = await ledgerOf({ wal: [...COMMON, ...COPY, [1, 5, [commit(80)]]], switches: { 2: 5 } });
    const refuse = () => refuseDiverged(ledger, target, BASE);
    if (isRefused) expect(refuse).toThrow(expect.objectContaining({ code: 'refused' }));
    else expect(refuse).not.toThrow();
  });

  it('are no longer in the way of a base backup that was taken behind the fork: it leads one way alone', async () => {
    const given = { wal: [...COMMON, ...COPY, [1, 5, [commit(80)]]], switches: { 2: 5 } } as const;
    expect(() => refuseDiverged({ lines: [], divergences: [] }, { kind: 'latest' }, BASE)).not.toThrow();
    const ledger = await ledgerOf(given);
    expect(() => refuseDiverged(ledger, { kind: 'latest' }, { timeline: 2, stopLsn: formatLsn(at(5.25)) })).not.toThrow();
    expect(() => refuseDiverged(ledger, { kind: 'latest' }, { timeline: 1, stopLsn: formatLsn(at(5.25)) })).toThrow(expect.objectContaining({ code: 'refused' }));
    expect((await ledgerOf({ ...given, base: { timeline: 2, stop: 5.25 } })).divergences).toEqual([]);
  });

  it('are not those of a failover that lost its last transactions, nor of a recovery to an earlier moment: those came before', async () => {
    for (const lost of [[commit(50)], [commit(20), { kind: 'filler', bytes: 40_000 }, commit(59)]] as const) {
      const ledger = await ledgerOf({ wal: [...COMMON, ...COPY, [1, 5, lost], [1, 6, [{ kind: 'filler', bytes: 100 }]]], switches: { 2: 5 } });
      expect(ledger.divergences).toEqual([]);
    }
  });

  it('are assumed while nothing tells when the newer one began, because following it would leave out what is there', async () => {
    const ledger = await ledgerOf({ wal: [...COMMON, [1, 5, [commit(20)]]], switches: { 2: 5 } });
    expect(ledger.divergences).toMatchObject([{ older: 1, newer: 2, bornAt: undefined }]);
  });

  it('may both be copies: the older one counts from where the younger began', async () => {
    const given = (last: number): Given => ({ wal: [...COMMON, [2, 5, [born(60, 2), commit(last)]], [3, 5, [{ kind: 'filler', bytes: 70_000 }, born(100, 3), commit(110)]]], switches: { 2: 5, 3: 5.0625 } });
    expect((await ledgerOf(given(90))).divergences).toEqual([]);
    expect((await ledgerOf(given(120))).divergences).toMatchObject([{ older: 2, newer: 3, forkLsn: at(5), lastAt: NOON + 120_000 }]);
  });
});

it('a line leaves behind what its ancestors wrote after it, and what grew elsewhere; what is younger it cannot know (R4)', () => {
  const histories = new Map([[2, [{ parent: 1, switchLsn: 50n }]], [3, [{ parent: 1, switchLsn: 70n }]], [4, [{ parent: 1, switchLsn: 50n }, { parent: 2, switchLsn: 90n }]]]);
  expect(forksOf(lineOf(4, histories), [1, 2, 3, 4], histories)).toEqual([
    { older: 1, newer: 2, forkLsn: 50n, fromLsn: 50n }, { older: 2, newer: 4, forkLsn: 90n, fromLsn: 90n }, { older: 3, newer: 4, forkLsn: 50n, fromLsn: 70n },
  ]);
  expect(forksOf(lineOf(1, histories), [1, 2, 3, 4], histories)).toEqual([]);
  expect(forksOf(lineOf(5, histories), [1, 5], histories)).toEqual([]);
});

it('what could not be read is taken to have gone on (R4)', () => {
  expect(hasGoneOn({ hasTransactions: undefined, lastAt: undefined }, NOON)).toBe(true);
  expect(hasGoneOn({ hasTransactions: false, lastAt: undefined }, undefined)).toBe(false);
  expect(hasGoneOn({ hasTransactions: true, lastAt: NOON }, NOON)).toBe(false);
});
