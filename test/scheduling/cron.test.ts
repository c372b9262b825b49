import { latestOccurrence, occurrencesBetween } from '../../lib/scheduling/cron.ts';

const DAY = 24 * 60 * 60_000;

function due(cron: string, timeZone: string, from: string, days = 1, offsetMinutes = 0): string[] {
  const start = Date.parse(from);
  return occurrencesBetween({ cron, timeZone, offsetMinutes }, start, start + days * DAY).map((instant) => new Date(instant).toISOString().slice(0, 16));
}

describe('when a schedule is due (P6)', () => {
  it('runs a clock time that DST skips at the first valid instant', () => {
    expect(due('30 2 * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z')).toEqual(['2026-03-29T01:00']);
  });

  it('runs several skipped clock times once', () => {
    expect(due('0,20,40 2 * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z')).toEqual(['2026-03-29T01:00']);
  });

  it('does not run twice where a skipped time meets the next one', () => {
    expect(due('0 2,3 * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z')).toEqual(['2026-03-29T01:00']);
  });

  it('runs a repeated clock time the first time only', () => {
    expect(due('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:00:00Z')).toEqual(['2026-10-25T00:30']);
  });

  it('runs an hourly schedule in both passes of a repeated hour, so that no two hours go without a backup', () => {
    expect(due('0 * * * *', 'Europe/Berlin', '2026-10-24T23:00:00Z', 4 / 24)).toEqual(['2026-10-24T23:00', '2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00']);
  });

  it('finds the first valid instant where midnight itself is skipped', () => {
    // Cairo: on 24 April 2026 the clock goes from 00:00 to 01:00.
    expect(due('0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00:00Z')).toEqual(['2026-04-23T22:00']);
  });

  it('knows half an hour of DST', () => {
    // Lord Howe: on 4 October 2026 the clock goes from 02:00 to 02:30, at 15:30 UTC of the day before.
    expect(due('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T12:00:00Z')).toEqual(['2026-10-03T15:30']);
  });

  it('survives a day that a zone left out', () => {
    // Samoa had no 30 December 2011.
    expect(due('0 12 30 12 *', 'Pacific/Apia', '2011-12-29T00:00:00Z', 3)).toEqual(['2011-12-30T10:00']);
  });

  it('adds the offset to the instant, over the edge of DST as well', () => {
    expect(due('55 1 * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 1, 10)).toEqual(['2026-03-29T01:05']);
  });

  it('includes the beginning of a stretch and excludes its end', () => {
    const schedule = { cron: '0 3 * * *', timeZone: 'UTC', offsetMinutes: 0 };
    const three = Date.parse('2026-06-02T03:00:00Z');
    expect(occurrencesBetween(schedule, three, three + 1)).toEqual([three]);
    expect(occurrencesBetween(schedule, three - 1, three)).toEqual([]);
  });

  it('takes either day field where both are restricted', () => {
    expect(due('0 0 15 * 1', 'UTC', '2026-06-12T00:00:00Z', 12)).toEqual(['2026-06-15T00:00', '2026-06-22T00:00']);
    expect(due('0 0 16 * 1', 'UTC', '2026-06-12T00:00:00Z', 6)).toEqual(['2026-06-15T00:00', '2026-06-16T00:00']);
  });

  it('finds the latest time that was due, years back when it must', () => {
    expect(latestOccurrence({ cron: '0 0 29 2 *', timeZone: 'UTC', offsetMinutes: 0 }, Date.parse('2027-06-02T00:00:00Z'))).toBe(Date.parse('2024-02-29T00:00:00Z'));
    expect(latestOccurrence({ cron: '0 0 31 2 *', timeZone: 'UTC', offsetMinutes: 0 }, Date.parse('2027-06-02T00:00:00Z'))).toBeUndefined();
  });

  it.each([['61 * * * *'], ['* * * *'], ['0 0 0 * * *'], ['x * * * *']])('refuses the expression %s', (cron) => {
    expect(() => due(cron, 'UTC', '2026-06-02T00:00:00Z')).toThrow(expect.objectContaining({ code: 'config-invalid' }));
  });

  it('refuses a zone that nobody knows', () => {
    expect(() => due('0 0 * * *', 'Mars/Olympus', '2026-06-02T00:00:00Z')).toThrow(/Mars\/Olympus.*IANA/s);
  });
});
