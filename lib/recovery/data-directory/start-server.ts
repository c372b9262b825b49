import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, constants, fchownSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { ACTION_DONE, READY, READY_READ_ONLY, STUCK, adviceOn, complaints, recoveryEnd } from './server-log.ts';
import type { RecoveryEnd } from './server-log.ts';
import { targetWords } from './target.ts';
import type { RecoveryTarget, TargetAction } from './target.ts';
import type { Owner } from './write-directory.ts';

export interface StartOrder {
  /** Path of `postgres`. */
  readonly program: string;
  readonly directory: string;
  /** On 127.0.0.1. */
  readonly port: number;
  readonly target: RecoveryTarget;
  readonly action: TargetAction;
  /** Absent: it reads no archive. */
  readonly restoreCommand?: string | undefined;
  readonly owner: Owner | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface StartedServer extends RecoveryEnd {
  readonly state: 'running' | 'paused' | 'shut-down';
  readonly port: number;
  /** Absent when it has shut down, as was asked. */
  readonly pid?: number;
  readonly log: string;
  /** Folder of its socket: whom `pg_hba.conf` lets in by `peer` has no password. Absent: its path would be too long. */
  readonly socket?: string;
}

/** Below the data directory: it is the server's, and nobody else may read it. */
export const LOG_NAME = 'holdfast-recovery.log';
const POLL_MILLISECONDS = 100;
/** Left for a shutdown that was asked for, then SIGKILL. */
const STOP_POLLS = 300;

/**
 * Starts the server on loopback and waits until recovery is really over. That a server can be reached, and that
 * postmaster.pid says `ready`, means nothing: with hot standby both are so while it still recovers, and it may die later.
 * Over means that its log says that it takes connections which may write, that pg_control agrees, and that the log says
 * that the target was reached. No login is needed for any. The server goes on running. Fails as `target-failed` with its
 * words; then it is stopped.
 */
export async function startRecovered(order: StartOrder): Promise<StartedServer> {
  const log = join(order.directory, LOG_NAME);
  const child = launch(order, log);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(`could not be started (${error.code})`));
    child.once('exit', (code, signal) => resolve(signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`));
  });
  const end: { how?: string } = {};
  void ended.then((how) => (end.how = how));
  try {
    const state = await waitForEnd(order, { log, end });
    const words = await readFile(log, 'utf8');
    refuseUnproved(order, state, words);
    child.unref();
    const socket = socketFolder(order.directory, order.port);
    return { state, port: order.port, log, ...(socket !== undefined && state !== 'shut-down' && { socket }), ...(state !== 'shut-down' && { pid: child.pid as number }), ...recoveryEnd(words) };
  } catch (error) {
    await stop(child, end, order.clock);
    throw error;
  }
}

/** `sun_path` of Linux, without the zero behind it. */
const LONGEST_SOCKET_BYTES = 107;

/** The data directory itself: nobody but the owner of the cluster comes near it. */
function socketFolder(directory: string, port: number): string | undefined {
  return Buffer.byteLength(join(directory, `.s.PGSQL.${port}`)) <= LONGEST_SOCKET_BYTES ? directory : undefined;
}

function launch({ program, directory, port, owner, environment, restoreCommand }: StartOrder, log: string): ChildProcess {
  const fd = openSync(log, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    if (owner) fchownSync(fd, owner.uid, owner.gid);
    const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: `${socketFolder(directory, port) === undefined ? '' : `"${directory.replaceAll('"', '""')}"`}`, unix_socket_group: '', unix_socket_permissions: '0700', logging_collector: 'off', log_destination: 'stderr', log_min_messages: 'warning', log_line_prefix: '%m [%p] ', lc_messages: 'C', log_timezone: 'UTC' };
    const args = ['-D', directory, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    return spawn(program, args, {
      cwd: directory, detached: true, stdio: ['ignore', fd, fd], env: serverEnvironment(environment, restoreCommand),
      ...(owner && { uid: owner.uid, gid: owner.gid }),
    });
  } finally {
    closeSync(fd);
  }
}

const PLAIN = /^(PATH|LD_LIBRARY_PATH|HOME|LANG)$/;
const OURS = /^(HOLDFAST_(?!DATABASE_PASSWORD).*|XDG_.*|AWS_.*)$/;
const PASSPHRASE = /^HOLDFAST_PASSPHRASE/;

/**
 * What the server gets of our variables. Those that open a vault it keeps as long as it runs, and code in the cluster can read
 * them: only a command that is `wal-fetch` needs them, and no passphrase when it names its key.
 */
export function serverEnvironment(environment: StartOrder['environment'], restoreCommand: string | undefined): Record<string, string> {
  const words = restoreCommand ?? '';
  const isOurs = isWalFetch(words);
  const hasKey = /\s--(key|passphrase|recipient-key)-file[\s=]/.test(words);
  const isHandedOn = (name: string) => PLAIN.test(name) || (isOurs && OURS.test(name) && !(hasKey && PASSPHRASE.test(name)));
  return { ...Object.fromEntries(Object.entries(environment).flatMap(([name, value]) => (value !== undefined && isHandedOn(name) ? [[name, value]] : []))), LC_ALL: 'C', TZ: 'UTC' };
}

/** By the program, or by the script that stands before it. */
export function isWalFetch(command: string): boolean {
  return /(^|\s)wal-fetch\s|(^|[\s/])holdfast-wal\s+fetch\s/.test(command);
}

interface Watched {
  readonly log: string;
  readonly end: { readonly how?: string };
}

async function waitForEnd({ directory, action, target, clock, signal }: StartOrder, { log, end }: Watched): Promise<StartedServer['state']> {
  for (;;) {
    if (signal.aborted) throw new HoldfastError('interrupted', 'Recovery was stopped before it was over. The directory holds the whole backup.', { nextStep: `A server that is started on it goes on recovering; or remove ${directory} and restore again.`, cause: signal.reason });
    const words = await readFile(log, 'utf8');
    if (end.how !== undefined) {
      if (target.kind !== 'backup' && action === 'shutdown' && ACTION_DONE.shutdown.test(words)) return 'shut-down';
      throw failed({ directory, target }, end.how, words, log);
    }
    if (STUCK.test(words)) throw failed({ directory, target }, 'cannot go on', words, log);
    if (READY.test(words) && (await isInProduction(directory))) return 'running';
    if (READY_READ_ONLY.test(words) && ACTION_DONE.pause.test(words)) return 'paused';
    await clock.sleep(POLL_MILLISECONDS);
  }
}

/** `DB_IN_PRODUCTION` at byte 16 of pg_control, in all versions; `pg_ctl promote` waits for the same. */
const IN_PRODUCTION = 6;

async function isInProduction(directory: string): Promise<boolean> {
  const control = await readFile(join(directory, 'global', 'pg_control'));
  return control.length >= 20 && control.readUInt32LE(16) === IN_PRODUCTION;
}

/** A recovery that passed its target by, or never looked for it, must not be called one. */
function refuseUnproved({ target, action, directory }: StartOrder, state: StartedServer['state'], words: string): void {
  if (target.kind === 'backup') return;
  const hasAim = target.kind !== 'latest';
  if (hasAim && recoveryEnd(words).stopped === undefined) throw failed({ directory, target }, `came up without saying that it stopped at ${targetWords(target)}`, words, LOG_NAME);
  if (state === 'running' && !ACTION_DONE.promote.test(words)) throw failed({ directory, target }, `came up without recovering from the archive, wanted ${action} at ${targetWords(target)}`, words, LOG_NAME);
}

function failed({ directory, target }: Pick<StartOrder, 'directory' | 'target'>, how: string, words: string, log: string): HoldfastError {
  const said = complaints(words);
  return new HoldfastError('target-failed', `The restored server ${how} before recovery was over. It said: ${said || 'nothing'}`, {
    nextStep: `${adviceOn(said, target) ?? `Read ${log}.`} The files in ${directory} are those of the backup, proved, and half recovered: restore into a fresh directory to try again.`,
  });
}

/** SIGQUIT: at once, without a checkpoint; nobody needs what it would write. */
async function stop(child: ChildProcess, end: { readonly how?: string }, clock: Clock): Promise<void> {
  if (child.pid === undefined) return;
  for (let polls = 0; end.how === undefined; polls++) {
    if (polls === 0) child.kill('SIGQUIT');
    if (polls === STOP_POLLS) child.kill('SIGKILL');
    await clock.sleep(POLL_MILLISECONDS);
  }
}
