import { parseCron } from '../../lib/config/cron.ts';
import { clockShiftMinutes, longestGapMinutes } from '../../lib/config/longest-gap.ts';
import { longestGap, scheduleOf } from '../../lib/config/schedule.ts';
import { occurrencesBetween } from '../../lib/scheduling/cron.ts';

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
    ['*/15 * * * *', 'Europe/Berlin', 15],
    ['0 */3 * * *', 'Europe/Berlin', 240],
    ['30 2 * * *', 'Australia/Lord_Howe', DAY + 30],
    ['30 2 * * *', 'Asia/Kolkata', DAY],
    ['0 0 30 2 *', 'UTC', Infinity],
  ])('of "%s" (%s) is %d minutes', (cron, timeZone, minutes) => {
    expect(longestGap({ cron, timeZone })).toBe(minutes);
  });

  it.each([
    ['0 * * * *', 'America/New_York'], ['0 */3 * * *', 'Europe/Berlin'], ['30 2 * * *', 'Europe/Berlin'], ['0 8-18 * * *', 'Australia/Lord_Howe'],
    ['15 1,13 * * *', 'Europe/London'], ['0 9 * * mon-fri', 'Europe/Berlin'], ['0 4 1 * mon', 'UTC'], ['0 4 1,15 * *', 'America/Sao_Paulo'],
  ])('of "%s" (%s) is never exceeded by what the scheduler makes of it in a year', (cron, timeZone) => {
    const due = occurrencesBetween({ cron, timeZone, offsetMinutes: 0 }, Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1));
    const longest = due.reduce((gap, at, index) => Math.max(gap, index === 0 ? 0 : at - due[index - 1]!), 0) / 60_000;
    expect(due.length).toBeGreaterThan(20);
    expect(longest).toBeLessThanOrEqual(longestGap({ cron, timeZone }));
    expect(longest).toBeGreaterThanOrEqual(longestGap({ cron, timeZone }) - 60);
  });

  it('is what the service levels are checked with for named frequencies', () => {
    expect((['hourly', 'daily', 'weekly', 'monthly'] as const).map(longestGap)).toEqual([60, DAY, 7 * DAY, 31 * DAY]);
  });

  it('agrees with the crons of the named frequencies', () => {
    for (const frequency of ['hourly', 'daily', 'weekly', 'monthly'] as const) {
      const { cron, timeZone } = scheduleOf({ frequency }, 12_345)!;
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

describe('when a plan is due (P6)', () => {
  it('with a named frequency is some minutes after the documented hour, the same ones each time', () => {
    expect([0, 61, 119].map((seed) => scheduleOf({ frequency: 'daily' }, seed))).toEqual([0, 1, 59].map((offsetMinutes) => ({ cron: '0 2 * * *', timeZone: 'UTC', offsetMinutes })));
    expect((['hourly', 'weekly', 'monthly'] as const).map((frequency) => scheduleOf({ frequency }, 7)?.cron)).toEqual(['0 * * * *', '0 3 * * 0', '0 4 1 * *']);
  });

  it('is never moved further than the RPO of its service level allows (P5)', () => {
    const offsets = (rpoMinutes: number) => new Set(Array.from({ length: 300 }, (_, seed) => scheduleOf({ frequency: 'hourly', serviceLevel: { rtoMinutes: 60, rpoMinutes } }, seed)?.offsetMinutes as number));
    expect([60, 70, 200].map((rpoMinutes) => Math.max(...offsets(rpoMinutes)))).toEqual([0, 10, 59]);
    const berlin = { cron: '0 2 * * *', timeZone: 'Europe/Berlin', spreadMinutes: 120 };
    expect(scheduleOf({ frequency: berlin, serviceLevel: { rtoMinutes: 60, rpoMinutes: 25 * 60 + 5 } }, 5 + 6 * 100)?.offsetMinutes).toBe(5);
  });

  it('with a cron is exactly then, or spread as far as somebody allowed', () => {
    expect(scheduleOf({ frequency: { cron: '30 2 * * *', timeZone: 'Europe/Berlin' } }, 17)).toEqual({ cron: '30 2 * * *', timeZone: 'Europe/Berlin', offsetMinutes: 0 });
    expect([17, 31].map((seed) => scheduleOf({ frequency: { cron: '30 2 * * *', timeZone: 'UTC', spreadMinutes: 30 } }, seed)?.offsetMinutes)).toEqual([17, 0]);
    expect(scheduleOf({}, 17)).toBeUndefined();
  });
});
