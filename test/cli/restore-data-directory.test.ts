import { timeTarget } from '../../lib/cli/commands/restore-data-directory.ts';

const NOW = Date.UTC(2026, 10, 28, 14, 30, 0, 250);

describe('a time to recover to (R4)', () => {
  it.each<readonly [string, string]>([
    ['2026-11-20T14:30:00Z', '2026-11-20 14:30:00+00'],
    ['2026-11-20 14:30:00.123456Z', '2026-11-20 14:30:00.123456+00'],
    ['2026-11-20 14:30:00.5+02:00', '2026-11-20 12:30:00.500000+00'],
    // As PostgreSQL prints it.
    ['2026-11-20 14:30:00.000001+00', '2026-11-20 14:30:00.000001+00'],
    ['2026-11-20 14:30:00-07', '2026-11-20 21:30:00+00'],
    ['1h', '2026-11-28 13:30:00.250000+00'],
  ])('%s is %s for PostgreSQL', (written, text) => {
    expect(timeTarget(written, NOW)).toMatchObject({ kind: 'time', text });
  });

  it('is compared to the microsecond, and a date is its begin', () => {
    expect(timeTarget('2026-11-20 14:30:00.000250Z', NOW)).toMatchObject({ at: Date.UTC(2026, 10, 20, 14, 30) + 0.25 });
    // As WAL tells it: a number of microseconds, divided once.
    expect(timeTarget('2026-11-20 14:30:00.643177Z', NOW)).toMatchObject({ at: (Date.UTC(2026, 10, 20, 14, 30) * 1000 + 643_177) / 1000 });
    expect(timeTarget('2026-11-20', NOW)).toMatchObject({ at: new Date(2026, 10, 20).getTime() });
    expect(() => timeTarget('yesterday', NOW)).toThrow(/--to-time has the value "yesterday", wanted a date, a time, or an age/);
  });
});
