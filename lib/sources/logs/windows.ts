import * as z from 'zod';
import { fromText } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { pathOfKey } from '../s3/key-paths.ts';
import type { KeptObject, ObjectAttribute } from '../source.ts';
import type { LogGroup, TimeRange } from './log-groups.ts';

const DAY_MS = 86_400_000;
/** CloudWatch takes no event that is older. */
const MOST_LATE_MS = 14 * DAY_MS;

export interface WindowOptions {
  readonly rangeMs: number;
  /** Divides a day. */
  readonly windowMs: number;
  readonly lateMs: number;
}

/** The windows of a group that lie in the range that ends now, the newest one not over yet. They meet end to end. */
export function windowsOf({ created }: Pick<LogGroup, 'created'>, { rangeMs, windowMs }: WindowOptions, now: number): TimeRange[] {
  // What is sent to a new group may have happened before the group was made.
  const first = Math.floor(Math.max(now - rangeMs, created - MOST_LATE_MS) / windowMs) * windowMs;
  return Array.from({ length: Math.max(0, Math.floor((now - first) / windowMs) + 1) }, (_, index) => ({ from: first + index * windowMs, to: first + (index + 1) * windowMs }));
}

/** `log-groups/aws/lambda/shop/date=2026-11-28/13-00.ndjson`, by UTC. No name of a group has a `=` in it. */
export function windowPath(group: string, { from }: TimeRange): ByteString {
  const iso = new Date(from).toISOString();
  return `log-groups/${pathOfKey(fromText(group.replace(/^\//, '')))}/date=${iso.slice(0, 10)}/${iso.slice(11, 13)}-${iso.slice(14, 16)}.ndjson` as ByteString;
}

/** The extended attribute of an entry that says which events it holds. */
export const WINDOW_ATTRIBUTE = fromText('user.holdfast.log-window');

export interface KeptWindow extends TimeRange {
  readonly group: string;
  readonly events: number;
  /** Milliseconds since the epoch, before the first event was asked for. */
  readonly readAt: number;
  /** How long after it happened the latest event arrived; milliseconds. */
  readonly latestMs: number;
}

const schema = z.object({ group: z.string(), from: z.number(), to: z.number(), events: z.number(), readAt: z.number(), latestMs: z.number() });

export function attributeOf(window: KeptWindow): ObjectAttribute {
  return { name: WINDOW_ATTRIBUTE, value: Buffer.from(JSON.stringify(window)) };
}

export function keptWindowOf({ attributes }: Pick<KeptObject, 'attributes'>): KeptWindow | undefined {
  const attribute = attributes.find(({ name }) => name === WINDOW_ATTRIBUTE);
  if (!attribute) return undefined;
  const parsed = schema.safeParse(JSON.parse(Buffer.from(attribute.value).toString('utf8')));
  if (!parsed.success) throw new HoldfastError('damaged', `The attribute ${WINDOW_ATTRIBUTE} of an entry is not what a backup of logs writes: ${parsed.error.issues[0]?.message ?? 'it does not fit'}.`, { nextStep: 'Check the backup with `holdfast verify`.' });
  return parsed.data;
}

/**
 * True when nothing that matters can have come since it was read: it was read when it had been over for `lateMs`, and once more at
 * the age at which hardly anything or nothing can come, if it is that old.
 *
 *   from ──── events ──── to ──── lateMs ────┊──────────────── final age ┊
 *        read by every run ─────────────────►┊ taken over ──────────────►┊ read once ► taken over
 */
export function isSettled(kept: KeptWindow, wanted: TimeRange & { readonly group: string }, { lateMs, now, retentionDays }: { readonly lateMs: number; readonly now: number; readonly retentionDays: number | undefined }): boolean {
  if (kept.group !== wanted.group || kept.from !== wanted.from || kept.to !== wanted.to) return false;
  // All of its events are gone: however early it was read, there is nothing better.
  if (retentionDays !== undefined && wanted.to <= now - retentionDays * DAY_MS) return true;
  if (kept.readAt < kept.to + lateMs) return false;
  // Some are gone, and it has them all.
  if (isBeyond(wanted, retentionDays, now)) return true;
  const last = kept.to + Math.max(lateMs, finalAgeMs(retentionDays));
  return kept.readAt >= last || now < last;
}

/** The service has deleted events of it, or may do so while they are read. */
export function isBeyond({ from }: Pick<TimeRange, 'from'>, retentionDays: number | undefined, now: number): boolean {
  return retentionDays !== undefined && from <= now - retentionDays * DAY_MS;
}

/** Where events are deleted before they can no longer come, they are looked for at half of their life. */
function finalAgeMs(retentionDays: number | undefined): number {
  return Math.min(MOST_LATE_MS, retentionDays === undefined ? Infinity : (retentionDays * DAY_MS) / 2);
}
