import { latestOccurrence, occurrencesBetween } from '../../lib/scheduling/cron.ts';
import { CLAIM_PATIENCE } from '../../lib/scheduling/catch-up.ts';
import { dueTimeOf } from '../../lib/scheduling/due-time.ts';
import { schedulerExpressions } from '../../lib/stack/scheduler-expression.ts';
import { SeededRandom } from '../simulation/dice.ts';
import type { Year } from './wall-clock-oracle.ts';
import { dueByWalking, schedulerMatcher, walk } from './wall-clock-oracle.ts';

const MINUTE = 60_000;
const FROM = Date.UTC(2026, 0, 1);
const TO = Date.UTC(2027, 0, 1);
/** `HOLDFAST_LONG=1`: Intl is asked for every single minute of the year. */
const STEP_MINUTES = process.env.HOLDFAST_LONG === undefined ? 15 : 1;

const ZONES = [
  'UTC', 'Europe/Berlin', 'Europe/London', 'Europe/Dublin', 'America/New_York', 'America/Los_Angeles', 'America/St_Johns', 'America/Havana', 'America/Santiago', 'America/Sao_Paulo',
  'Africa/Cairo', 'Africa/Casablanca', 'Asia/Beirut', 'Asia/Jerusalem', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Australia/Sydney', 'Pacific/Chatham', 'Pacific/Kiritimati',
];

/** Fixed times in, before and after the hours that DST touches; one that is every so often; both day fields. */
const SCHEDULES = ['30 2 * * *', '0 0 * * *', '15,45 1,3 * 3,4,9,10,11 *', '0 * 1,25 4,10,11 *', '0 */6 * 3,4 *', '10 0 1 * 0', '59 23 * 3,4,9-11 1-5'];
const OFFSETS = [0, 7, 59];

/** In short runs each zone takes the two that DST touches most and two of the others in turn. */
function schedulesFor(timeZone: string): readonly string[] {
  if (process.env.HOLDFAST_LONG !== undefined) return SCHEDULES;
  const [nightly = '', midnight = '', ...others] = SCHEDULES;
  const turn = ZONES.indexOf(timeZone);
  return [nightly, midnight, others[turn % others.length] ?? '', others[(turn + 2) % others.length] ?? ''];
}

/**
 * Exactly what EventBridge Scheduler documents: a clock time that is skipped is not run, a repeated one once. Every
 * expression fires for itself, and one firing in fifty is lost.
 */
function firings(expressions: readonly string[], year: Year, dice: SeededRandom): number[] {
  return expressions.flatMap((expression) => {
    const matches = schedulerMatcher(expression);
    const fired: number[] = [];
    year.wall.forEach((wall, at) => {
      if (matches(wall) && !year.repeated.has(at) && !dice.isOnceIn(50)) fired.push(year.from + at * MINUTE);
    });
    return fired;
  });
}

/** Who comes when: Scheduler with a time, and the monitor, which looks a while after each due time. */
function visits(fired: readonly number[], due: readonly number[]): { readonly at: number; readonly isMonitor: boolean }[] {
  const looks = due.map((instant) => ({ at: instant + CLAIM_PATIENCE + 2 * MINUTE, isMonitor: true }));
  return [...fired.map((at) => ({ at, isMonitor: false })), ...looks].sort((a, b) => a.at - b.at);
}

describe('a year in twenty zones (P6)', () => {
  let jumps = 0;

  describe.each(ZONES)('%s', (timeZone) => {
    const schedules = schedulesFor(timeZone);
    let year: Year;
    beforeAll(() => {
      year = walk(timeZone, { from: FROM, to: TO, stepMinutes: STEP_MINUTES });
      jumps += year.skipped.size;
    });

    it.each(schedules)('%s is due exactly when walking every minute of the year says so', (cron) => {
      expect(occurrencesBetween({ cron, timeZone, offsetMinutes: 0 }, FROM, TO)).toEqual(dueByWalking(cron, year));
    });

    it.each(schedules)('%s: what Scheduler fires and what the monitor catches up are together every due time, each once', (cron) => {
      const offsetMinutes = OFFSETS[cron.length % OFFSETS.length] ?? 0;
      const schedule = { cron, timeZone, offsetMinutes };
      const due = dueByWalking(cron, year).map((instant) => instant + offsetMinutes * MINUTE);
      const fired = firings(schedulerExpressions(schedule), year, new SeededRandom(timeZone, cron));
      const runs: number[] = [];
      const claimed = new Set<number>();
      for (const { at, isMonitor } of visits(fired, due)) {
        const stoodFor = isMonitor ? latestOccurrence(schedule, at - CLAIM_PATIENCE) : dueTimeOf(schedule, at);
        if (stoodFor === undefined || claimed.has(stoodFor)) continue;
        claimed.add(stoodFor);
        runs.push(stoodFor);
      }
      // What the first firing of the year stood for may have been due in the year before.
      expect(runs.filter((instant) => instant >= (due[0] ?? 0)).sort((a, b) => a - b)).toEqual(due);
    });
  });

  it('saw clocks that jump: without them this would prove nothing', () => {
    expect(jumps).toBeGreaterThanOrEqual(13);
  });
});
