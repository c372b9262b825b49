import fc from 'fast-check';
import { checkTarget, unreachedBehind } from '../../../lib/recovery/pitr/check-target.ts';
import type { PitrTarget, TimedLine } from '../../../lib/recovery/pitr/check-target.ts';
import type { Histories } from '../../../lib/recovery/pitr/lines.ts';
import type { HeldWal } from '../../../lib/recovery/pitr/runs.ts';
import { recoverableWindows } from '../../../lib/recovery/pitr/windows.ts';
import type { Base } from '../../../lib/recovery/pitr/windows.ts';
import { formatLsn, parseLsn, segmentName } from '../../../lib/sources/postgres/wal/lsn.ts';

const SEGMENT = 1 << 20;
const QUARTER = SEGMENT / 4;
const SYSTEM = '7400000000000000001';

describe('recoverable windows (R4)', () => {
  it('reach from the end of the first base backup to the last WAL, whatever base backups lie between', () => {
    const [line] = recoverableWindows(held({ 1: [3, 4, 5, 6, 7] }), new Map(), [base('B1', 4.25, 4.5), base('B2', 6.1, 6.2)]);
    expect(line).toMatchObject({ timeline: 1, windows: [{ fromLsn: at(4.5), toLsn: at(8), bases: [{ backup: 'B1' }, { backup: 'B2' }] }], gaps: [], stranded: [], waiting: undefined });
  });

  it('end at a gap, and begin again with the next base backup; until then the gap is open and WAL waits', () => {
    const wal = held({ 1: [3, 4, 6, 7] });
    expect(recoverableWindows(wal, new Map(), [base('B1', 3.1, 3.2)])[0]).toMatchObject({ windows: [{ fromLsn: at(3.2), toLsn: at(5) }], gaps: [{ fromLsn: at(5), toLsn: at(6), missingSegments: 1, isOpen: true }], waiting: { fromLsn: at(6), toLsn: at(8) } });
    expect(recoverableWindows(wal, new Map(), [base('B1', 3.1, 3.2), base('B2', 6.5, 6.6)])[0]).toMatchObject({ windows: [{ toLsn: at(5) }, { fromLsn: at(6.6), toLsn: at(8) }], gaps: [{ isOpen: false }], waiting: undefined });
  });

  it('count the beginning of a segment that is being written, also when it is all there is', () => {
    expect(recoverableWindows(held({ 1: [3] }, { 1: { 4: 8192 } }), new Map(), [base('B1', 3.1, 3.2)])[0]?.windows).toMatchObject([{ toLsn: at(4) + 8192n, last: { segment: 4, isPartial: true } }]);
    expect(recoverableWindows(held({}, { 1: { 4: SEGMENT / 2 } }), new Map(), [base('B1', 4.1, 4.2)])[0]?.windows).toMatchObject([{ fromLsn: at(4.2), toLsn: at(4.5) }]);
  });

  it('need no WAL for a base backup that has its own; without it such a base backup is stranded', () => {
    expect(recoverableWindows(held({}), new Map(), [{ ...base('B1', 3.1, 3.2), hasWal: true }])[0]).toMatchObject({ windows: [{ fromLsn: at(3.2), toLsn: at(3.2), last: undefined }], stranded: [] });
    expect(recoverableWindows(held({ 1: [7] }), new Map(), [base('B1', 3.1, 3.2)])[0]).toMatchObject({ windows: [], stranded: [{ backup: 'B1' }] });
  });

  it('go over to a new timeline in the segment where it branched off, and keep the old line only for what lies behind that', () => {
    const histories: Histories = new Map([[2, [{ parent: 1, switchLsn: at(5.5) }]]]);
    const bases = [base('B1', 3.1, 3.2)];
    expect(recoverableWindows(held({ 1: [3, 4], 2: [5, 6] }, { 1: { 5: SEGMENT / 2 } }), histories, bases)).toMatchObject([{ timeline: 2, windows: [{ fromLsn: at(3.2), toLsn: at(7) }], gaps: [] }]);
    const bothWentOn = recoverableWindows(held({ 1: [3, 4, 5, 6, 7], 2: [5] }), histories, bases);
    expect(bothWentOn).toMatchObject([{ timeline: 2, windows: [{ toLsn: at(6) }] }, { timeline: 1, windows: [{ toLsn: at(8) }] }]);
    const nothingYet = recoverableWindows(held({ 1: [3, 4] }, { 1: { 5: SEGMENT } }), histories, bases);
    expect(nothingYet).toMatchObject([{ timeline: 2, windows: [{ toLsn: at(5.5) }] }]);
  });

  it('of another system are not ours', () => {
    expect(recoverableWindows(held({ 1: [3] }), new Map(), [{ ...base('B1', 3.1, 3.2), systemId: '1' }])[0]).toMatchObject({ windows: [], waiting: { fromLsn: at(3) } });
  });

  it('hold exactly the positions that a replay step by step reaches, whatever is missing', () => {
    const segments = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 4, maxLength: 12 }).map((list) => list.sort((left, right) => left - right));
    const partials = fc.dictionary(fc.integer({ min: 1, max: 12 }).map(String), fc.integer({ min: 1, max: 3 }).map((quarters) => quarters * QUARTER), { maxKeys: 3 });
    const bases = fc.array(fc.record({ timeline: fc.constantFrom(1, 2), start: fc.integer({ min: 4, max: 48 }), length: fc.integer({ min: 1, max: 6 }), hasWal: fc.boolean() }), { minLength: 1, maxLength: 4 });
    let shown = 0;
    fc.assert(fc.property(segments, segments, partials, partials, fc.integer({ min: 8, max: 48 }), bases, (one, two, partialOne, partialTwo, branch, drawn) => {
      const branched = Math.floor(branch / 4);
      const wal = held({ 1: one, 2: two.filter((segment) => segment >= branched) }, { 1: partialOne, 2: Object.fromEntries(Object.entries(partialTwo).filter(([segment]) => Number(segment) >= branched)) });
      const made = drawn.map(({ timeline, start, length, hasWal }, index) => ({ ...base(`B${index}`, start / 4, (start + length) / 4, timeline), hasWal }));
      const line = recoverableWindows(wal, new Map([[2, [{ parent: 1, switchLsn: at(branch / 4) }]]]), made).find(({ timeline }) => timeline === 2);
      const quarters = Array.from({ length: 56 }, (_, index) => index + 4);
      const found = quarters.filter((quarter) => line?.windows.some(({ fromLsn, toLsn }) => fromLsn <= at(quarter / 4) && at(quarter / 4) < toLsn));
      expect(found).toEqual(quarters.filter((quarter) => made.some((from) => replays(from, at(quarter / 4), wal, at(branch / 4)))));
      shown += found.length;
    }), { numRuns: 300 });
    expect(shown).toBeGreaterThan(300);
  });
});

