import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { OpenedConnection } from '../opened-connection.ts';
import type { ProcessEnd } from '../process-group.ts';
import { howItEnded, startProgram } from '../program.ts';
import { describeConnection, secretsOf } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
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
export async function runProgram(words: readonly string[], { connection, opened, clock, signal, doing }: ProgramRun): Promise<void> {
  signal.throwIfAborted();
  const { name, group, said } = startProgram(words, { stdout: 'ignore', environment: opened.environment, secrets: secretsOf(connection), clock });
  const onAbort = () => void group.kill();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const end = await group.ended;
    if (signal.aborted) throw new HoldfastError('interrupted', `${doing} ${describeConnection(connection)} was stopped.`, { cause: signal.reason });
    if (end.code === 0) return;
    throw programFailed(name, end, { said: said.text(), what: `${doing} ${describeConnection(connection)}`, connection });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function programFailed(name: string, end: ProcessEnd, { said, what, connection }: { readonly said: string; readonly what: string; readonly connection: PostgresConnection }): HoldfastError {
  return knownFailure(said, connection) ?? new HoldfastError('source-failed', `${what} failed: ${name} ${howItEnded(end)}, wanted exit code 0.${said === '' ? '' : ` It said: ${said}`}`, { nextStep: 'Nothing of this run is kept. Mend what it says, and start the backup again.', cause: end.startError });
}

export function tooSmall(connection: PostgresConnection, bytes: number, wanted: number): HoldfastError {
  return new HoldfastError('source-failed', `The dump of ${describeConnection(connection)} has ${bytes} bytes, wanted at least ${wanted}.`, { nextStep: 'Nothing of this run is kept. Look whether the database still holds what it should, or lower minimum-size.' });
}
