import { HoldfastError } from '../../model/errors.ts';
import { askProgram } from '../ask-program.ts';
import type { OpenedConnection } from '../opened-connection.ts';
import type { SqlClient } from './client.ts';
import { programName } from './client.ts';
import { secretsOf, serverName } from './connection.ts';
import type { SqlConnection } from './connection.ts';
import { knownSqlFailure } from './failures.ts';

export interface SqlSession {
  readonly client: SqlClient;
  readonly connection: SqlConnection;
  readonly opened: OpenedConnection;
  readonly signal?: AbortSignal | undefined;
}

const UNESCAPED: Readonly<Record<string, string>> = { n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** Runs statements with the command line program and answers their rows as columns of text. Fails with what the server said. */
export async function sqlQuery(session: SqlSession, text: string): Promise<string[][]> {
  const { client, connection, opened, signal } = session;
  const { code, text: rows, said } = await askProgram(client.shell, [opened.argument, '--batch', '--skip-column-names'], { input: text, environment: opened.environment, signal, secrets: secretsOf(connection) });
  if (code === 0) return rows === '' ? [] : rows.replace(/\n$/, '').split('\n').map((row) => row.split('\t').map((field) => field.replace(/\\([nt0\\])/g, (_, letter: string) => UNESCAPED[letter] as string)));
  throw knownSqlFailure(said, connection) ?? new HoldfastError('source-failed', `Asking the server at ${serverName(connection)} failed (${programName(client.shell)} ended with ${String(code)}): ${said || 'it said nothing'}`, { nextStep: 'Run the statement by hand, and mend what it says.' });
}

/** A literal that means the same whatever the modes and character sets of the session are. */
export function sqlText(value: string): string {
  return value === '' ? "''" : `convert(0x${Buffer.from(value, 'utf8').toString('hex')} using utf8mb4)`;
}

export function sqlName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
