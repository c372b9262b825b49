import { backOff } from '../../lib/scheduling/back-off.ts';
import { dueTimeOf } from '../../lib/scheduling/due-time.ts';
import { rankOf } from '../../lib/scheduling/order-rules.ts';
import { pinnedPlan } from '../../lib/scheduling/pinned-plan.ts';
import { taskSizeFor } from '../../lib/scheduling/task-size.ts';

const MINUTE = 60_000;
const GIB = 1024 ** 3;

describe('place in the queue (P8)', () => {
  it('is earlier for a higher service level, and a little for a higher priority', () => {
    const level = (rpoMinutes: number) => rankOf({ priority: 50, serviceLevel: { rtoMinutes: 1, rpoMinutes } }, 0);
    const ranks = [level(5), level(15), level(60), level(240), rankOf({ priority: 100 }, 0), rankOf({ priority: 50 }, 0), rankOf({ priority: 0 }, 0)];
    expect([...ranks].sort((a, b) => a - b)).toEqual(ranks);
    expect(new Set(ranks).size).toBe(ranks.length);
  });

  it('starves nobody: no bonus is worth more than a few hours of waiting', () => {
    expect(rankOf({ priority: 0 }, 0)).toBeLessThan(rankOf({ priority: 100, serviceLevel: { rtoMinutes: 1, rpoMinutes: 1 } }, 3 * 60 * MINUTE));
  });
});

describe('waits between attempts', () => {
  it('are anything from nothing to a bound that doubles, at most 10 minutes', () => {
    expect(backOff(0, () => 0)).toBe(0);
    expect([0, 1, 2, 9, 500].map((attempts) => backOff(attempts, () => 1))).toEqual([30_000, 60_000, 120_000, 600_000, 600_000]);
  });
});

describe('the size of a task (P8)', () => {
  const task = { cpu: 512, memoryMiB: 1024, diskGiB: 30 };
  it.each([
    ['without earlier backups, the plan decides', task, [], task],
    ['small backups do not shrink it', task, [{ bytes: 1 }], task],
    ['the largest of the last backups counts', task, [{ bytes: 1 }, { bytes: 90 * GIB }], { cpu: 1024, memoryMiB: 2048, diskGiB: 30 }],
    ['the plan is a floor for each figure', { cpu: 256, memoryMiB: 8192, diskGiB: 30 }, [{ bytes: 90 * GIB }], { cpu: 1024, memoryMiB: 8192, diskGiB: 30 }],
    ['what nobody sells becomes the next larger', { cpu: 256, memoryMiB: 6000, diskGiB: 10 }, [], { cpu: 1024, memoryMiB: 6144, diskGiB: 21 }],
    ['a quarter of a processor has no 1.5 GiB', { cpu: 256, memoryMiB: 1536, diskGiB: 21 }, [], { cpu: 256, memoryMiB: 2048, diskGiB: 21 }],
    ['large sizes go in steps', { cpu: 8192, memoryMiB: 17 * 1024, diskGiB: 500 }, [], { cpu: 8192, memoryMiB: 20 * 1024, diskGiB: 180 }],
  ])('%s', (_, wanted, backups, size) => {
    expect(taskSizeFor(wanted, backups)).toEqual(size);
  });
});

describe('which due time a firing stands for', () => {
  const at = (text: string) => Date.parse(text);
  const berlin = { cron: '30 2 * * *', timeZone: 'Europe/Berlin', offsetMinutes: 7 };
  it.each([
    ['the time itself', '2026-06-02T00:37:00Z', '2026-06-02T00:37:00Z'],
    ['the cron time, when the offset could not be written into the expression', '2026-06-02T00:30:00Z', '2026-06-02T00:37:00Z'],
    ['a second pass of a repeated hour: the first', '2026-10-25T01:37:00Z', '2026-10-25T00:37:00Z'],
    ['a firing some time later: the one before', '2026-06-02T09:11:13Z', '2026-06-02T00:37:00Z'],
  ])('%s', (_, fired, due) => {
    expect(dueTimeOf(berlin, at(fired))).toBe(at(due));
  });
});

describe('the order of a run', () => {
  it.each([['not json'], ['{}'], ['{"name":"shop"}']])('that is %s is a broken invariant', (order) => {
    expect(() => pinnedPlan({ runId: 'r' as never, order })).toThrow(expect.objectContaining({ code: 'broken-invariant' }));
  });
});
