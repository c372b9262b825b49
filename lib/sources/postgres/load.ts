import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { ProcessEnd } from '../process-group.ts';
import { howItEnded, startProgram } from '../program.ts';
import type { Program } from '../program.ts';
import type { PostgresVersion } from './client.ts';
import { describeConnection, secretsOf } from './connection.ts';
import { feed } from './feed.ts';
import { loadFailure } from './load-failures.ts';
import type { Session } from './query.ts';

export interface ArchiveLoadOptions {
  readonly server: PostgresVersion;
  /** All or nothing, in one transaction. */
  readonly isOneTransaction: boolean;
  /** Drop what the archive holds before it is made again. */
  readonly isCleaning: boolean;
  /** Everything belongs to the user who restores, and nobody is granted anything. */
  readonly isWithoutOwners: boolean;
  /** Connections; more than one need an archive on disk, and cannot share a transaction. */
  readonly jobs: number;
  /** File that lists the entries to restore; all by default. */
  readonly list?: string | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Streamed, or on disk in one of the two formats. */
export type ArchiveToLoad = { readonly stream: AsyncIterable<Uint8Array> } | { readonly path: string; readonly format: 'custom' | 'directory' };

/** pg_restore from 17 on sets this, and servers before 17 do not know it. */
const NEW_SETTING = { since: 17, line: 'SET transaction_timeout = 0;\n' };
const HEAD_BYTES = 64 * 1024;

/**
 * Gives an archive to pg_restore and through it to a database; a streamed one does not touch the disk. Returns the bytes that
 * were streamed when every program ended well; fails as `target-failed`, `permission`, `unsupported`, `interrupted`, or as
 * reading the archive fails. What is half done then is rolled back in one transaction, and else the caller's to drop.
 */
export async function loadArchive(archive: ArchiveToLoad, session: Session, options: ArchiveLoadOptions): Promise<number> {
  const { client, connection } = session;
  const programs = client.version.major >= NEW_SETTING.since && options.server.major < NEW_SETTING.since ? startByScript(archive, session, options) : [startDirect(archive, session, options)];
  const [first] = programs as [Program];
  const killAll = () => Promise.all(programs.map(({ group }) => group.kill()));
  const onAbort = () => void killAll();
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const bytes = 'stream' in archive ? await feed(archive.stream, first.group.input, options) : 0;
    if (!('stream' in archive)) first.group.input.end();
    const ends = await Promise.all(programs.map(({ group }) => group.ended));
    options.signal.throwIfAborted();
    // The last one knows why: the one before it only sees a broken pipe.
    const bad = ends.map((end) => end.code !== 0).lastIndexOf(true);
    if (bad >= 0) throw failed(programs[bad] as Program, ends[bad] as ProcessEnd, { session, bytes });
    return bytes;
  } catch (error) {
    if (options.signal.aborted) throw new HoldfastError('interrupted', `Restoring into ${describeConnection(connection)} was stopped.`, { cause: options.signal.reason });
    throw error;
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    await killAll();
  }
}

function startDirect(archive: ArchiveToLoad, session: Session, options: ArchiveLoadOptions): Program {
  return start(session, [session.client.pgRestore, ...switches(archive, options), ...(options.jobs > 1 ? [`--jobs=${options.jobs}`] : []), '--exit-on-error', '--no-password', '--dbname', session.opened.argument, ...placeOf(archive)], 'ignore', options);
}

/**
 * A newer pg_restore into an older server: as a script, less the one setting that the server lacks. A script that is cut
 * lacks its COMMIT, and psql stops at the first error.
 */
function startByScript(archive: ArchiveToLoad, session: Session, options: ArchiveLoadOptions): [Program, Program] {
  const { client, opened } = session;
  const restore = start(session, [client.pgRestore, ...switches(archive, options), '--file=-', ...placeOf(archive)], 'pipe', options);
  const psql = start(session, [client.psql, '--no-psqlrc', '--quiet', '--no-password', '--set', 'ON_ERROR_STOP=1', '--output=/dev/null', '--dbname', opened.argument], 'ignore', options);
  psql.group.input.on('error', () => undefined); // It has ended: its exit code tells.
  pipeline(restore.group.output, withoutNewSetting(), psql.group.input).catch(() => restore.group.kill());
  return [restore, psql];
}

function start({ connection, opened }: Session, words: readonly string[], stdout: 'ignore' | 'pipe', { clock }: ArchiveLoadOptions): Program {
  return startProgram(words, { stdin: 'pipe', stdout, environment: opened.environment, secrets: secretsOf(connection), clock });
}

function placeOf(archive: ArchiveToLoad): string[] {
  return 'stream' in archive ? [] : [archive.path];
}

function switches(archive: ArchiveToLoad, { isOneTransaction, isCleaning, isWithoutOwners, list }: ArchiveLoadOptions): string[] {
  return [`--format=${'stream' in archive ? 'custom' : archive.format}`, ...(list === undefined ? [] : [`--use-list=${list}`]), ...(isOneTransaction ? ['--single-transaction'] : []), ...(isCleaning ? ['--clean', '--if-exists'] : []), ...(isWithoutOwners ? ['--no-owner', '--no-privileges'] : [])];
}

/**
 * Takes the line out of the script's head, before anything that came from the database. A script without psql's
 * restricted mode is refused: names in the archive could then make psql run programs here (CVE-2025-8714).
 */
function withoutNewSetting(): Transform {
  let head: Buffer | undefined = Buffer.alloc(0);
  const flush = (): Buffer => {
    const text = (head as Buffer).toString('latin1');
    head = undefined;
    if (text !== '' && !/^\\restrict \S+$/m.test(text)) throw new HoldfastError('unsupported', 'This pg_restore writes scripts without \\restrict, so that names in the archive could run programs on this machine.', { nextStep: 'Install the newest minor version of the PostgreSQL client programs.' });
    return Buffer.from(text.replace(NEW_SETTING.line, ''), 'latin1');
  };
  const attempt = (work: () => Buffer, done: (error: Error | null, bytes?: Buffer) => void) => {
    try {
      done(null, work());
    } catch (error) {
      done(error as Error);
    }
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (head === undefined) return done(null, chunk);
      head = Buffer.concat([head, chunk]);
      if (head.length < HEAD_BYTES && !head.includes(NEW_SETTING.line)) return done();
      attempt(flush, done);
    },
    flush(done) {
      if (head === undefined) return done();
      attempt(flush, done);
    },
  });
}

function failed({ name, said }: Program, end: ProcessEnd, { session, bytes }: { readonly session: Session; readonly bytes: number }): HoldfastError {
  const { connection } = session;
  const text = said.text();
  const known = loadFailure(text, connection);
  if (known !== undefined) return known;
  return new HoldfastError('target-failed', `${name} ${howItEnded(end)} after ${bytes} bytes of the archive went into ${describeConnection(connection)}, wanted exit code 0.${text === '' ? '' : ` It said: ${text}`}`, { nextStep: 'Nothing of this restore was kept. Mend what it says, and restore again.', cause: end.startError });
}
