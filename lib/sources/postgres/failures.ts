import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { describeConnection, serverName } from './connection.ts';
import type { PostgresConnection } from './connection.ts';

interface FailureRow {
  readonly pattern: RegExp;
  readonly code?: ErrorCode;
  readonly retryable?: boolean;
  readonly message: (connection: PostgresConnection, said: string) => string;
  readonly nextStep: (connection: PostgresConnection) => string;
}

/** What libpq and the server say (in English: the programs run with LC_ALL=C), the most particular first. */
const ROWS: readonly FailureRow[] = [
  {
    pattern: /no password supplied/,
    message: (at) => `The server at ${serverName(at)} wants a password for user ${at.user}, and none was given.`,
    nextStep: () => 'Name one (`password: ${env:NAME}`, `${secret:NAME}`), or write a line for this server into ~/.pgpass (mode 0600).',
  },
  {
    pattern: /(password|SASL|SCRAM|peer|ident|certificate|GSSAPI) authentication failed|role ".*" does not exist|role ".*" is not permitted to log in/i,
    message: (at) => `The server at ${serverName(at)} does not let user ${at.user} in${at.password === undefined ? '' : ' with the password that was given'}.`,
    nextStep: (at) => `Check the user and where its password comes from; by hand: \`psql --host ${at.host} --port ${at.port} --username ${at.user} ${at.database}\`.`,
  },
  {
    pattern: /no pg_hba\.conf entry for replication connection/,
    message: (at) => `The server at ${serverName(at)} has no rule that lets user ${at.user} replicate from this machine.`,
    nextStep: (at) => `Add a line for the database "replication" to the server's pg_hba.conf (\`host replication ${at.user} ADDRESS scram-sha-256\`), and reload it; "all" does not cover it.`,
  },
  {
    pattern: /must be superuser or replication role to start walsender|permission denied to start WAL sender/,
    code: 'permission',
    message: (at) => `User ${at.user} may not replicate from the server at ${serverName(at)}, and a base backup is read by replication.`,
    nextStep: (at) => `As a superuser: ALTER ROLE "${at.user}" REPLICATION.`,
  },
  {
    pattern: /number of requested standby connections exceeds|all replication slots are in use/,
    code: 'busy', retryable: true,
    message: (at) => `All replication connections of the server at ${serverName(at)} are taken.`,
    nextStep: () => 'Start again when another base backup or standby has ended, or raise max_wal_senders.',
  },
  {
    pattern: /requested WAL segment \S+ has already been removed|could not find any WAL files|could not find WAL file/,
    retryable: true,
    message: (at, said) => `The server at ${serverName(at)} removed WAL that the base backup needs before it had ended: ${said}`,
    nextStep: () => 'Raise wal_keep_size on the server above what it writes during a base backup, or archive its WAL and set `wal: none`.',
  },
  {
    pattern: /no pg_hba\.conf entry/,
    message: (at, said) => `The server at ${serverName(at)} has no rule that lets user ${at.user} into ${at.database} from this machine${/no encryption/.test(said) ? ' without encryption' : ''}.`,
    nextStep: () => "Add a line to the server's pg_hba.conf, or set `ssl-mode: require` when it takes encrypted connections only.",
  },
  {
    pattern: /database ".*" does not exist/,
    message: (at) => `The server at ${serverName(at)} has no database ${at.database}.`,
    nextStep: (at) => `Check the name: \`psql --host ${at.host} --port ${at.port} --username ${at.user} --list\`.`,
  },
  {
    pattern: /permission denied for database/,
    code: 'permission',
    message: (at) => `User ${at.user} may not connect to database ${at.database} at ${serverName(at)}.`,
    nextStep: (at) => `As its owner: GRANT CONNECT ON DATABASE "${at.database}" TO "${at.user}".`,
  },
  {
    pattern: /row-level security policy for table/,
    code: 'permission',
    message: (at, said) => `Row level security hides rows of database ${at.database} from user ${at.user}, so that a dump would not be whole: ${said}`,
    nextStep: (at) => `As a superuser: ALTER ROLE "${at.user}" BYPASSRLS.`,
  },
  {
    pattern: /permission denied for large object/,
    code: 'permission',
    message: (at, said) => `User ${at.user} may not read the large objects of database ${at.database} at ${serverName(at)}: ${said}`,
    nextStep: (at) => `pg_read_all_data does not reach them. Dump as their owner or a superuser, or for each: GRANT SELECT ON LARGE OBJECT … TO "${at.user}".`,
  },
  {
    pattern: /permission denied/,
    code: 'permission',
    message: (at, said) => `User ${at.user} may not read everything of database ${at.database} at ${serverName(at)}: ${said}`,
    nextStep: (at) => `Let it read: GRANT pg_read_all_data TO "${at.user}" (PostgreSQL 14 or newer), or exclude the table.`,
  },
  {
    pattern: /No space left on device|could not extend file|disk quota exceeded/i,
    code: 'no-space',
    message: (at, said) => `There was no room left while ${describeConnection(at)} was dumped: ${said}`,
    nextStep: (at) => `Make room where it says: on the disk of the server ${serverName(at)}, or in the scratch folder here when pg_dump itself could not write.`,
  },
  {
    pattern: /canceling statement due to (statement timeout|lock timeout|user request|conflict with recovery)|could not obtain lock on relation/,
    code: 'source-failed', retryable: true,
    message: (at, said) => `The dump of ${describeConnection(at)} was ended by the server: ${said}`,
    nextStep: () => 'Nothing of this run is kept. A lock that somebody holds (ALTER TABLE, VACUUM FULL, LOCK) or a limit on statements stood in the way; on a standby, raise max_standby_streaming_delay. Start again later.',
  },
  {
    pattern: /could not translate host name/,
    retryable: true,
    message: (at) => `The host ${at.host} is not known to this machine.`,
    nextStep: () => 'Check its spelling, and DNS where this runs.',
  },
  {
    pattern: /Connection refused|timeout expired|No route to host|Network is unreachable|Connection timed out|No such file or directory\s.*Is the server running|connection to server on socket/s,
    retryable: true,
    message: (at, said) => `The server at ${serverName(at)} cannot be reached: ${reasonIn(said)}.`,
    nextStep: () => 'Check host and port, that the server runs and listens there, and that no firewall or security group stands between.',
  },
  {
    pattern: /server does not support SSL|invalid when SSL support is not compiled in|SSL error|certificate verify failed|root certificate file .* does not exist|server certificate for .* does not match/,
    message: (at, said) => `The connection to ${serverName(at)} could not be encrypted as ssl-mode ${at.sslMode ?? 'prefer'} wants it: ${said}`,
    nextStep: () => 'Check ssl-mode, and that ssl-root-cert is the certificate of the authority that signed the server\'s.',
  },
  {
    pattern: /too many clients|remaining connection slots|too many connections/,
    code: 'busy', retryable: true,
    message: (at) => `The server at ${serverName(at)} takes no more connections now.`,
    nextStep: () => 'Start again later, or raise max_connections.',
  },
  {
    pattern: /the database system is (starting up|shutting down|in recovery mode|not yet accepting connections)/,
    retryable: true,
    message: (at, said) => `The server at ${serverName(at)} takes no connections now: ${said}`,
    nextStep: () => 'Start again when the server is up.',
  },
  {
    pattern: /server closed the connection unexpectedly|terminating connection|connection to server was lost|could not receive data from server|SSL connection has been closed unexpectedly/,
    retryable: true,
    message: (at, said) => `The connection to ${describeConnection(at)} broke: ${said}`,
    nextStep: () => 'Nothing of this run is kept. See the log of the server for why it stopped, and start again.',
  },
];

/**
 * What somebody who reads the message needs to mend it; `said` is the last of a program's standard error, without
 * secrets. Undefined when it is none of the known failures.
 */
export function knownFailure(said: string, connection: PostgresConnection): HoldfastError | undefined {
  const row = ROWS.find(({ pattern }) => pattern.test(said));
  if (row === undefined) return undefined;
  const { code = 'source-failed', retryable = false } = row;
  return new HoldfastError(code, row.message(connection, said), { nextStep: row.nextStep(connection), retryable });
}

function reasonIn(said: string): string {
  return /Connection refused|timeout expired|No route to host|Network is unreachable|Connection timed out|No such file or directory/.exec(said)?.[0].toLowerCase() ?? said;
}
