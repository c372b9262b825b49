import { execFile } from 'node:child_process';
import { HoldfastError } from '../../model/errors.ts';
import { OutputTail } from '../output-tail.ts';
import type { SqlClient } from './client.ts';
import { programName } from './client.ts';
import { secretsOf, serverName } from './connection.ts';
import type { OpenedConnection, SqlConnection } from './connection.ts';
import { knownSqlFailure } from './failures.ts';

export interface SqlSession {
  readonly client: SqlClient;
  readonly connection: SqlConnection;
  readonly opened: OpenedConnection;
  readonly signal?: AbortSignal | undefined;
}

const MAX_BYTES = 64 * 1024 * 1024;
const UNESCAPED: Readonly<Record<string, string>> = { n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** Runs statements with the command line program and answers their rows as columns of text. Fails with what the server said. */
export async function sqlQuery(session: SqlSession, text: string): Promise<string[][]> {
  const { client, connection, opened, signal } = session;
  const { code, stdout, stderr } = await run(client.shell, [opened.argument, '--batch', '--skip-column-names'], { input: text, environment: opened.environment, signal });
  signal?.throwIfAborted();
  if (code === 0) return stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n').map((row) => row.split('\t').map((field) => field.replace(/\\([nt0\\])/g, (_, letter: string) => UNESCAPED[letter] as string)));
  const tail = new OutputTail(secretsOf(connection));
  tail.add(stderr);
  const said = tail.text();
  throw knownSqlFailure(said, connection) ?? new HoldfastError('source-failed', `Asking the server at ${serverName(connection)} failed (${programName(client.shell)} ended with ${String(code)}): ${said || 'it said nothing'}`, { nextStep: 'Run the statement by hand, and mend what it says.' });
}

/** A literal that means the same whatever the modes and character sets of the session are. */
export function sqlText(value: string): string {
  return value === '' ? "''" : `convert(0x${Buffer.from(value, 'utf8').toString('hex')} using utf8mb4)`;
}

export function sqlName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

interface Ran {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: Buffer;
}

/** By standard input: every user of the machine sees arguments. */
function run(program: string, args: readonly string[], { input, environment, signal }: { readonly input: string; readonly environment: OpenedConnection['environment']; readonly signal: AbortSignal | undefined }): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(program, [...args], { env: environment, maxBuffer: MAX_BYTES, encoding: 'buffer', killSignal: 'SIGTERM', ...(signal && { signal }) }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? error.message), stdout: stdout.toString('utf8'), stderr });
    });
    child.stdin?.on('error', () => undefined); // It ended before it read everything; its exit code tells why.
    child.stdin?.end(input);
  });
}
