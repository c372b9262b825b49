import * as z from 'zod';
import { parseEvent } from '../../lib/aws/function-context.ts';
import { reportInput } from '../../lib/recovery/workflow/states.ts';
import type { ReportInput } from '../../lib/recovery/workflow/states.ts';

/**
 * "Step Functions Execution Status Change", as documented: an execution that somebody stopped, or that ran out of its
 * time, never reaches its report state. Input is JSON in a string, absent when it was large.
 */
const statusChange = z.object({
  'detail-type': z.literal('Step Functions Execution Status Change'),
  detail: z.object({
    executionArn: z.string(),
    status: z.enum(['FAILED', 'TIMED_OUT', 'ABORTED']),
    startDate: z.number(),
    input: z.string().nullish(),
    error: z.string().nullish(),
    cause: z.string().nullish(),
  }),
});

const WORDS = {
  FAILED: { Error: 'States.TaskFailed', Cause: undefined },
  TIMED_OUT: { Error: 'States.Timeout', Cause: undefined },
  ABORTED: { Error: 'aborted', Cause: 'interrupted: Somebody stopped the execution of this restore.\nNext: Look at what is in the target already, then start a new execution.' },
} as const;

/** What the report state passes, or the end of an execution that never reached it. Fails as `usage`. */
export function parseReportEvent(event: unknown): ReportInput {
  const changed = statusChange.safeParse(event);
  if (!changed.success) return parseEvent(reportInput, event, 'the end of a restore');
  const { executionArn, status, startDate, input, error, cause } = changed.data.detail;
  return {
    execution: { id: executionArn, startTime: new Date(startDate).toISOString() },
    input: parseInput(input ?? ''),
    error: { Error: error ?? WORDS[status].Error, Cause: WORDS[status].Cause ?? cause ?? undefined },
  };
}

/** A person may have sent anything. */
function parseInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
