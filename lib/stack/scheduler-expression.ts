import type { Cron } from '../config/cron.ts';
import { parseCron } from '../config/cron.ts';
import { HoldfastError } from '../model/errors.ts';
import type { DeployedSchedule } from '../settings/deployed.ts';

const DAY_MINUTES = 1440;

/**
 * Five fields of cron, moved by the schedule's offset, in the words of EventBridge Scheduler: six fields, weekdays from 1
 * (Sunday), days or weekdays but never both. One schedule can need several expressions; what two of them have in common
 * is still one occurrence. Where the offset would pass midnight of a day of the month, the expression stays at the cron
 * time: dispatch knows that such a firing stands for the time `offset` later. The zone is Scheduler's own setting.
 * Fails with `config-invalid`.
 */
export function schedulerExpressions({ cron: text, offsetMinutes }: DeployedSchedule): string[] {
  const cron = parseCron(text);
  if (cron === undefined) throw new HoldfastError('config-invalid', `The cron expression ${JSON.stringify(text)} cannot be read, wanted five fields: minute hour day month weekday.`, { nextStep: 'Correct the schedule in holdfast.yaml.' });
  const moved = clocks(cron, offsetMinutes);
  const isSayable = (cron.isAnyDay && cron.months.size === 12) || moved.every((clock) => !clock.isNextDay);
  return [...new Set((isSayable ? moved : clocks(cron, 0)).flatMap((clock) => written(cron, clock)))];
}

/** Times of the day that one expression can say: each of the minutes in each of the hours. */
interface Clock {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly isNextDay: boolean;
}

/** Adds the offset. Minutes that stay in their hour and minutes that pass into the next come in different groups. */
function clocks({ minutes, hours, isAnyDay, isAnyWeekday, months }: Cron, offsetMinutes: number): Clock[] {
  // Where all days are alike, it does not matter to which of them a time belongs.
  const isEveryDay = isAnyDay && isAnyWeekday && months.size === 12;
  const times = [...hours].flatMap((hour) => [...minutes].map((minute) => (hour * 60 + minute + offsetMinutes) % (isEveryDay ? DAY_MINUTES : Infinity)));
  const byMinute = [...Map.groupBy(times, (at) => `${at >= DAY_MINUTES} ${at % 60}`).values()].map((group) => ({
    minute: (group[0] as number) % 60,
    hours: ascending(group.map((at) => Math.floor(at / 60) % 24)),
    isNextDay: (group[0] as number) >= DAY_MINUTES,
  }));
  return [...Map.groupBy(byMinute, (one) => `${one.isNextDay} ${one.hours.join()}`).values()].map((group) => ({
    minutes: ascending(group.map((one) => one.minute)),
    hours: group[0]?.hours ?? [],
    isNextDay: group[0]?.isNextDay ?? false,
  }));
}

/** As in cron, a date fits when its day or its weekday does, once both are chosen. */
function written({ days, months, weekdays, isAnyDay, isAnyWeekday }: Cron, { minutes, hours, isNextDay }: Clock): string[] {
  const clock = `${list(minutes, 60)} ${list(hours, 24)}`;
  const month = list([...months], 12);
  const byDay = `cron(${clock} ${list([...days], 31)} ${month} ? *)`;
  const byWeekday = `cron(${clock} ? ${month} ${list([...weekdays].map((day) => ((day + (isNextDay ? 1 : 0)) % 7) + 1), 7)} *)`;
  if (isAnyWeekday) return [byDay];
  return isAnyDay ? [byWeekday] : [byDay, byWeekday];
}

/** `*` for all, ranges where numbers follow each other: an expression has at most 256 characters. */
function list(values: readonly number[], all: number): string {
  const sorted = ascending(values);
  if (sorted.length === all) return '*';
  const starts = sorted.filter((value) => !sorted.includes(value - 1));
  return starts.flatMap((start): (number | string)[] => {
    const run = sorted.filter((value, index) => value >= start && index - sorted.indexOf(start) === value - start);
    return run.length < 3 ? run : [`${start}-${run.at(-1)}`];
  }).join(',');
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
