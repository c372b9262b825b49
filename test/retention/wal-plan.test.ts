import type { WalEntry } from '../../lib/repository/index.ts';
import { planWalPrune } from '../../lib/retention/wal-plan.ts';
import type { WalState } from '../../lib/retention/wal-plan.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 100 * DAY;
const MIB = 1 << 20;

describe('WAL that no base backup needs (S2, P3)', () => {
  it('ends before the start of the oldest base backup of its system, on whatever timeline', () => {
    const entries = [segment(1, 3), segment(1, 4), segment(1, 5), segment(2, 4), segment(2, 5), history(2)];
    const bases = [base('B2', 9), base('B1', 5), base('other', 3, 'another system')];
    expect(deleted({ entries, bases })).toEqual(['000000010000000000000003', '000000010000000000000004', '000000020000000000000004']);
  });

  it('stays for two days, because a base backup that is running began before anybody sees it', () => {
    expect(deleted({ entries: [segment(1, 3, NOW - 2 * DAY), segment(1, 4, NOW - 2 * DAY - 1)], bases: [base('B1', 9)] })).toEqual(['000000010000000000000004']);
  });

  it('stays for a week where there is no base backup yet', () => {
    expect(deleted({ entries: [segment(1, 3, NOW - 7 * DAY), segment(1, 4, NOW - 7 * DAY - 1)], bases: [] })).toEqual(['000000010000000000000004']);
  });

  it('stays while a snapshot cannot be read, and that is said', () => {
    const plan = planWalPrune(state({ entries: [segment(1, 3)], bases: [base('B1', 9)], unreadable: ['snapshots/p/x'] }));
    expect(plan).toMatchObject({ deletions: [], kept: [expect.stringContaining('snapshots/p/x')] });
  });

  it('leaves of the notes that it was kept those of a week, and the newest of each plan', () => {
    const note = (plan: string, days: number) => ({ plan, systemId: '7', timeline: 1, lsn: 1n, name: `${plan} ${days}`, storedAt: NOW - days * DAY });
    const plan = planWalPrune(state({ entries: [], bases: [], notes: [note('a', 9), note('a', 7.1), note('a', 7), note('a', 1), note('b', 30), note('b', 20)] }));
    expect(plan.deletions.map(({ names }) => names)).toEqual([['a 9', 'a 7.1'], ['b 30']]);
  });

  it('is needed by base backups of another plan, too', () => {
    expect(deleted({ entries: [segment(1, 3), segment(1, 5)], bases: [{ ...base('B1', 5) }] })).toEqual(['000000010000000000000003']);
  });

  it('is a beginning of a segment that something longer has stood for for an hour; never the longest, nor one of another plan', () => {
    const entries = [
      partial(5, 8192), partial(5, 16_384), partial(5, 24_576), segment(1, 6), partial(6, 8192), segment(1, 7, NOW - HOUR), partial(7, 8192),
      { ...segment(1, 8), plan: 'b' }, partial(8, 8192), { ...segment(1, 9), isComplete: false }, partial(9, 8192),
    ];
    const plan = planWalPrune(state({ entries, bases: [base('B1', 1)] }));
    expect(plan.deletions.map(({ file, reason }) => `${file.slice(16, 24)} ${reason}`)).toEqual([
      '00000005 a longer beginning of its segment is there (24576 bytes, this has 8192)', '00000005 a longer beginning of its segment is there (24576 bytes, this has 16384)', '00000006 the whole segment is there',
    ]);
    expect(plan.bytesFreed).toBe(300);
  });
});

function deleted(given: Pick<WalState, 'entries' | 'bases'>): string[] {
  return planWalPrune(state(given)).deletions.map(({ file }) => file.slice(0, 24)).sort();
}

function state(given: Pick<WalState, 'entries' | 'bases'> & Partial<WalState>): WalState {
  return { now: NOW, notes: [], unreadable: [], ...given };
}

function segment(timeline: number, number: number, storedAt = NOW - 20 * DAY): WalEntry {
  return entry({ kind: 'segment', name: `${hex(timeline)}00000000${hex(number)}`, timeline, storedAt });
}

function partial(number: number, bytes: number): WalEntry {
  return entry({ kind: 'partial', name: `0000000100000000${hex(number)}`, timeline: 1, partial: { bytes, id: `id ${bytes}` }, storedAt: NOW - 20 * DAY + bytes });
}

function history(timeline: number): WalEntry {
  return entry({ kind: 'history', name: `${hex(timeline)}.history`, timeline, storedAt: NOW - 20 * DAY });
}

function entry(given: Pick<WalEntry, 'kind' | 'name' | 'timeline' | 'storedAt'> & Partial<WalEntry>): WalEntry {
  return { plan: 'a', systemId: 'one system', objects: [{ name: given.name, size: 100, storedAt: given.storedAt }], isComplete: true, storedBytes: 100, ...given };
}

function base(backup: string, segmentNumber: number, systemId = 'one system'): WalState['bases'][number] {
  return { backup, systemId, startLsn: `0/${(segmentNumber * MIB + 40).toString(16).toUpperCase()}`, walSegmentBytes: MIB };
}

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0');
}
