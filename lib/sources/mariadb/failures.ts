import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { serverName } from './connection.ts';
import type { SqlConnection } from './connection.ts';

interface FailureRow {
  readonly pattern: RegExp;
  readonly code?: ErrorCode;
  readonly retryable?: boolean;
  readonly message: (at: SqlConnection, said: string) => string;
  readonly nextStep: (at: SqlConnection) => string;
}

/** `ERROR 1045 (28000)`, `Got error: 1045: "…"`, `Error 2013: …`, `… (1356)`: never a number alone, it may be that of a row. */
function said(numbers: readonly number[], words: RegExp): RegExp {
  const number = `(?:${numbers.join('|')})`;
  return new RegExp(`error:? ${number}\\b|\\(${number}\\)|${words.source}`, 'i');
}

/** What the programs and the server say, in English; their numbers have meant the same for twenty years. */
const ROWS: readonly FailureRow[] = [
  {
    pattern: said([1045], /Access denied for user .* \(using password/),
    message: (at) => `The server at ${serverName(at)} does not let user ${at.user} in${at.password === undefined ? ' without a password' : ' with the password that was given'}.`,
    nextStep: (at) => `${at.password === undefined ? 'Give its password: `password` of the source in holdfast.yaml, for a restore --password-file or HOLDFAST_DATABASE_PASSWORD. ' : ''}Check the user, the host that it may come from (\`user@host\` on the server), and where its password comes from.`,
  },
  {
    pattern: said([1049], /Unknown database/),
    message: (at, said) => `The server at ${serverName(at)} has no such database: ${said}`,
    nextStep: () => 'Check the name; `SHOW DATABASES` shows those that the user may see.',
  },
  {
    pattern: said([1044, 1142, 1143, 1227, 1370], /insuffic\w+ privileges|command denied to user|Access denied/),
    code: 'permission',
    message: (at, said) => `User ${at.user} may not do what this needs at ${serverName(at)}: ${said}`,
    nextStep: () => 'Grant what is missing; docs/sources/mariadb.md has the exact statements.',
  },
  {
    pattern: said([2005], /Unknown (MySQL |MariaDB )?server host/),
    retryable: true,
    message: (at) => `The host ${at.host} is not known to this machine.`,
    nextStep: () => 'Check its spelling, and DNS where this runs.',
  },
  {
    pattern: said([2002, 2003], /Can't connect to/),
    retryable: true,
    message: (at, said) => `The server at ${serverName(at)} cannot be reached: ${said}`,
    nextStep: () => 'Check host and port, that the server runs and listens there, and that no firewall or security group stands between.',
  },
  {
    pattern: said([2026], /(SSL|TLS)[^|]*error|SSL is required/i),
    message: (at, said) => at.sslMode === undefined
      ? `The client programs want an encrypted connection by themselves, as MariaDB's do from 11.4 on, and got none that they trust from ${serverName(at)}: ${said}`
      : `The connection to ${serverName(at)} could not be encrypted as ssl-mode ${at.sslMode} wants it: ${said}`,
    nextStep: (at) => at.sslMode === undefined
      ? 'Write `ssl-mode: disable` (in a URL `?ssl-mode=disable`) where the way to the server is safe without, or set up TLS on the server and name the certificate of its authority with ssl-root-cert.'
      : 'Check ssl-mode, and that ssl-root-cert is the certificate of the authority that signed the server\'s.',
  },
  {
    pattern: said([2059], /Authentication plugin .* cannot be loaded/),
    message: (at, said) => `The client programs do not know how user ${at.user} proves himself to ${serverName(at)}: ${said}`,
    nextStep: () => 'Install the client programs of that server, or give the user another authentication plugin.',
  },
  {
    pattern: said([1040, 1203, 1226], /Too many connections/),
    code: 'busy', retryable: true,
    message: (at) => `The server at ${serverName(at)} takes no more connections now.`,
    nextStep: () => 'Start again later, or raise max_connections.',
  },
  {
    pattern: said([1969, 3024, 1317, 1205], /max_statement_time exceeded|execution was interrupted|Lock wait timeout/),
    message: (at, said) => `The server at ${serverName(at)} gave up a statement of the dump: ${said}`,
    nextStep: () => 'Nothing of this run is kept. Exempt this user from the limit (max_statement_time), or end what holds the lock, and start again.',
  },
  {
    pattern: said([1412], /Table definition has changed/),
    retryable: true,
    message: (at, said) => `A table at ${serverName(at)} was altered while it was dumped, so that the dump would not be of one moment: ${said}`,
    nextStep: () => 'Nothing of this run is kept. Start again when the migration is over.',
  },
  {
    pattern: said([1356], /references invalid (table|column)/),
    message: (at, said) => `A view at ${serverName(at)} cannot be dumped: ${said}`,
    nextStep: () => 'Mend or drop the view, or leave it out with exclude-tables.',
  },
  {
    pattern: said([2006, 2013, 1053, 1927, 1158, 1159, 1160, 1161], /Lost connection|server has gone away|Server shutdown|Connection was killed/),
    retryable: true,
    message: (at, said) => `The connection to ${serverName(at)} broke: ${said}`,
    nextStep: () => 'Nothing of this run is kept. See the log of the server for why it stopped, and start again.',
  },
];

/** What somebody who reads the message needs to mend it; `said` without secrets. Undefined when it is none of the known failures. */
export function knownSqlFailure(said: string, connection: SqlConnection): HoldfastError | undefined {
  const row = ROWS.find(({ pattern }) => pattern.test(said));
  if (row === undefined) return undefined;
  const { code = 'source-failed', retryable = false } = row;
  return new HoldfastError(code, row.message(connection, said), { nextStep: row.nextStep(connection), retryable });
}
