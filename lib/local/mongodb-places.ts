import type { ResolvedMongodb } from '../config/mongodb-schema.ts';
import { HoldfastError } from '../model/errors.ts';
import type { MongoConnection } from '../sources/mongodb/connection.ts';
import type { Environment } from './places.ts';
import { secretReader } from './secret-reader.ts';

/** Secrets are read now, and stay in this process. Fails as `missing-key`. */
export async function mongoConnectionOf({ uri, user, password, caFile }: Pick<ResolvedMongodb, 'uri' | 'user' | 'password' | 'caFile'>, environment: Environment): Promise<MongoConnection> {
  const read = secretReader(environment);
  return {
    uri: typeof uri === 'string' ? uri : await read(uri),
    ...(user !== undefined && { user: typeof user === 'string' ? user : await read(user) }),
    ...(password !== undefined && { password: await read(password) }),
    ...(caFile !== undefined && { caFile }),
  };
}

export const MONGODB_URL = 'mongodb://USER@HOST:PORT,HOST:PORT/DATABASE?OPTION=VALUE (or mongodb+srv://; without DATABASE every one of the backup), with options as the driver knows them, and &ca-file=PATH';

export interface MongoPlace {
  /** Empty: each under the name that it had. */
  readonly database: string;
  readonly connection: MongoConnection;
}

/** A database as the command line names it: what stands behind the hosts is where to restore to, never where users are. Fails as `usage`. */
export function parseMongodbUrl(text: string): MongoPlace {
  const parts = /^(mongodb(?:\+srv)?):\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  const [, scheme = '', user, hosts = '', path = '', query = ''] = parts ?? [];
  const options = new URLSearchParams(query);
  const caFile = options.get('ca-file');
  options.delete('ca-file');
  if (parts === null || path.includes('/') || user === '') throw new HoldfastError('usage', `--to-database is ${JSON.stringify(text)}, wanted ${MONGODB_URL}.`, { nextStep: 'The password comes from --password-file or HOLDFAST_DATABASE_PASSWORD.' });
  return {
    database: decodeURIComponent(path),
    connection: { uri: `${scheme}://${hosts}/${options.size === 0 ? '' : `?${options.toString()}`}`, ...(user !== undefined && { user: decodeURIComponent(user) }), ...(caFile !== null && { caFile }) },
  };
}
