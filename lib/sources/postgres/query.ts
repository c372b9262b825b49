import { HoldfastError } from '../../model/errors.ts';
import { askProgram } from '../ask-program.ts';
import type { OpenedConnection } from '../opened-connection.ts';
import type { PostgresConnection } from './connection.ts';
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

/**
 * Runs a statement with psql and answers its rows as columns of text. `values` are handed
 * over as psql variables: `:'name'` is a literal, `:"name"` an identifier. Fails with what the server said.
 */
export async function query(session: Asking, text: string, values: Readonly<Record<string, string>> = {}): Promise<string[][]> {
  const { client, connection, opened, signal } = session;
  const variables = Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  const args = ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--no-password', '--field-separator=\u001f', '--record-separator-zero', '--set', 'ON_ERROR_STOP=1', ...variables, '--dbname', opened.argument];
  // By standard input: psql does not replace variables in what --command says.
  const { code, text: rows, said } = await askProgram(client.psql, args, { input: text, environment: opened.environment, signal, secrets: secretsOf(connection) });
  if (code === 0) return rows === '' ? [] : rows.replace(/\0$/, '').split('\0').map((row) => row.split('\u001f'));
  throw knownFailure(said, connection) ?? new HoldfastError('source-failed', `Asking ${describeConnection(connection)} failed (psql ended with ${String(code)}): ${said || 'it said nothing'}`, { nextStep: 'Run the statement by hand with psql, and mend what it says.' });
}
