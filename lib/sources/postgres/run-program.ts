import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { OutputTail } from '../output-tail.ts';
import { ProcessGroup } from '../process-group.ts';
import type { ProcessEnd } from '../process-group.ts';
import { describeConnection } from './connection.ts';
import type { OpenedConnection, PostgresConnection } from './connection.ts';
import { knownFailure } from './failures.ts';

export interface ProgramRun {
  readonly connection: PostgresConnection;
  readonly opened: OpenedConnection;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Begins a message that goes on with the database: `The dump of`. */
  readonly doing: string;
}

/** Runs a program of PostgreSQL whose output nobody reads, to its end. Fails as `knownFailure`, `source-failed`, `interrupted`. */
export async function runProgram(program: readonly string[], { connection, opened, clock, signal, doing }: ProgramRun): Promise<void> {
  signal.throwIfAborted();
  const said = new OutputTail(connection.password === undefined ? [] : [connection.password]);
  const group = new ProcessGroup(program, { stdout: 'ignore', environment: opened.environment, folder: undefined, onStderr: (bytes) => said.add(bytes) }, clock);
  const onAbort = () => void group.kill();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const end = await group.ended;
    if (signal.aborted) throw new HoldfastError('interrupted', `${doing} ${describeConnection(connection)} was stopped.`, { cause: signal.reason });
    if (end.code === 0) return;
    throw programFailed(program[0]?.split('/').at(-1) ?? '', end, { said: said.text(), what: `${doing} ${describeConnection(connection)}`, connection });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function programFailed(name: string, end: ProcessEnd, { said, what, connection }: { readonly said: string; readonly what: string; readonly connection: PostgresConnection }): HoldfastError {
  return knownFailure(said, connection) ?? new HoldfastError('source-failed', `${what} failed: ${name} ${howItEnded(end)}, wanted exit code 0.${said === '' ? '' : ` It said: ${said}`}`, { nextStep: 'Nothing of this run is kept. Mend what it says, and start the backup again.', cause: end.startError });
}

export function howItEnded({ code, signal, startError }: ProcessEnd): string {
  if (startError !== undefined) return `could not be started (${startError.code})`;
  return signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
}

export function tooSmall(connection: PostgresConnection, bytes: number, wanted: number): HoldfastError {
  return new HoldfastError('source-failed', `The dump of ${describeConnection(connection)} has ${bytes} bytes, wanted at least ${wanted}.`, { nextStep: 'Nothing of this run is kept. Look whether the database still holds what it should, or lower minimum-size.' });
}
