import type { Mark, Ruling } from '../../lib/repository/index.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import type { PruneState, RefsState, SnapshotState } from '../../lib/retention/prune-state.ts';
import type { ObjectInfo } from '../../lib/stores/store.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 1_700_000_000_000;

const pack = (id: string, ageHours = 100): ObjectInfo => ({ name: `packs/hot/w/${id.slice(0, 2)}/${id}`, size: 10, storedAt: NOW - ageHours * HOUR });
const snapshot = (backup: string, standing: SnapshotState['standing'] = 'in-time'): SnapshotState => ({ key: `plan/${backup}`, name: `snapshots/plan/${backup}`, standing });
const refs = (backup: string, packIds: readonly string[], ageHours = 100, more: Partial<RefsState> = {}): RefsState => ({
  key: `plan/${backup}`, names: [`refs/plan/${backup}.0`], newestStoredAt: NOW - ageHours * HOUR, packIds, lostIds: [], isProven: true, ...more,
});
const mark = (packId: string, ageHours: number, ruling: Ruling | 'undecided' = 'undecided', ruledHoursAgo = 1): Mark => ({
  name: `condemned/${packId}.M${ageHours}`, packId, storedAt: NOW - ageHours * HOUR, ruling, ruledAt: ruling === 'undecided' ? undefined : NOW - ruledHoursAgo * HOUR,
});

interface Parts extends Partial<Omit<PruneState, 'marks' | 'removed'>> {
  readonly marks?: readonly Mark[];
  readonly orphanRulings?: readonly string[];
  readonly removed?: readonly string[];
}

function plan({ marks = [], orphanRulings = [], removed = [], ...parts }: Parts) {
  return planPrune({ now: NOW, snapshots: [], refs: [], partials: [], damage: [], packs: [], ...parts, marks: { at: NOW, marks, orphanRulings }, removed: new Set(removed) });
}

describe('marking', () => {
  const marked = (parts: Parts) => plan({ packs: [pack('aa')], ...parts }).marks.map((planned) => planned.pack);
  const AA = [pack('aa').name];

  const ROWS: readonly (readonly [string, Parts, readonly string[]])[] = [
    ['a pack of more than 48 h that nothing names', {}, AA],
    ['not one of 48 h', { packs: [pack('aa', 48)] }, []],
    ['not one that a backup names', { snapshots: [snapshot('B')], refs: [refs('B', ['aa'], 9999)] }, []],
    ['not one that a void backup names', { snapshots: [snapshot('B', 'void')], refs: [refs('B', ['aa'], 9999)] }, []],
    ['not one that refs without snapshot name, for seven days', { refs: [refs('B', ['aa'], 168)] }, []],
    ['one that older refs without snapshot name', { refs: [refs('B', ['aa'], 168.1)] }, AA],
    ['one that refs of a removed backup name', { snapshots: [snapshot('B')], refs: [refs('B', ['aa'])], removed: ['plan/B'] }, AA],
    ['not one that a checkpoint names, for seven days', { partials: [{ name: 'partial/plan/R-0', storedAt: NOW - 7 * DAY, packIds: ['aa'] }] }, []],
    ['one that an older checkpoint names', { partials: [{ name: 'partial/plan/R-0', storedAt: NOW - 7 * DAY - 1, packIds: ['aa'] }] }, AA],
    ['not one with a mark', { marks: [mark('aa', 1)] }, []],
    ['one whose mark was spared: it may have lost its backup since', { marks: [mark('aa', 100, 'spared')] }, AA],
  ];

  it.each(ROWS)('marks %s', (_, parts, expected) => {
    expect(marked(parts)).toEqual(expected);
  });
});

describe('waiting', () => {
  it('says which packs nothing can be done about yet, and from when on it can', () => {
    const made = plan({ packs: [pack('aa', 1), pack('bb', 2), pack('cc'), pack('dd', 1)], marks: [mark('cc', 5)], snapshots: [snapshot('B')], refs: [refs('B', ['dd'])] });
    expect(made.marks).toEqual([]);
    expect(made.waiting).toEqual([
      { packs: 2, sizeBytes: 20, reason: 'younger than 48 h', until: NOW + 47 * HOUR + 1 },
      { packs: 1, sizeBytes: 10, reason: 'marked less than 24 h ago', until: NOW + 19 * HOUR },
    ]);
    const later = planPrune({ now: NOW + 47 * HOUR + 1, snapshots: [], refs: [], partials: [], damage: [], packs: [pack('aa', 1)], marks: { at: NOW, marks: [], orphanRulings: [] }, removed: new Set() });
    expect(later).toMatchObject({ marks: [{ pack: pack('aa').name }], waiting: [] });
  });
});

