import type { ClientPlaces } from '../client-programs.ts';
import type { ConnectionPlaces } from '../opened-connection.ts';
import { findClient } from './client.ts';
import { openConnection } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
import type { Session } from './query.ts';

/** What programs of PostgreSQL need to reach a database, while `work` lasts. */
export async function withSession<T>(connection: PostgresConnection, places: ClientPlaces & ConnectionPlaces, signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
  const client = await findClient(places);
  const opened = await openConnection(connection, places);
  try {
    return await work({ client, connection, opened, signal });
  } finally {
    await opened.remove();
  }
}
