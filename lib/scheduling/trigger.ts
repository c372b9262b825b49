import * as z from 'zod';
import type { OccurrenceRecord } from '../catalog/ledger-records.ts';
import { HoldfastError } from '../model/errors.ts';

/** What asks for a run of a plan. */
export type Trigger =
  /** `scheduledTime` absent: the latest time that was due. */
  | { readonly plan: string; readonly kind: 'schedule' | 'catch-up'; readonly scheduledTime?: number }
  /** `eventTime`: when it happened, so that a late second delivery still falls where the first did. */
  | { readonly plan: string; readonly kind: 'event'; readonly eventId: string; readonly eventTime?: number }
  /** `type` full: everything is read again. */
  | { readonly plan: string; readonly kind: 'manual'; readonly idempotencyKey: string; readonly type?: 'full' };

/** EventBridge Scheduler fills this in; a scheduler that does not know the keyword sends it as it is. */
const SCHEDULED_TIME_KEYWORD = '<aws.scheduler.scheduled-time>';

const KEY = /^[\x21-\x7e]{1,200}$/;
const plan = z.string().min(1);
const instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const key = z.string().regex(KEY);
const scheduledTime = z.union([z.literal(SCHEDULED_TIME_KEYWORD).transform(() => undefined), instant]);

const request = z.union([
  z.strictObject({ plan, scheduledTime }).transform(({ scheduledTime: at, ...rest }): Trigger => ({ ...rest, kind: 'schedule', ...(at === undefined ? {} : { scheduledTime: at }) })),
  z.strictObject({ plan, eventId: key, eventTime: instant.optional() }).transform(({ eventTime, ...rest }): Trigger => ({ ...rest, kind: 'event', ...(eventTime === undefined ? {} : { eventTime }) })),
  z.strictObject({ plan, idempotencyKey: key, type: z.literal('full').optional() }).transform(({ type, ...rest }): Trigger => ({ ...rest, kind: 'manual', ...(type === undefined ? {} : { type }) })),
]);

const WANTED = '{"plan": name} with one of "scheduledTime" (ISO 8601), "eventId" (and "eventTime"), "idempotencyKey" (1 to 200 printable characters; and "type": "full")';

/** Reads what a schedule, an event rule or a person sent. Unknown fields, none or two of the keys fail as `usage`. */
export function parseTrigger(value: unknown): Trigger {
  const parsed = request.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HoldfastError('usage', `A request to run a plan was ${shortened(value)}; wanted ${WANTED}.`);
}

/** Names the moment: a second claim of the same key makes no second run. */
export function occurrenceKey(planName: string, kind: 'schedule' | 'event' | 'manual', what: number | string): OccurrenceRecord['key'] {
  return `${planName}/${kind}/${typeof what === 'number' ? new Date(what).toISOString() : what}`;
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 297)}...` : text;
}
