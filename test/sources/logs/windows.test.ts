import { isSettled } from '../../../lib/sources/logs/windows.ts';
import { DAY, HOUR } from './desk.ts';

const NOON = Date.UTC(2026, 10, 28, 12);
const WINDOW = { group: 'shop', from: NOON, to: NOON + HOUR };
const read = (readAt: number) => ({ ...WINDOW, events: 5, readAt, latestMs: 0 });
const at = (now: number, retentionDays?: number) => ({ lateMs: HOUR, now, retentionDays });

describe('a window of a log group (S9)', () => {
  it.each<[string, number, number, number | undefined, boolean]>([
    ['was read too early: more may have come', NOON + HOUR, NOON + 3 * HOUR, undefined, false],
    ['was read when all had come', NOON + 2 * HOUR, NOON + 3 * HOUR, undefined, true],
    ['was read too early, and its events are all gone: what is kept is all there is', NOON + HOUR, NOON + HOUR + DAY, 1, true],
    ['was read too early, and a part of its events is gone', NOON + HOUR, NOON + DAY + HOUR / 2, 1, false],
    ['was read when all had come, and a part of its events is gone', NOON + 2 * HOUR, NOON + DAY + HOUR / 2, 1, true],
  ])('that %s', (_, readAt, now, retentionDays, wanted) => {
    expect(isSettled(read(readAt), WINDOW, at(now, retentionDays))).toBe(wanted);
  });

  it('that is another one is not settled by this', () => {
    expect(isSettled(read(NOON + 2 * HOUR), { ...WINDOW, group: 'other' }, at(NOON + 3 * HOUR))).toBe(false);
  });
});
