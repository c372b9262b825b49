import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { serverName, userName } from './place.ts';
import type { RedisConnection } from './place.ts';

interface FailureRow {
  readonly pattern: RegExp;
  readonly code?: ErrorCode;
  readonly retryable?: boolean;
  readonly message: (at: RedisConnection, said: string) => string;
  readonly nextStep: (at: RedisConnection) => string;
}

/** What the user of a backup must be allowed to do. */
export const BACKUP_ACL = '+ping +replconf +psync';

/** By the first word of an answer, which is the same in all versions; in old ones some have only the sentence. */
const ROWS: readonly FailureRow[] = [
  {
    pattern: /^WRONGPASS|invalid password|invalid username-password/i,
    message: (at) => `The server at ${serverName(at)} does not let user ${userName(at)} in with the password that was given.`,
    nextStep: () => 'Check the user (ACL LIST shows those that there are), and where its password comes from.',
  },
  {
    pattern: /^NOAUTH|Authentication required/i,
    message: (at) => `The server at ${serverName(at)} wants a password, and none was given.`,
    nextStep: () => 'Name where it is with `password`, and the user with `user` where the server has an ACL.',
  },
  {
    pattern: /without any password configured/i,
    message: (at) => `The server at ${serverName(at)} has no password for user ${userName(at)}, and one was given.`,
    nextStep: () => 'Leave `password` away, or set one on the server (requirepass, ACL SETUSER).',
  },
  {
    pattern: /^NOPERM/,
    code: 'permission',
    message: (at, said) => `User ${userName(at)} may not do what this needs at ${serverName(at)}: ${said}`,
    nextStep: (at) => `For backups: ACL SETUSER ${userName(at)} ${BACKUP_ACL} (no keys and no channels are needed); for restores docs/sources/redis.md has the commands.`,
  },
  {
    pattern: /^LOADING/,
    code: 'busy', retryable: true,
    message: (at, said) => `The server at ${serverName(at)} has just been started: ${said}`,
    nextStep: () => 'Start again when it has loaded its data.',
  },
  {
    pattern: /^(NOMASTERLINK|MASTERDOWN)/,
    code: 'busy', retryable: true,
    message: (at, said) => `The server at ${serverName(at)} is a replica that has lost its primary, so that what it holds is not whole: ${said}`,
    nextStep: () => 'Mend the replication, or back up the primary.',
  },
  {
    pattern: /max number of clients/i,
    code: 'busy', retryable: true,
    message: (at) => `The server at ${serverName(at)} takes no more connections now.`,
    nextStep: () => 'Start again later, or raise maxclients.',
  },
  {
    pattern: /^DENIED|protected mode/i,
    message: (at, said) => `The server at ${serverName(at)} takes no connection from here: ${said.slice(0, 200)}`,
    nextStep: () => 'Give the server a password, so that protected mode ends.',
  },
  {
    pattern: /unknown command/i,
    message: (at, said) => `The server at ${serverName(at)} does not know a command that this needs: ${said}`,
    nextStep: () => 'Managed services often forbid replication (ElastiCache, MemoryDB): use their own snapshots, and keep the exported file with a files plan.',
  },
  {
    pattern: /^MISCONF|BGSAVE|can't sync|Unable to perform background/i,
    retryable: true,
    message: (at, said) => `The server at ${serverName(at)} could not make a snapshot: ${said}`,
    nextStep: () => 'See the log of the server: often it has no memory to fork (vm.overcommit_memory) or no space for its own snapshot.',
  },
];

/** By what a server answers to a value that it does not take. */
const LOAD_ROWS: readonly { readonly pattern: RegExp; readonly code: ErrorCode; readonly nextStep: string }[] = [
  { pattern: /^BUSYKEY|already exists/, code: 'target-exists', nextStep: 'Keep what is there (--keep-existing), or replace it (--clean).' },
  { pattern: /^OOM/, code: 'no-space', nextStep: 'Raise maxmemory of the server above what the backup holds, and restore again.' },
  { pattern: /version or checksum/i, code: 'unsupported', nextStep: 'The server is older than the one that was backed up, and does not know this kind of value: restore into one that is as new.' },
  { pattern: /DB index/i, code: 'unsupported', nextStep: 'Give the server as many databases as the one had that was backed up (`databases` in its configuration), and restart it.' },
  { pattern: /^READONLY/, code: 'target-failed', nextStep: 'The server became a replica: restore into its primary.' },
];

/** Why a record was not taken, in the server's own words. */
export function loadFailure(words: string, connection: RedisConnection, what: string): HoldfastError {
  const said = withoutSecrets(words, connection);
  const row = LOAD_ROWS.find(({ pattern }) => pattern.test(said));
  if (row !== undefined) return new HoldfastError(row.code, `The server at ${serverName(connection)} does not take ${what}: ${said}`, { nextStep: row.nextStep });
  return asTarget(redisFailure(words, connection));
}

/** The same failure, of a server that is written to. */
export function asTarget(error: HoldfastError): HoldfastError {
  const { code, message, nextStep, data, retryable } = error;
  return code === 'source-failed' ? new HoldfastError('target-failed', message, { ...(nextStep !== undefined && { nextStep }), data, retryable, cause: error }) : error;
}

/** What somebody who reads the message needs to mend it; the server's words without the password. */
export function redisFailure(words: string, connection: RedisConnection): HoldfastError {
  const said = withoutSecrets(words, connection);
  const row = ROWS.find(({ pattern }) => pattern.test(said));
  if (row === undefined) return new HoldfastError('source-failed', `The server at ${serverName(connection)} refused: ${said}`, { nextStep: 'Mend what it says, and start again.' });
  const { code = 'source-failed', retryable = false } = row;
  return new HoldfastError(code, row.message(connection, said), { nextStep: row.nextStep(connection), retryable });
}

export function brokenConnection(why: string, connection: RedisConnection): HoldfastError {
  return new HoldfastError('source-failed', `The connection to ${serverName(connection)} broke: ${withoutSecrets(why, connection)}.`, { nextStep: 'See the log of the server for why it stopped, and start again.', retryable: true });
}

export function stopped(connection: RedisConnection, signal: AbortSignal): HoldfastError {
  return new HoldfastError('interrupted', `What was asked of ${serverName(connection)} was stopped.`, { cause: signal.reason });
}

/** A server repeats the arguments of a command that it does not know. */
function withoutSecrets(said: string, { password }: RedisConnection): string {
  return password === undefined || password === '' ? said : said.replaceAll(password, '***');
}
