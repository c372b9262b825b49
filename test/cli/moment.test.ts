import { parseMoment } from '../../lib/cli/moment.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');

describe('times on the command line', () => {
  test.each([
    ['90min', '2026-11-21T10:30:00Z'], ['12h', '2026-11-21T00:00:00Z'], ['3d', '2026-11-18T12:00:00Z'], ['2 w', '2026-11-07T12:00:00Z'],
    ['2026-11-20T14:30:15Z', '2026-11-20T14:30:15Z'], ['2026-11-20T14:30+02:00', '2026-11-20T12:30:00Z'],
  ])('%s is %s', (text, wanted) => expect(new Date(parseMoment(text, '--newer', NOW)).toISOString()).toBe(new Date(wanted).toISOString()));

  test('dates and times without a zone are those of this place', () => {
    expect(parseMoment('2026-11-20', '--newer', NOW)).toBe(new Date(2026, 10, 20).getTime());
    expect(parseMoment('2026-11-20 14:30', '--newer', NOW)).toBe(new Date(2026, 10, 20, 14, 30).getTime());
  });

  test('the 29th of February is a day in a leap year', () => expect(parseMoment('2028-02-29', '--newer', NOW)).toBe(new Date(2028, 1, 29).getTime()));

  test.each(['', 'yesterday', '3', '3y', '2026-13-01', '2026-11-31', '2026-02-29 12:00', '2026-11-31T10:00:00Z', '20.11.2026', '2026-11'])('%p is refused with examples', (text) => {
    expect(() => parseMoment(text, '--newer', NOW)).toThrow('--newer');
  });
});
