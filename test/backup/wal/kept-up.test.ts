import { KeptUp } from '../../../lib/backup/wal/kept-up.ts';
import type { KeptUpState } from '../../../lib/backup/wal/kept-up.ts';
import { receiveLimits } from '../../../lib/backup/wal/receive-limits.ts';
import { HoldfastError } from '../../../lib/model/errors.ts';
import { MADE_SYSTEM } from '../../../scripts/vectors/made-wal.ts';
import { LeapingClock } from '../../support/fake-clock.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const LIMITS = { warnAfterMs: 5 * MINUTE, noteEveryMs: 2 * MINUTE };

/** A server and its vault, looked at every minute; `confirmed` is what the slot says before each look. */
function looking(forget: (names: readonly string[]) => Promise<void> = async () => undefined) {
  const clock = new LeapingClock();
  const notes: string[] = [];
  const forgotten: string[] = [];
  const told: KeptUpState[] = [];
  const keptUp = new KeptUp({
    clock,
    note: async ({ lsn }) => {
      notes.push(`${(clock.now() - began) / MINUTE}: ${lsn}`);
      return `note ${notes.length}`;
    },
    forget: async (names) => {
      forgotten.push(...names);
      await forget(names);
    },
    onKeptUp: (state) => void told.push(state),
  }, LIMITS);
  const began = clock.now();
  const look = async ({ lsn, confirmed, attempt = 1 }: { lsn: bigint; confirmed: bigint | undefined; attempt?: number }) => {
    clock.advance(MINUTE);
    const received = await keptUp.received(attempt, async () => confirmed);
    if (received !== undefined) await keptUp.kept(received);
    keptUp.asked({ systemId: MADE_SYSTEM, timeline: 1, lsn, at: clock.now(), attempt });
  };
  /** Until the next look at the clock. */
  const watch = async () => {
    const stop = new AbortController();
    const watching = keptUp.watch(stop.signal);
    stop.abort();
    await watching;
  };
  return { clock, began, keptUp, notes, forgotten, told, look, watch };
}

describe('what of a server is known to be in the vault (R4)', () => {
  it('is all that it had a look ago, once the slot says that it was received: also of a server that never rests', async () => {
    const { notes, forgotten, look } = looking();
    for (const lsn of [10n, 20n, 30n, 40n, 50n]) await look({ lsn, confirmed: lsn - 10n });
    expect(notes).toEqual(['2: 10', '4: 30']);
    expect(forgotten).toEqual(['note 1']);
  });

  it('is noted of a server that writes nothing, for ever', async () => {
    const { notes, look } = looking();
    for (let minute = 0; minute < 8; minute += 1) await look({ lsn: 10n, confirmed: 10n });
    expect(notes).toEqual(['2: 10', '4: 10', '6: 10', '8: 10']);
  });

  it.each([['the slot is behind it', 9n, 1], ['the slot says nothing', undefined, 1], ['the slot was moved by an earlier start, whose spool may be gone', 10n, 2]])('is nothing while %s', async (_why, confirmed, attempt) => {
    const { notes, look } = looking();
    await look({ lsn: 10n, confirmed: 10n });
    await look({ lsn: 10n, confirmed, attempt });
    expect(notes).toEqual([]);
  });

  it('is told when it is too old, once, and when the vault has caught up', async () => {
    const { began, told, look, watch } = looking();
    for (let minute = 1; minute <= 3; minute += 1) await look({ lsn: 10n, confirmed: 10n });
    for (let minute = 4; minute <= 9; minute += 1) {
      await look({ lsn: BigInt(10 * minute), confirmed: 10n });
      await watch();
    }
    expect(told).toEqual([{ isLate: true, keptAt: began + 3 * MINUTE, wasSeen: true, limitMs: 5 * MINUTE }]);
    for (let minute = 10; minute <= 11; minute += 1) await look({ lsn: 100n, confirmed: 100n });
    // A look at the clock takes a second of it.
    expect(told.slice(1)).toEqual([{ isLate: false, keptAt: began + 9 * MINUTE + 5 * SECOND, wasSeen: true, limitMs: 5 * MINUTE }]);
  });

  it('is told to be late where nothing was ever seen to be kept', async () => {
    const { began, clock, told, watch } = looking();
    clock.advance(5 * MINUTE);
    await watch();
    expect(told).toEqual([]);
    clock.advance(1);
    await watch();
    expect(told).toEqual([{ isLate: true, keptAt: began, wasSeen: false, limitMs: 5 * MINUTE }]);
  });

  it('is noted on where older notes may not be removed, as in a stack', async () => {
    const { notes, look } = looking(async () => Promise.reject(new HoldfastError('permission', 'no right to delete')));
    for (let minute = 0; minute < 6; minute += 1) await look({ lsn: 10n, confirmed: 10n });
    expect(notes).toHaveLength(3);
  });
});

describe('how often it is looked and how soon it is told (R4)', () => {
  it.each([
    [{}, undefined, { partialEveryMs: MINUTE, warnAfterMs: 5 * MINUTE, noteEveryMs: 100 * SECOND }],
    [{}, 60 * MINUTE, { partialEveryMs: MINUTE, warnAfterMs: 60 * MINUTE, noteEveryMs: 5 * MINUTE }],
    [{}, 3 * MINUTE, { partialEveryMs: MINUTE, warnAfterMs: 3 * MINUTE, noteEveryMs: MINUTE }],
    [{ partialEveryMs: 10 * MINUTE }, 15 * MINUTE, { partialEveryMs: 10 * MINUTE, warnAfterMs: 30 * MINUTE, noteEveryMs: 5 * MINUTE }],
    [{ warnAfterMs: 30 * SECOND, partialEveryMs: 10 * SECOND }, 15 * MINUTE, { partialEveryMs: 10 * SECOND, warnAfterMs: 30 * SECOND, noteEveryMs: 5 * MINUTE }],
  ])('follows from %j and wal-freshness %s', (given, freshness, limits) => {
    expect(receiveLimits(given, freshness)).toEqual(limits);
  });

  it('is refused where a warning would say nothing', () => {
    expect(() => receiveLimits({ warnAfterMs: 2 * MINUTE })).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining('--warn-after is 120 s and --partial-every 60 s'), nextStep: 'Give --warn-after 180s or more, or --partial-every 40s or less.' }));
  });
});
