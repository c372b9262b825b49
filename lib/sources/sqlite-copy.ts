import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { DatabaseSync, backup } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';

export interface CopyProgress {
  readonly phase: 'copying' | 'checking';
  readonly pages: number;
  readonly totalPages: number;
}

export interface CopyOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long to wait for a lock to go. */
  readonly busyMilliseconds: number;
  readonly onProgress?: (progress: CopyProgress) => void;
}

const PAGES_AT_ONCE = 1000;
const RETRY_MILLISECONDS = 100;
const BUSY = 5;
const MAX_FINDINGS = 20;

/**
 * Copies a live database as it is at one moment. The read transaction is what lets it end: without one every commit of
 * another process starts the copy anew (measured: it never ends under a writer). While it runs a write-ahead log
 * cannot be reset; in the other journal modes writers wait.
 */
export async function copyDatabase(path: string, target: string, options: CopyOptions): Promise<void> {
  const source = await openForReading(path, options);
  try {
    await backup(source, target, {
      rate: PAGES_AT_ONCE,
      progress: ({ totalPages, remainingPages }) => {
        options.signal.throwIfAborted(); // Ends the copy: node:sqlite hands the error on.
        options.onProgress?.({ phase: 'copying', pages: totalPages - remainingPages, totalPages });
      },
    });
  } catch (cause) {
    throw explained(path, cause, options.signal);
  } finally {
    source.close();
  }
}

/**
 * What `PRAGMA integrity_check` finds in a database; empty when it is whole. In a process of its own: it takes a second
 * for each GB or two and cannot be interrupted, and what is damaged on purpose must not take Holdfast with it.
 */
export async function integrityFindings(path: string, signal: AbortSignal): Promise<readonly string[]> {
  const child = spawn(process.execPath, ['--no-warnings', '-e', CHECK, path], { stdio: ['ignore', 'pipe', 'ignore'], env: {} });
  const onAbort = () => child.kill('SIGKILL');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const end = await new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)).once('close', (code, killer) => resolve(killer ?? `exit code ${code}`)));
    if (signal.aborted) throw interrupted(path, signal);
    const findings = end === 'exit code 0' ? (JSON.parse(said) as string[]) : [`the check itself ended with ${end}`];
    return findings.length === 1 && findings[0] === 'ok' ? [] : findings;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Runs as a program of its own; closing removes the side files that a copy in WAL mode gets when it is opened. */
const CHECK = `
const { DatabaseSync } = require('node:sqlite');
const findings = [];
try {
  const database = new DatabaseSync(process.argv[1]);
  for (const row of database.prepare('PRAGMA integrity_check(${MAX_FINDINGS})').iterate()) findings.push(String(row.integrity_check));
  database.close();
} catch (error) {
  findings.push(String(error.message));
}
process.stdout.write(JSON.stringify(findings));
`;

/** A connection that holds a read transaction. */
async function openForReading(path: string, { clock, signal, busyMilliseconds }: CopyOptions): Promise<DatabaseSync> {
  const deadline = clock.now() + busyMilliseconds;
  for (;;) {
    if (signal.aborted) throw interrupted(path, signal);
    try {
      return beginReading(path);
    } catch (cause) {
      if (primaryCode(cause) !== BUSY || clock.now() >= deadline) throw explained(path, cause, signal);
    }
    await clock.sleep(RETRY_MILLISECONDS);
  }
}

function beginReading(path: string): DatabaseSync {
  const database = new DatabaseSync(databaseUrl(path));
  try {
    database.exec('BEGIN');
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return database;
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/**
 * Read-only, except for a database in WAL mode that nobody has open: reading makes side files beside it, and only a
 * connection that may write removes them again. Never creates a database.
 */
function databaseUrl(path: string): URL {
  const url = pathToFileURL(path);
  url.searchParams.set('mode', isWriteAheadLogged(path) && !existsSync(`${path}-wal`) ? 'rw' : 'ro');
  return url;
}

/** File format version numbers, bytes 18 and 19 of the header: 2 is WAL (sqlite.org/fileformat2.html). */
function isWriteAheadLogged(path: string): boolean {
  const header = Buffer.alloc(20);
  const fd = openSync(path, 'r');
  try {
    return readSync(fd, header, 0, 20, 0) === 20 && header[18] === 2;
  } finally {
    closeSync(fd);
  }
}

function primaryCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}

/** What SQLite's result codes mean to whoever runs a backup (sqlite.org/rescode.html). */
const EXPLANATIONS: Readonly<Record<number, readonly ['busy' | 'source-failed' | 'permission' | 'no-space', string, string]>> = {
  3: ['permission', 'may not be read', 'Run as a user that may read the database and its folder.'],
  5: ['busy', 'is locked exclusively by another process', 'Try again when that process is done, or let it use journal_mode=WAL and locking_mode=NORMAL.'],
  6: ['busy', 'is locked', 'Try again later.'],
  8: ['source-failed', 'was left in the middle of a transaction by a process that died, and may not be mended here', 'Open it once with its application or with `sqlite3`, then start the backup again.'],
  11: ['source-failed', 'is corrupt', 'Restore it from the last good backup, or save what can be read with `sqlite3 FILE .recover`.'],
  13: ['no-space', 'does not fit into the scratch folder', 'Free some space in the state directory.'],
  14: ['permission', 'cannot be opened', 'A database in WAL mode needs a folder that this user may write to.'],
  26: ['source-failed', 'is not an SQLite database, or is encrypted', 'Check the path.'],
};

function explained(path: string, cause: unknown, signal: AbortSignal): HoldfastError {
  if (signal.aborted) return interrupted(path, signal);
  const { message, errcode } = cause as { message?: string; errcode?: number };
  const [code, words, nextStep] = EXPLANATIONS[primaryCode(cause) ?? -1] ?? ['source-failed', 'could not be copied', 'Nothing of this run is kept.'];
  return new HoldfastError(code, `The database ${path} ${words}: ${message}${errcode === undefined ? '' : ` (SQLite code ${errcode})`}.`, { nextStep, cause, retryable: code === 'busy' });
}

function interrupted(path: string, signal: AbortSignal): HoldfastError {
  return new HoldfastError('interrupted', `Copying the database ${path} was stopped.`, { cause: signal.reason });
}