describe('ruling and deleting', () => {
  it('rules a mark of 24 h doomed when nothing names its pack, and deletes it once that ruling holds', () => {
    const made = plan({ packs: [pack('aa')], marks: [mark('aa', 24)] });
    expect(made.rulings).toEqual([{ mark: 'condemned/aa.M24', ruling: 'doomed', reason: 'marked 24 hours ago, and no backup names it since' }]);
    expect(made.deletions).toMatchObject([{ pack: pack('aa').name, mark: 'condemned/aa.M24', isRuled: false, sizeBytes: 10 }]);
    expect(made).toMatchObject({ bytesFreed: 10, bytesWaiting: 0, marks: [] });
  });

  it('rules it spared when a backup names the pack by now', () => {
    const made = plan({ packs: [pack('aa')], marks: [mark('aa', 24)], snapshots: [snapshot('B')], refs: [refs('B', ['aa'])] });
    expect(made.rulings).toEqual([{ mark: 'condemned/aa.M24', ruling: 'spared', reason: 'backup B names it' }]);
    expect(made.deletions).toEqual([]);
  });

  it('leaves younger marks alone', () => {
    const made = plan({ packs: [pack('aa')], marks: [mark('aa', 23.99)] });
    expect(made).toMatchObject({ rulings: [], deletions: [], marks: [], cleared: [], bytesFreed: 0, bytesWaiting: 10 });
  });

  it('deletes the pack of a doomed mark, once, also when a later mark is undecided', () => {
    const made = plan({ packs: [pack('aa')], marks: [mark('aa', 99), mark('aa', 50, 'doomed')] });
    expect(made.deletions).toMatchObject([{ mark: 'condemned/aa.M50', isRuled: true }]);
    expect(made.bytesFreed).toBe(10);
  });

  it('clears the marks of packs that are gone, marks spared over 30 days ago, and rulings without a mark', () => {
    const made = plan({ packs: [pack('bb')], marks: [mark('aa', 90, 'doomed'), mark('bb', 800, 'spared', 30 * 24 + 1), mark('bb', 700, 'spared', 30 * 24)], orphanRulings: ['condemned/cc.M.ruling'] });
    expect(made.cleared).toEqual([
      { mark: 'condemned/cc.M', ruling: 'condemned/cc.M.ruling', isOrphan: true, reason: 'its mark is gone' },
      { mark: 'condemned/aa.M90', ruling: 'condemned/aa.M90.ruling', isOrphan: false, reason: 'its pack is gone' },
      { mark: 'condemned/bb.M800', ruling: 'condemned/bb.M800.ruling', isOrphan: false, reason: 'spared 30 days ago' },
    ]);
  });

  it('clears away what removed backups and unfinished runs left', () => {
    const made = plan({
      snapshots: [snapshot('R')],
      refs: [refs('R', []), refs('U', [], 200)],
      partials: [{ name: 'partial/plan/P-0', storedAt: NOW - 8 * DAY, packIds: [] }],
      removed: ['plan/R'],
    });
    expect(made.expired).toEqual([
      { name: 'snapshots/plan/R', reason: 'its backup was removed' },
      { name: 'refs/plan/R.0', reason: 'its backup was removed' },
      { name: 'refs/plan/U.0', reason: 'its run stored no snapshot in 8 days' },
      { name: 'partial/plan/P-0', reason: 'a checkpoint of a run, 8 days old' },
    ]);
  });
});

describe('notes about damaged packs', () => {
  const damage = [{ name: 'damaged/aa', packId: 'aa' }];
  const deleted = (parts: Parts) => plan({ damage, ...parts }).expired.map(({ name }) => name);
  const B = [snapshot('B')];

  it.each([
    ['goes when the pack is gone and nobody needs it', {}, ['damaged/aa']],
    ['stays while the pack is there: writers must keep away from it', { packs: [pack('aa')] }, []],
    ['stays while a backup names the pack', { snapshots: B, refs: [refs('B', ['aa'])] }, []],
    ['stays while a backup misses something of it: it may be found again', { snapshots: B, refs: [refs('B', [], 1, { lostIds: ['aa'] })] }, []],
    ['stays while an unfinished run names the pack', { partials: [{ name: 'partial/plan/P-0', storedAt: NOW, packIds: ['aa'] }] }, []],
  ] as readonly (readonly [string, Parts, readonly string[]])[])('V1: a note %s', (_, parts, expected) => {
    expect(deleted(parts)).toEqual(expected);
  });
});

describe('what stops prune', () => {
  const stops = (parts: Parts) => plan({ packs: [pack('aa')], ...parts }).blockers.map((blocker) => blocker.reason);
  const B = [snapshot('B')];

  const ROWS: readonly (readonly [string, Parts, readonly unknown[]])[] = [
    ['nothing', { snapshots: B, refs: [refs('B', ['aa'])] }, []],
    ['a snapshot without refs', { snapshots: B }, ['its list of packs is missing']],
    ['a snapshot whose refs cannot be read', { snapshots: B, refs: [refs('B', [], 1, { problem: 'x cannot be read', isProven: false })] }, ['x cannot be read']],
    ['not a void snapshot without refs', { snapshots: [snapshot('B', 'void')] }, []],
    ['not a removed one', { snapshots: B, removed: ['plan/B'] }, []],
    ['unreadable refs of a run that may still finish', { refs: [refs('B', [], 1, { problem: 'x cannot be read', isProven: false })] }, ['x cannot be read']],
    ['not when that run is long dead', { refs: [refs('B', [], 200, { problem: 'x cannot be read', isProven: false })] }, []],
    ['a valid backup whose pack was ruled to die', { snapshots: B, refs: [refs('B', ['aa'])], marks: [mark('aa', 40, 'doomed')] }, [expect.stringContaining('ruled to be deleted')]],
    ['an unproven list that names a pack which is not there', { snapshots: [snapshot('B', 'unknown')], refs: [refs('B', ['zz'], 1, { isProven: false })] }, [expect.stringContaining('the pack zz, which is not in the vault')]],
    ['not a proven one: that pack is lost, and verify tells', { snapshots: B, refs: [refs('B', ['zz'])] }, []],
  ];

  it.each(ROWS)('%s', (_, parts, expected) => {
    expect(stops(parts)).toEqual(expected);
  });

  it('names the backup and the next step', () => {
    expect(plan({ snapshots: B }).blockers).toEqual([{ name: 'snapshots/plan/B', reason: 'its list of packs is missing', nextStep: expect.stringContaining('holdfast remove B') }]);
  });
});
