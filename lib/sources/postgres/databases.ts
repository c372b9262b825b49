import { HoldfastError } from '../../model/errors.ts';
import type { ClientPlaces } from '../client-programs.ts';
import type { ConnectionPlaces } from '../opened-connection.ts';
import { findClient } from './client.ts';
import { openConnection, serverName } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
import { query } from './query.ts';

/** `all`: every database that is no template and takes connections. */
export type DatabaseChoice = readonly string[] | 'all';

export interface ChosenDatabases {
  readonly databases: readonly string[];
  /** What is left out of `all`, with the reason. */
  readonly warnings: readonly string[];
}

const ALL = `
  select datname, has_database_privilege(oid, 'CONNECT') from pg_database
  where datallowconn and not datistemplate and datname !~ '^holdfast_restore_' order by datname`;

/** Databases of a run, in the order of their names; asked anew each time, so that a new database is kept by the next run. */
export async function chosenDatabases(options: ClientPlaces & ConnectionPlaces & { readonly connection: PostgresConnection; readonly databases?: DatabaseChoice | undefined }, signal: AbortSignal): Promise<ChosenDatabases> {
  const { connection, databases } = options;
  if (databases === undefined) return { databases: [connection.database], warnings: [] };
  if (databases !== 'all') return { databases: [...databases].sort(), warnings: [] };
  const client = await findClient(options);
  const opened = await openConnection(connection, options);
  try {
    const rows = await query({ client, connection, opened, signal }, ALL);
    const closed = rows.filter(([, may]) => may !== 't').map(([name = '']) => name);
    const open = rows.filter(([, may]) => may === 't').map(([name = '']) => name);
    if (open.length === 0) throw new HoldfastError('permission', `User ${connection.user} may connect to no database at ${serverName(connection)}.`, { nextStep: `As their owners: GRANT CONNECT ON DATABASE … TO "${connection.user}".` });
    return { databases: open, warnings: closed.map((name) => `the database ${name} is not in the backup: user ${connection.user} may not connect to it (GRANT CONNECT)`) };
  } finally {
    await opened.remove();
  }
}
