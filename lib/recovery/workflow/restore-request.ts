import * as z from 'zod';
import { HoldfastError } from '../../model/errors.ts';

/** All patterns together travel in the environment of a task, where 8,192 characters are the limit for everything. */
const MAX_SELECT_CHARACTERS = 3000;
const MAX_PATTERNS = 100;

const WANTED = '{"backup": id, "target": name under restore-targets, "confirm": the same name, "part"?: name, "select"?: [patterns]}';

const request = z.strictObject({
  backup: z.string().min(1).max(64),
  target: z.string().min(1).max(63),
  confirm: z.string(),
  part: z.string().min(1).max(63).optional(),
  select: z.array(z.string().min(1)).max(MAX_PATTERNS).refine((patterns) => patterns.join('').length <= MAX_SELECT_CHARACTERS, `at most ${MAX_SELECT_CHARACTERS} characters in all`).default([]),
});

/**
 * What a person gives to `aws stepfunctions start-execution --input`:
 *
 * - `backup`: the id of a backup, or the beginning of one that no other shares.
 * - `target`: a name under `restore-targets` of holdfast.yaml as it was deployed; nothing else can be restored to.
 * - `confirm`: the target once more, so that nobody overwrites by a slip.
 * - `part`: a part of a backup of several sources, which is restored alone; a database takes nothing else of such a backup.
 * - `select` (directories only): patterns as in `holdfast restore`; without it everything is restored.
 *
 * Any other field fails: a mistyped `select` must not restore everything, and nobody slips a task, a role or a network
 * past the check.
 */
export type RestoreRequest = z.infer<typeof request>;

/** Fails as `usage`, naming the field; the value of an unknown field is not shown. */
export function parseRestoreRequest(input: unknown): RestoreRequest {
  const parsed = request.safeParse(input);
  if (!parsed.success) throw badRequest(parsed.error.issues[0]);
  return parsed.data;
}

/** The input that starts the workflow; what `holdfast restore --aws` sends. */
export function restoreInput(asked: { readonly backup: string; readonly target: string; readonly confirm: string; readonly part?: string | undefined; readonly select?: readonly string[] }): string {
  const { backup, target, confirm, part, select = [] } = asked;
  return JSON.stringify({ backup, target, confirm, ...(part !== undefined && { part }), ...(select.length > 0 && { select }) });
}

function badRequest(issue: z.core.$ZodIssue | undefined): HoldfastError {
  const field = issue?.path.join('.') ?? '';
  const complaint = issue?.code === 'unrecognized_keys' ? `holds the unknown field ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}` : field === '' ? 'is no such map' : `has a wrong or missing ${field} (${issue?.message})`;
  return new HoldfastError('usage', `The input of the restore ${complaint}, wanted ${WANTED}.`, { nextStep: 'Start a new execution with that input and nothing else. Nothing was restored.' });
}
