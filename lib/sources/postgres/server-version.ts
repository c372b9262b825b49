import { HoldfastError } from '../../model/errors.ts';
import type { PostgresVersion } from './client.ts';
import { serverName } from './connection.ts';
import { query } from './query.ts';
import type { Session } from './query.ts';

export async function serverVersion(session: Session): Promise<PostgresVersion> {
  const [[text = '', number = ''] = []] = await query(session, "select current_setting('server_version'), current_setting('server_version_num')");
  const major = Math.floor(Number(number) / 10_000);
  if (!(major > 0)) throw new HoldfastError('source-failed', `The server at ${serverName(session.connection)} does not say its version (${JSON.stringify(number)}).`, { nextStep: 'Check that it is a PostgreSQL server.' });
  return { text: text.split(' ')[0] ?? text, major };
}
