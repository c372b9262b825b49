import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { describeConnection } from './connection.ts';
import type { PostgresConnection } from './connection.ts';

interface LoadRow {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  /** `$1` is what the pattern caught. */
  readonly what: string;
  readonly nextStep: string;
}

const ROWS: readonly LoadRow[] = [
  { pattern: /role "([^"]+)" does not exist/, code: 'target-failed', what: 'the role $1, to which something belongs or is granted, does not exist there', nextStep: 'Make it there (CREATE ROLE), or restore with --no-owner: everything then belongs to the user who restores.' },
  { pattern: /extension "([^"]+)" is not available|could not open extension control file ".*\/([^/"]+)\.control"/, code: 'unsupported', what: 'the extension $1 is not installed on that server', nextStep: 'Install its package on the server, and restore again.' },
  { pattern: /(must be (?:superuser|owner|able to SET ROLE|member)[^|]*|permission denied[^|]*)/, code: 'permission', what: 'the user may not do what the archive needs ($1)', nextStep: 'Restore as a user that may (a superuser, or the owner), or with --no-owner.' },
  { pattern: /cannot drop (.*?) because other objects depend on it/, code: 'target-failed', what: 'something there that the backup does not have depends on $1', nextStep: 'Restore into a new database (--create), or drop what depends on it first.' },
  { pattern: /No space left on device|could not extend file/, code: 'no-space', what: 'the disk of the server is full', nextStep: 'Make room on the server, and restore again.' },
  { pattern: /server closed the connection unexpectedly|terminating connection|connection to server was lost/, code: 'target-failed', what: 'the server closed the connection', nextStep: "See the server's log for why, and restore again." },
];

/** Undefined when it is none of the known failures; `said` without secrets. */
export function loadFailure(said: string, connection: PostgresConnection): HoldfastError | undefined {
  for (const { pattern, code, what, nextStep } of ROWS) {
    const match = pattern.exec(said);
    if (match === null) continue;
    const caught = match.slice(1).find((part) => part !== undefined) ?? '';
    return new HoldfastError(code, `Restoring into ${describeConnection(connection)} failed: ${what.replace('$1', () => caught.trim())}. Nothing of it was kept. It said: ${said}`, { nextStep });
  }
  return undefined;
}