/** Follows timeline 2, a quarter of a segment at a time, by asking what there is to read at each: is a record at `target` met? */
function replays(from: Base, target: bigint, wal: HeldWal, branch: bigint): boolean {
  const stop = parseLsn(from.stopLsn);
  if (stop > target || (from.timeline === 1 && stop > branch)) return false;
  const isWhole = (timeline: number, segment: number) => wal.segments.get(timeline)?.includes(segment) === true;
  const isThere = (timeline: number, segment: number, position: bigint) => isWhole(timeline, segment) || position < at(segment) + BigInt(wal.partials.get(timeline)?.get(segment) ?? 0);
  const branched = Number(branch / BigInt(SEGMENT));
  const begin = from.hasWal === true ? stop : (parseLsn(from.startLsn) / BigInt(SEGMENT)) * BigInt(SEGMENT);
  for (let position = begin; position <= target; position += BigInt(QUARTER)) {
    const segment = Number(position / BigInt(SEGMENT));
    const isMet = segment < branched ? isThere(1, segment, position) : isThere(2, segment, position) || (segment === branched && position < branch && isThere(1, segment, position));
    if (!isMet) return false;
  }
  return true;
}

describe('a target (R4)', () => {
  const NOON = Date.UTC(2026, 10, 28, 12);
  const lines = (): TimedLine[] => {
    const bases = [{ ...base('B1', 3.1, 3.2), stoppedAt: NOON }, { ...base('B2', 4.1, 4.2), stoppedAt: NOON + 10_000 }, { ...base('B3', 7.1, 7.2), stoppedAt: NOON + 60_000 }];
    return recoverableWindows(held({ 1: [3, 4, 5, 7, 8] }), new Map(), bases).map((line) => ({ ...line, windows: line.windows.map((window, index) => ({ ...window, lastTransactionAt: NOON + (index === 0 ? 30_000 : 90_000), isLookedThrough: true, storedAt: NOON })) }));
  };

  it.each<[string, PitrTarget, string]>([
    ['latest', { kind: 'latest' }, 'B3'], ['immediate', { kind: 'immediate' }, 'B3'], ['a name', { kind: 'name', name: 'x' }, 'B3'],
    ['a position in the first window', { kind: 'lsn', lsn: at(4.1) }, 'B1'], ['a position behind the second base backup', { kind: 'lsn', lsn: at(4.2) }, 'B2'], ['the last position but one', { kind: 'lsn', lsn: at(9) - 1n }, 'B3'],
    ['a time in the first window', { kind: 'time', at: NOON + 9999 }, 'B1'], ['a time behind the second base backup', { kind: 'time', at: NOON + 29_999 }, 'B2'],
  ])('%s is reached from the newest base backup before it', (_, target, backup) => expect(checkTarget(lines(), target).base.backup).toBe(backup));

  it.each<[string, PitrTarget, string]>([
    ['a position in the gap', { kind: 'lsn', lsn: at(6.5) }, 'in a gap'], ['a position behind the gap and before the next base backup', { kind: 'lsn', lsn: at(7.05) }, 'in a gap'],
    ['a position before everything', { kind: 'lsn', lsn: at(3.1) }, 'before the end of the first base backup'], ['a position behind everything', { kind: 'lsn', lsn: at(9) }, 'not before the end of the last WAL'],
    ['a time in the gap', { kind: 'time', at: NOON + 45_000 }, 'in a gap'], ['the time of the last transaction before it', { kind: 'time', at: NOON + 30_000 }, 'in a gap'],
    ['a time before everything', { kind: 'time', at: NOON - 1 }, 'before the end of the first base backup'], ['a time in the future', { kind: 'time', at: NOON + 3_600_000 }, 'not before the end of the last WAL'],
  ])('%s is refused, and the windows are shown', (_, target, says) => {
    expect(() => checkTarget(lines(), target)).toThrow(expect.objectContaining({ code: 'refused', message: expect.stringMatching(new RegExp(`${says}.*There is: timeline 1: ${formatLsn(at(3.2))} to ${formatLsn(at(6))}.*; timeline 1: ${formatLsn(at(7.2))} to ${formatLsn(at(9))}`)) }));
  });

  it('behind a gap that no base backup was taken after is said to be there, not behind the last WAL', () => {
    const open = recoverableWindows(held({ 1: [3, 4, 7, 8] }), new Map(), [{ ...base('B1', 3.1, 3.2), stoppedAt: NOON }]).map((line) => ({ ...line, windows: line.windows.map((window) => ({ ...window, lastTransactionAt: NOON + 30_000, isLookedThrough: true, storedAt: NOON })) }));
    const missing = `WAL from ${formatLsn(at(5))} to ${formatLsn(at(7))} is missing`;
    const refusal = (target: PitrTarget, says: string) => expect(() => checkTarget(open, target)).toThrow(expect.objectContaining({ code: 'refused', message: expect.stringContaining(says) }));
    refusal({ kind: 'lsn', lsn: at(5.5) }, `in a gap: ${missing}`);
    refusal({ kind: 'lsn', lsn: at(8.5) }, `in a gap or behind it: ${missing}, and no base backup`);
    refusal({ kind: 'lsn', lsn: at(9) }, 'not before the end of the last WAL');
    refusal({ kind: 'time', at: NOON + 40_000 }, `in a gap or behind it: ${missing}`);
    expect(unreachedBehind(checkTarget(open, { kind: 'latest' }).line)).toEqual([expect.stringContaining(`${missing} in the vault, so that what is there from ${formatLsn(at(7))} to ${formatLsn(at(9))} is not replayed`)]);
    expect(unreachedBehind(checkTarget(lines(), { kind: 'latest' }).line)).toEqual([]);
  });

  it('that is refused is followed by an option that exists', () => expect(() => checkTarget(lines(), { kind: 'lsn', lsn: at(9) })).toThrow(expect.objectContaining({ nextStep: expect.stringContaining('or `--to-latest`') })));

  it('on a timeline that is not there is refused', () => expect(() => checkTarget(lines(), { kind: 'latest' }, 7)).toThrow(expect.objectContaining({ code: 'refused' })));
  it('without any base backup is refused with what to do', () => expect(() => checkTarget([], { kind: 'latest' })).toThrow(expect.objectContaining({ message: expect.stringContaining('take a base backup') })));
});

/** In segments. */
function at(segments: number): bigint {
  return BigInt(Math.round(segments * SEGMENT));
}

function base(backup: string, start: number, stop: number, timeline = 1): Base {
  return { backup, systemId: SYSTEM, timeline, startLsn: formatLsn(at(start)), stopLsn: formatLsn(at(stop)), startSegment: segmentName(timeline, Math.floor(start), SEGMENT), stoppedAt: 1 };
}

function held(segments: Record<number, number[]>, partials: Record<number, Record<string, number>> = {}): HeldWal {
  return {
    systemId: SYSTEM, segmentBytes: SEGMENT,
    segments: new Map(Object.entries(segments).map(([timeline, numbers]) => [Number(timeline), numbers])),
    partials: new Map(Object.entries(partials).map(([timeline, found]) => [Number(timeline), new Map(Object.entries(found).map(([segment, bytes]) => [Number(segment), bytes]))])),
  };
}
