import * as z from 'zod';
import type { RestoreRecord } from '../../catalog/records.ts';

/**
 * What goes in and out of the states of the restore workflow. The state machine passes:
 *
 * ```
 * check   {execution: {id: $$.Execution.Id, startTime: $$.Execution.StartTime}, input: $$.Execution.Input}  → Checked
 * confirm  Choice: Checked.targetName equals the input's confirm; the check has refused everything else already
 * thaw    Checked → Thawed; Choice: isDone, else wait waitSeconds and thaw again
 * task    ecs:runTask.waitForTaskToken with Checked.task; the worker answers with TaskResult
 * report  {execution, input, result: TaskResult} or {execution, input, error: {Error, Cause}} → Reported
 * ```
 */
export const execution = z.object({ id: z.string().min(1), startTime: z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'a time in ISO 8601') });
/** Step Functions' own words: its ARN, and when it started. */
export type Execution = z.infer<typeof execution>;

export const checkInput = z.strictObject({ execution, input: z.unknown() });

/** What the check found; everything that the later states need. */
export interface Checked {
  readonly restoreId: string;
  readonly backupId: string;
  readonly planId: string;
  readonly planName: string;
  readonly vault: string;
  readonly targetName: string;
  /** Plain bytes of the backup, for people. */
  readonly bytes: number;
  readonly task: RestoreTask;
}

/** The parameters of RunTask, in the spelling of its state. */
export interface RestoreTask {
  /** Never a revision: a deploy meanwhile must not break it. */
  readonly family: string;
  readonly networkConfiguration: { readonly AwsvpcConfiguration: { readonly Subnets: readonly string[]; readonly SecurityGroups: readonly string[]; readonly AssignPublicIp: 'ENABLED' | 'DISABLED' } };
  /** The value of HOLDFAST_RESTORE. */
  readonly order: string;
}

export const thawInput = z.object({ restoreId: z.string(), backupId: z.string(), planId: z.string(), vault: z.string() });
export type ThawInput = z.infer<typeof thawInput>;

export interface Thawed {
  readonly isDone: boolean;
  /** Ask again after this; 0 when done. */
  readonly waitSeconds: number;
}

/** What the worker sends with SendTaskSuccess. */
export const taskResult = z.object({
  state: z.enum(['completed', 'warnings']),
  files: z.number().int().min(0),
  bytes: z.number().int().min(0),
  /** Entries that were there already, as in the backup; absent when none was, and of a database. */
  same: z.number().int().min(0).optional(),
  /** One line each, for the message; the log has all of them. */
  warnings: z.array(z.string()).max(20).default([]),
});
export type TaskResult = z.input<typeof taskResult>;

export const reportInput = z.object({
  execution,
  input: z.unknown(),
  result: taskResult.optional(),
  error: z.object({ Error: z.string().optional(), Cause: z.string().optional() }).optional(),
}).refine(({ result, error }) => (result === undefined) !== (error === undefined), 'either a result or an error');
export type ReportInput = z.infer<typeof reportInput>;

/** The end of the execution: the machine fails when `state` is `failed`. */
export interface Reported {
  readonly restoreId: string;
  readonly state: RestoreRecord['state'];
  readonly message: string;
}
