import * as z from 'zod';
import { parseCron } from './cron.ts';
import { byteSize, oneOf, strictMap, text, wholeNumber, yesOrNo } from './schema-words.ts';
import { FREQUENCIES, SERVICE_LEVELS } from './service-levels.ts';
import type { FrequencyName, ServiceLevelName } from './service-levels.ts';

const CRON = /^(\S+ +){4}\S+$/;
const CRON_FIELDS_WANTED = 'fields of "*", numbers, names (mon, jan), lists (1,15), ranges (1-5) and steps (*/10): minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-7';
const FREQUENCY_WANTED = 'hourly, daily, weekly, monthly, or a map with "cron" and "time-zone"';

const frequency = z.union(
  [
    oneOf(Object.keys(FREQUENCIES) as [FrequencyName, ...FrequencyName[]]),
    strictMap({
      cron: text('five cron fields').regex(CRON, { error: 'five cron fields: minute hour day month weekday', abort: true }).refine((value) => parseCron(value) !== undefined, { error: CRON_FIELDS_WANTED }),
      'time-zone': z.string({ error: 'an IANA time zone' }).refine(isTimeZone, { error: 'an IANA time zone such as "Europe/Berlin"' }).default('UTC'),
      'spread-minutes': wholeNumber(1, 12 * 60).optional().meta({ description: 'In AWS the plan starts up to so many minutes later, always by the same number: plans with one cron do not all start at once.' }),
    }, FREQUENCY_WANTED),
  ],
  { error: FREQUENCY_WANTED },
).meta({ description: 'How often a backup is made. Without it the plan runs only when asked to.' });

const count = wholeNumber(1, 100_000);

const retention = strictMap({
  days: count.optional().meta({ description: 'Keep every good backup for this many days.' }),
  count: count.optional().meta({ description: 'Keep the newest N good backups.' }),
  hourly: count.optional(),
  daily: count.optional(),
  weekly: count.optional(),
  monthly: count.optional(),
  yearly: count.optional(),
}, 'a map with days, count, hourly, daily, weekly, monthly, yearly').meta({ description: 'What is kept. A backup stays while any rule wants it; without rules everything stays.' });

const COMPRESSION_WANTED = 'a map with "algorithm" (zstd, gzip, none) and "level"';
const LZ4 = 'zstd, gzip or none: lz4 is not there yet';
const algorithm = z.enum(['zstd', 'gzip', 'none'], { error: (issue) => (issue.input === 'lz4' ? LZ4 : 'one of zstd, gzip, none') });
const compression = strictMap({
  algorithm: algorithm.default('zstd'),
  level: wholeNumber(1, 22).optional().meta({ description: 'zstd 1 to 22 (3 when absent), gzip 1 to 9 (6 when absent).' }),
}, COMPRESSION_WANTED)
  .refine((value) => value.level === undefined || value.algorithm !== 'gzip' || value.level <= 9, { path: ['level'], error: 'a whole number from 1 to 9 (gzip)' })
  .refine((value) => value.level === undefined || value.algorithm !== 'none', { path: ['level'], error: 'no level when the algorithm is none' });

const minutes = wholeNumber(1, 366 * 24 * 60);
const serviceLevel = z.union(
  [oneOf(Object.keys(SERVICE_LEVELS) as [ServiceLevelName, ...ServiceLevelName[]]), strictMap({ 'rto-minutes': minutes, 'rpo-minutes': minutes }, 'a map with rto-minutes and rpo-minutes')],
  { error: 'critical, high, medium, low, or a map with rto-minutes and rpo-minutes' },
);

const fields = {
  frequency: frequency.optional(),
  retention: retention.optional(),
  class: z.enum(['hot', 'warm', 'cold'], { error: (issue) => (issue.input === 'archive' ? 'hot, warm or cold: archive is a destination of its own, not a class' : 'one of hot, warm, cold') }).optional(),
  encryption: oneOf(['aes-256-gcm', 'chacha20-poly1305']).optional(),
  compression: compression.optional(),
  verification: oneOf(['none', 'structure', 'sample', 'full']).optional().meta({ description: 'What is read back from the store before the backup counts as good.' }),
  'warnings-are-good': yesOrNo().optional().meta({ description: 'Whether a backup that ended with warnings counts as good (default true).' }),
  'minimum-size': byteSize.optional().meta({ description: 'A smaller backup fails: a floor against empty dumps.' }),
  priority: wholeNumber(0, 100).optional().meta({ description: 'Higher runs first; 50 when absent.' }),
  'service-level': serviceLevel.optional(),
};

const POLICY_WANTED = 'the name of a policy or a map of policy fields';
export const policy = strictMap(fields, 'a map of policy fields');
/** In a plan: a name, or fields on top of a named policy. */
export const planPolicy = z.union([text(POLICY_WANTED), strictMap({ 'based-on': text('the name of a policy').optional(), ...fields }, POLICY_WANTED)], { error: POLICY_WANTED });

export type PolicyInput = z.input<typeof policy>;
export type PolicyFields = z.output<typeof policy>;

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone.length > 0;
  } catch {
    return false;
  }
}
