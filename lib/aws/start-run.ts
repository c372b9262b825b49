import { randomUUID } from 'node:crypto';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import type { LambdaClient } from '@aws-sdk/client-lambda';
import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import type { RunId } from '../model/ids.ts';
import * as z from 'zod';
import { fromAwsError } from './aws-error.ts';

const POLL_MILLISECONDS = 2000;
const ENDED: readonly string[] = ['completed', 'warnings', 'failed', 'cancelled'];

const accepted = z.object({ runId: z.string() });
/** An answer of dispatch that is a refusal. */
const refused = z.object({ outcome: z.literal('refused'), reason: z.string(), nextStep: z.string() });
/** An error of it, as Lambda tells one. */
const failed = z.object({ errorMessage: z.string() });

/** Asks the stack's dispatch for a run of a plan now. The same key is the same run. Fails as `refused` with dispatch's own words. */
export async function requestRun(client: Pick<LambdaClient, 'send'>, functionName: string, asked: { readonly plan: string; readonly isFull: boolean; readonly idempotencyKey?: string }): Promise<RunId> {
  const payload = JSON.stringify({ plan: asked.plan, idempotencyKey: asked.idempotencyKey ?? randomUUID(), ...(asked.isFull && { type: 'full' }) });
  const answer = await client.send(new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(payload) })).catch((cause: unknown) => {
    throw fromAwsError(cause, `A run of ${asked.plan} could not be asked for`);
  });
  const said: unknown = JSON.parse(Buffer.from(answer.Payload ?? []).toString('utf8') || 'null');
  const run = accepted.safeParse(said);
  if (answer.FunctionError === undefined && run.success) return run.data.runId as RunId;
  const no = refused.safeParse(said);
  if (no.success) throw new HoldfastError('refused', no.data.reason, { nextStep: no.data.nextStep });
  const why = failed.safeParse(said);
  throw new HoldfastError('refused', why.success ? why.data.errorMessage : `Dispatch gave no run for ${asked.plan}.`, { nextStep: 'Look at the log of the dispatch function; nothing was started.' });
}

/** Waits until a run has ended, telling each state on the way. Throws the signal's reason; the run itself goes on. */
export async function followRun(ledger: Pick<RunLedger, 'getLedgerRun'>, runId: RunId, { clock, signal, onState }: { readonly clock: Clock; readonly signal: AbortSignal; readonly onState: (run: LedgerRun) => void }): Promise<LedgerRun> {
  for (;;) {
    const run = await ledger.getLedgerRun(runId);
    if (run === undefined) throw new HoldfastError('not-found', `Run ${runId} is not in the catalog.`, { nextStep: 'Look at the log of the dispatch function.' });
    onState(run);
    if (ENDED.includes(run.state)) return run;
    await clock.sleep(POLL_MILLISECONDS, signal);
  }
}
