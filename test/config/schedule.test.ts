import { parseCron } from '../../lib/config/cron.ts';
import { clockShiftMinutes, longestGapMinutes } from '../../lib/config/longest-gap.ts';
import { cronOf, longestGap } from '../../lib/config/schedule.ts';

const DAY = 24 * 60;

describe('the longest time between two runs (P5)', () => {
  it.each([
    ['* * * * *', 'UTC', 1],
    ['*/15 * * * *', 'UTC', 15],
    ['*/25 * * * *', 'UTC', 25],
    ['0 * * * *', 'UTC', 60],
    ['30 2 * * *', 'UTC', DAY],
    ['0 8-18/2 * * *', 'UTC', 14 * 60],
    ['0 9 * * mon-fri', 'UTC', 3 * DAY],
    ['0 9 * * 1-5', 'Asia/Tokyo', 3 * DAY],
    ['0 3 * * 0', 'UTC', 7 * DAY],
    ['0 3 * * 7', 'UTC', 7 * DAY],
    ['0 4 1 * *', 'UTC', 31 * DAY],
    ['0 4 31 * *', 'UTC', 61 * DAY],
    ['0 4 1,15 * *', 'UTC', 17 * DAY],
    ['0 0 1 jan *', 'UTC', 366 * DAY],
    ['0 0 29 2 *', 'UTC', 1461 * DAY],
    ['0 4 1 * mon', 'UTC', 7 * DAY],
    ['30 2 * * *', 'Europe/Berlin', DAY + 60],
    ['30 2 * * *', 'Australia/Lord_Howe', DAY + 30],
    ['30 2 * * *', 'Asia/Kolkata', DAY],
    ['0 0 30 2 *', 'UTC', Infinity],
  ])('of "%s" (%s) is %d minutes', (cron, timeZone, minutes) => {
    expect(longestGap({ cron, timeZone })).toBe(minutes);
  });

  it('is what the service levels are checked with for named frequencies', () => {
    expect((['hourly', 'daily', 'weekly', 'monthly'] as const).map(longestGap)).toEqual([60, DAY, 7 * DAY, 31 * DAY]);
  });

  it('agrees with the crons of the named frequencies', () => {
    for (const frequency of ['hourly', 'daily', 'weekly', 'monthly'] as const) {
      const { cron, timeZone } = cronOf({ frequency }, 12_345)!;
      expect(longestGapMinutes(parseCron(cron)!, timeZone)).toBe(longestGap(frequency));
    }
  });

  it('knows by how much clocks are changed', () => {
    expect(['UTC', 'Asia/Tokyo', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'].map(clockShiftMinutes)).toEqual([0, 0, 60, 60, 30]);
  });
});

describe('a cron line', () => {
  it.each(['', '* * * *', '* * * * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * * 13 *', '* * * * 8', '5-1 * * * *', '*/0 * * * *', 'a * * * *', '* * * foo *', '1, * * * *', '1-2-3 * * * *', '@daily', '* * L * *', '* * * * 5#2', '-1 * * * *'])('"%s" is refused', (text) => {
    expect(parseCron(text)).toBeUndefined();
  });

  it('takes names, lists, ranges and steps in any case', () => {
    const cron = parseCron('5,10-12 */6 1-3,31 JAN,dec Mon-Wed,SUN')!;
    expect([cron.minutes, cron.hours, cron.days, cron.months, cron.weekdays].map((set) => [...set])).toEqual([[5, 10, 11, 12], [0, 6, 12, 18], [1, 2, 3, 31], [1, 12], [1, 2, 3, 0]]);
    expect([...parseCron('50/3 * * * *')!.minutes]).toEqual([50, 53, 56, 59]);
  });
});

describe('when a named frequency comes', () => {
  it('is a minute of its own for each plan, in the documented hour', () => {
    expect([0, 61, 119].map((seed) => cronOf({ frequency: 'daily' }, seed))).toEqual([{ cron: '0 2 * * *', timeZone: 'UTC' }, { cron: '1 2 * * *', timeZone: 'UTC' }, { cron: '59 2 * * *', timeZone: 'UTC' }]);
    expect((['hourly', 'weekly', 'monthly'] as const).map((frequency) => cronOf({ frequency }, 7)?.cron)).toEqual(['7 * * * *', '7 3 * * 0', '7 4 1 * *']);
  });

  it('is never moved further than the RPO of its service level allows (P5)', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      expect(cronOf({ frequency: 'hourly', serviceLevel: { rtoMinutes: 60, rpoMinutes: 60 } }, seed)?.cron).toBe('0 * * * *');
      expect(Number(cronOf({ frequency: 'hourly', serviceLevel: { rtoMinutes: 60, rpoMinutes: 70 } }, seed)?.cron.split(' ')[0])).toBeLessThanOrEqual(10);
    }
  });

  it('stays as it was written when somebody wrote a cron', () => {
    expect(cronOf({ frequency: { cron: '30 2 * * *', timeZone: 'Europe/Berlin' } }, 17)).toEqual({ cron: '30 2 * * *', timeZone: 'Europe/Berlin' });
    expect(cronOf({}, 17)).toBeUndefined();
  });
});
