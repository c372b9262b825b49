import * as z from 'zod';
import { durationWithin, path, strictMap, text, texts, wholeNumber } from './schema-words.ts';
import { keysProblem, servicePlace } from './service-words.ts';
import type { ResolvedServicePlace } from './service-words.ts';

/** Directories of logs and log groups of CloudWatch, with every default filled in. */
export interface ResolvedLogs extends ResolvedServicePlace {
  readonly type: 'logs';
  readonly paths: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Names, or what they begin with and a `*`. */
  readonly logGroups: readonly string[];
  /** How far back a backup reaches. */
  readonly rangeMs: number;
  /** Of one entry of a log group. */
  readonly windowMs: number;
  /** So long after its end a window is read again by every run. */
  readonly lateMs: number;
  /** Windows that are read at once. */
  readonly parallel: number;
}

const GROUP_WANTED = 'the name of a log group, or what names begin with and "*", such as "/aws/lambda/shop-*"';
const group = text(GROUP_WANTED).regex(/^[.\-_/#A-Za-z0-9]*\*?$/, { error: GROUP_WANTED });
const DAY_MS = 86_400_000;
const MOST_WINDOWS = 100_000;

export const logs = strictMap({
  type: z.literal('logs'),
  paths: z.array(path, { error: 'a list of paths' }).optional().meta({ description: 'Directories of log files, and single files.' }),
  include: texts('pattern').optional().meta({ description: 'Only files that match one of these are kept.' }),
  exclude: texts('pattern').optional().meta({ description: 'Files that match one of these are left out; wins over include.' }),
  'log-groups': z.array(group, { error: `a list of: ${GROUP_WANTED}` }).optional().meta({ description: 'Log groups of CloudWatch.' }),
  range: durationWithin('1h', '3653d').prefault('30d').meta({ description: 'Files that were written, and events that happened, since so long ago are in each backup.' }),
  window: durationWithin('1m', '1d').prefault('1h').meta({ description: 'Events of a log group are kept in one file for each so long; it divides a day.' }),
  late: durationWithin('1m', '14d').prefault('1h').meta({ description: 'Events that reach CloudWatch so long after they happened are in the next backup for certain. Each run reads so much again.' }),
  parallel: wholeNumber(1, 16).default(4).meta({ description: 'Windows of log groups that are read at once.' }),
  ...servicePlace,
}, 'a logs source').superRefine((fields, context) => {
  const problem = keysProblem(fields);
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['access-key-id'], message: problem });
  if ([fields.paths, fields['log-groups']].every((list = []) => list.length === 0)) context.addIssue({ code: 'custom', path: ['paths'], message: 'at least one of paths, log-groups' });
  if (DAY_MS % fields.window !== 0) context.addIssue({ code: 'custom', path: ['window'], message: 'a duration that divides a day: 1m, 5m, 15m, 1h, 6h, 1d' });
  if (fields.range / fields.window > MOST_WINDOWS) context.addIssue({ code: 'custom', path: ['window'], message: `at most ${MOST_WINDOWS} windows in the range: a longer window or a shorter range` });
});

export type LogsFields = z.output<typeof logs>;
