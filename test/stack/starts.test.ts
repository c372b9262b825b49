import { dueTimeOf } from '../../lib/scheduling/due-time.ts';
import { occurrencesBetween } from '../../lib/scheduling/cron.ts';
import { schedulerExpressions } from '../../lib/stack/scheduler-expression.ts';
import { EXAMPLE, ofType, templateOf } from '../support/stack/synthesize.ts';

const template = templateOf();
const DAY = 24 * 60 * 60_000;

describe('declared schedules (P6)', () => {
  test('fire in their zone, try for an hour, and keep what could not be delivered', () => {
    const schedules = ofType(template, 'AWS::Scheduler::Schedule').map(([, { Properties }]) => Properties);
    expect(schedules.length).toBe(3);
    const orders = schedules.find(({ Description }) => String(Description).startsWith('Holdfast: plan orders,'));
    expect(orders).toMatchObject({ ScheduleExpression: 'cron(0 2 * * ? *)', ScheduleExpressionTimezone: 'Europe/Berlin', FlexibleTimeWindow: { Mode: 'OFF' }, Target: { RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 10 }, DeadLetterConfig: { Arn: { 'Fn::GetAtt': ['DeadLettersUndelivered38E8742A', 'Arn'] } } } });
    expect(JSON.parse(String(orders?.['Target'].Input))).toEqual({ plan: 'orders', scheduledTime: '<aws.scheduler.scheduled-time>' });
  });

  test.each([
    ['0 2 * * *', 0, ['cron(0 2 * * ? *)']],
    ['0 2 * * *', 17, ['cron(17 2 * * ? *)']],
    ['50 23 * * *', 17, ['cron(7 0 * * ? *)']],
    ['50 23 * * 6', 17, ['cron(7 0 ? * 1 *)']],
    ['50 23 31 * *', 17, ['cron(50 23 31 * ? *)']],
    ['*/15 * * * *', 20, ['cron(5,20,35,50 * * * ? *)']],
    ['0,50 8-10 * * *', 20, ['cron(20 8-10 * * ? *)', 'cron(10 9-11 * * ? *)']],
    ['0 3 * * 0', 0, ['cron(0 3 ? * 1 *)']],
    ['0 3 * * mon-fri', 0, ['cron(0 3 ? * 2-6 *)']],
    ['0 3 1 * *', 0, ['cron(0 3 1 * ? *)']],
    ['* * * * *', 0, ['cron(* * * * ? *)']],
  ] as const)('%s moved by %d minutes is %j', (cron, offsetMinutes, expected) => {
    expect(schedulerExpressions({ cron, timeZone: 'UTC', offsetMinutes })).toEqual(expected);
  });

  test.each([['*/7 1-22/5 * * *', 33], ['15 3,12 * * 1,5', 50], ['59 23 * * *', 59], ['30 23 1,31 * *', 45], ['0 0 1 1 *', 0], ['10 6 * * 7', 5]] as const)('%s moved by %d minutes fires for every due time of a year, and for nothing else', (cron, offsetMinutes) => {
    const schedule = { cron, timeZone: 'UTC', offsetMinutes };
    const from = Date.UTC(2026, 0, 1);
    const to = Date.UTC(2027, 0, 1);
    const due = occurrencesBetween(schedule, from, to);
    const fired = new Set(firings(schedulerExpressions(schedule), from - DAY, to).map((at) => dueTimeOf(schedule, at)));
    expect([...fired].filter((at) => at !== undefined && at >= from && at < to).sort((a = 0, b = 0) => a - b)).toEqual(due);
    expect(due.length).toBeGreaterThan(0);
  });

  test('a cron that nobody can read is refused', () => {
    expect(() => schedulerExpressions({ cron: '99 * * * *', timeZone: 'UTC', offsetMinutes: 0 })).toThrow(/five fields/);
  });
});

describe('events that start plans (P7)', () => {
  const [, rule] = ofType(template, 'AWS::Events::Rule').find(([id]) => id.startsWith('EventsPlanmedia')) as [string, { Properties: Record<string, any> }]; // eslint-disable-line typescript/no-explicit-any -- a template

  test('are matched by the pattern as it was written, and passed on with their id', () => {
    expect(rule.Properties['EventPattern']).toEqual({ 'source': ['shop.pipeline'], 'detail-type': ['Deployment Starting'] });
    const [target] = rule.Properties['Targets'];
    expect(target.InputTransformer.InputPathsMap).toEqual({ id: '$.id', time: '$.time' });
    expect(target.InputTransformer.InputTemplate).toBe('{"plan":"media","eventId":<id>,"eventTime":<time>}');
    expect(target).toMatchObject({ RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 10 }, DeadLetterConfig: { Arn: expect.anything() } });
  });

  test('are never everything', () => {
    expect(() => templateOf({ yaml: EXAMPLE.replace('{ source: [shop.pipeline], detail-type: [Deployment Starting] }', '{}') })).toThrow(/pattern/);
  });
});

/** All minutes at which Scheduler would fire, by its own rules, in UTC. */
function firings(expressions: readonly string[], from: number, to: number): number[] {
  const parsed = expressions.map((text) => /^cron\((.*)\)$/.exec(text)?.[1]?.split(' ').map(values) ?? []);
  const found: number[] = [];
  for (let at = from; at < to; at += 60_000) {
    const date = new Date(at);
    const now = [date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate(), date.getUTCMonth() + 1, date.getUTCDay() + 1];
    if (parsed.some((fields) => now.every((value, index) => fields[index]?.(value)))) found.push(at);
  }
  return found;
}

function values(field: string): (value: number) => boolean {
  if (field === '*' || field === '?') return () => true;
  const allowed = new Set(field.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }));
  return (value) => allowed.has(value);
}
