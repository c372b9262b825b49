import { execFile } from 'node:child_process';
import { HoldfastError } from '../../model/errors.ts';
import { OutputTail } from '../output-tail.ts';
import type { OpenedConnection, PostgresConnection } from './connection.ts';
import { describeConnection, secretsOf } from './connection.ts';
import type { PostgresClient } from './client.ts';
import { knownFailure } from './failures.ts';

export interface Session extends Asking {
  readonly client: PostgresClient;
}

/** What a question to a server needs. */
export interface Asking {
  readonly client: Pick<PostgresClient, 'psql'>;
  readonly connection: PostgresConnection;
  readonly opened: OpenedConnection;
  readonly signal?: AbortSignal | undefined;
}

const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Runs a statement with psql and answers its rows as columns of text. `values` are handed
 * over as psql variables: `:'name'` is a literal, `:"name"` an identifier. Fails with what the server said.
 */
export async function query(session: Asking, text: string, values: Readonly<Record<string, string>> = {}): Promise<string[][]> {
  const { client, opened, signal } = session;
  const variables = Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  const args = ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--no-password', '--field-separator=\u001f', '--record-separator-zero', '--set', 'ON_ERROR_STOP=1', ...variables, '--dbname', opened.argument];
  // By standard input: psql does not replace variables in what --command says.
  const { code, stdout, stderr } = await run(client.psql, args, { input: text, environment: opened.environment, signal });
  signal?.throwIfAborted();
  if (code === 0) return stdout === '' ? [] : stdout.replace(/\0$/, '').split('\0').map((row) => row.split('\u001f'));
  throw failure(session, stderr, code);
}

function failure({ connection }: Asking, stderr: Buffer, code: unknown): HoldfastError {
  const tail = new OutputTail(secretsOf(connection));
  tail.add(stderr);
  const said = tail.text();
  return knownFailure(said, connection) ?? new HoldfastError('source-failed', `Asking ${describeConnection(connection)} failed (psql ended with ${String(code)}): ${said || 'it said nothing'}`, { nextStep: 'Run the statement by hand with psql, and mend what it says.' });
}

interface Ran {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: Buffer;
}

function run(program: string, args: readonly string[], { input, environment, signal }: { readonly input: string; readonly environment: OpenedConnection['environment']; readonly signal: AbortSignal | undefined }): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(program, [...args], { env: environment, maxBuffer: MAX_BYTES, encoding: 'buffer', killSignal: 'SIGTERM', ...(signal && { signal }) }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? error.message), stdout: stdout.toString('utf8'), stderr });
    });
    child.stdin?.on('error', () => undefined); // It ended before it read everything; its exit code tells why.
    child.stdin?.end(input);
  });
}
