import * as z from 'zod';
import { COMMAND_WANTED } from './source-schema.ts';
import { duration, strictMap, text } from './schema-words.ts';

/** Commands around the runs of a plan. */
export interface ResolvedHooks {
  readonly before?: ResolvedHook;
  readonly after?: ResolvedHook;
  readonly onFailure?: ResolvedHook;
}

export interface ResolvedHook {
  /** A line for the shell, or a program and its arguments. */
  readonly command: string | readonly string[];
  /** It is ended with everything that it started when it takes longer. */
  readonly timeoutMs: number;
}

const MINUTE = 60_000;
const DEFAULT_TIMEOUT_MS = 10 * MINUTE;
const LONGEST_MS = 24 * 60 * MINUTE;
const TIMEOUT_WANTED = 'a duration up to 24 hours, such as "90s", "20m" or "2h"';
const HOOK_WANTED = `${COMMAND_WANTED}, or a map with "command" and "timeout"`;

const command = z.union([text(COMMAND_WANTED), z.array(text('a word of the command'), { error: COMMAND_WANTED }).min(1, { error: COMMAND_WANTED })], { error: COMMAND_WANTED });

export const hook = z.union([
  command,
  strictMap({
    command,
    timeout: duration.refine((milliseconds) => milliseconds <= LONGEST_MS, { error: TIMEOUT_WANTED }).optional().meta({ description: 'It is ended, with everything that it started, when it takes longer; 10m when absent.' }),
  }, HOOK_WANTED),
], { error: HOOK_WANTED });

export const hooks = strictMap({
  before: hook.optional().meta({ description: 'Runs before anything is read; when it fails, the run fails and nothing is read.' }),
  after: hook.optional().meta({ description: 'Runs when the backup is committed; when it fails, the run ends with a warning and the backup stays.' }),
  'on-failure': hook.optional().meta({ description: 'Runs when the run has failed or was stopped, also when it was `before` that failed.' }),
}, 'a map with "before", "after" and "on-failure"');

export type HookFields = z.output<typeof hook>;

export function resolveHooks({ before, after, 'on-failure': onFailure }: z.output<typeof hooks>): ResolvedHooks {
  return { ...(before && { before: resolveHook(before) }), ...(after && { after: resolveHook(after) }), ...(onFailure && { onFailure: resolveHook(onFailure) }) };
}

export function resolveHook(fields: HookFields): ResolvedHook {
  if (typeof fields === 'string' || Array.isArray(fields)) return { command: fields, timeoutMs: DEFAULT_TIMEOUT_MS };
  return { command: fields.command, timeoutMs: fields.timeout ?? DEFAULT_TIMEOUT_MS };
}
