import { fromText } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { CommandSource } from '../command.ts';
import type { OpenedConnection } from '../opened-connection.ts';
import type { OpenStream, SourceStream } from '../source.ts';
import { secretsOf, serverName } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
import { knownFailure } from './failures.ts';

/** Roles, their settings and memberships, tablespaces: what belongs to a server and not to a database. */
export const GLOBALS = 'globals.sql';

const END_MARKER = 'PostgreSQL database cluster dump complete';

export interface GlobalsOrder {
  readonly pgDumpall: string;
  /** Of the server's programs, as they call themselves. */
  readonly version: string;
  readonly connection: PostgresConnection;
  readonly opened: OpenedConnection;
  /** Hashes of passwords too; superusers alone may read them. */
  readonly hasPasswords: boolean;
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

/** The output of `pg_dumpall --globals-only`, whole only with its last line. */
export async function* globalsStream(order: GlobalsOrder, signal: AbortSignal): AsyncGenerator<SourceStream> {
  const { pgDumpall, connection, opened, hasPasswords, temporaryFolder, clock } = order;
  const command = [pgDumpall, '--globals-only', ...(hasPasswords ? [] : ['--no-role-passwords']), '--no-password', `--database=${connection.database}`, '--dbname', opened.argument];
  const source = new CommandSource({ command, name: fromText(GLOBALS), minimumBytes: 1, endMarker: END_MARKER, environment: opened.environment, secrets: secretsOf(connection), temporaryFolder, clock });
  for await (const stream of source.streams(signal)) yield { ...stream, open: async () => explained(await stream.open(), order) };
}

function explained(stream: OpenStream, order: GlobalsOrder): OpenStream {
  return {
    fd: stream.fd,
    async finish(seen) {
      const { bytes } = await stream.finish(seen).catch((error: unknown) => { throw inOurWords(error, order); });
      return { bytes, evidence: [`pg_dumpall ${order.version} wrote roles ${order.hasPasswords ? 'with' : 'without'} passwords to its last line, exit code 0`] };
    },
    close: () => stream.close(),
  };
}

function inOurWords(error: unknown, { connection, hasPasswords }: GlobalsOrder): unknown {
  if (!isHoldfastError(error, 'source-failed')) return error;
  const said = error.message;
  if (hasPasswords && /permission denied for (table|relation|view) pg_authid/.test(said)) {
    return new HoldfastError('permission', `User ${connection.user} may not read the passwords of roles at ${serverName(connection)}: superusers alone may. ${said}`, { nextStep: 'Leave `role-passwords` away: roles are then kept without them; or back up as a superuser.' });
  }
  return knownFailure(said, connection) ?? error;
}
