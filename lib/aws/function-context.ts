import pino from 'pino';
import type { Logger } from 'pino';
import type * as z from 'zod';
import { systemClock } from '../model/clock.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { toWorkflowFailure } from '../recovery/workflow/failure-text.ts';
import type { Environment } from '../settings/environment.ts';

/** What every function has besides its event. */
export interface FunctionContext {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Logger;
  /** One line of the log as it is, such as metrics in the embedded metric format. */
  readonly writeLine: (line: string) => void;
}

/** `lambda` is what Lambda hands in beside the event. */
type Handler<R> = (event: unknown, lambda?: { readonly awsRequestId?: string }) => Promise<R>;

/**
 * A function's one frame: hands the event to `work`, and turns what it throws into one log line and one error. Its name
 * is the code and its message `code: message`, then `Next: ...`: Lambda's console, Step Functions and a failure
 * destination show the same words.
 */
export function functionHandler<R>(name: string, work: (event: unknown, context: FunctionContext) => Promise<R>): Handler<R> {
  const root = pino({ base: { function: name }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } }, pino.destination({ fd: 1, sync: true }));
  return async (event, lambda) => {
    const log = lambda?.awsRequestId === undefined ? root : root.child({ request: lambda.awsRequestId });
    try {
      return await work(event, { environment: process.env, clock: systemClock, log, writeLine: (line) => void process.stdout.write(`${line}\n`) });
    } catch (error) {
      throw logged(error, log);
    }
  };
}

/** Fails as `usage`, naming the place in the event; its values are not shown. */
export function parseEvent<T>(schema: z.ZodType<T>, event: unknown, wanted: string): T {
  const parsed = schema.safeParse(event);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new HoldfastError('usage', `The event is not ${wanted}: ${issue?.path.join('.') || 'the whole'}, ${issue?.message ?? 'unknown'}.`, { nextStep: 'This function is called by the stack that deployed it; call it with such an event.' });
}

/** Made at the first use and kept while the function stays warm. */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function logged(error: unknown, log: Logger): Error {
  const known = isHoldfastError(error) && error.code !== 'broken-invariant';
  const { code = 'broken-invariant', nextStep } = isHoldfastError(error) ? error : { code: undefined };
  const message = error instanceof Error ? error.message : String(error);
  // Stacks say nothing to whoever has to act; a bug's is wanted. The cause may hold what its service was told: not logged.
  log.error({ event: 'failed', code, nextStep, ...(!known && error instanceof Error && { stack: error.stack }) }, message);
  const failure = toWorkflowFailure(error);
  return Object.assign(new Error(failure.cause), { name: failure.error, stack: '' });
}
