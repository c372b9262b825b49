import { resolve } from 'node:path';
import type { ResolvedRedis } from '../config/redis-schema.ts';
import { HoldfastError } from '../model/errors.ts';
import type { RedisConnection } from '../sources/redis/place.ts';
import type { Environment } from './places.ts';
import { secretReader } from './secret-reader.ts';

/** Secrets are read now, and stay in this process. Fails as `missing-key`. */
export async function redisConnectionOf({ host, port, user, password, sslMode, sslRootCert }: ResolvedRedis, environment: Environment): Promise<RedisConnection> {
  const read = secretReader(environment);
  return {
    host, port,
    ...(user !== undefined && { user: typeof user === 'string' ? user : await read(user) }),
    ...(password !== undefined && { password: await read(password) }),
    ...(sslMode !== undefined && { sslMode }),
    ...(sslRootCert !== undefined && { sslRootCert }),
  };
}

const SSL_MODES = ['disable', 'require', 'verify-full'] as const;
const ENCRYPTED: ReadonlySet<string> = new Set(['rediss:', 'valkeys:']);
export const REDIS_SCHEMES = ['redis', 'rediss', 'valkey', 'valkeys'] as const;
export const REDIS_URL = 'redis://USER@HOST:PORT/NUMBER (or rediss://, valkey://; without NUMBER every database of the backup), with ?ssl-mode= and &ssl-root-cert= if need be, and ?socket=PATH for a socket; redis-directory:PATH for the directory of a server that is stopped';

export interface RedisPlace {
  /** Absent: all. */
  readonly database?: number;
  readonly connection: RedisConnection;
}

/** A server as the command line names it. Fails as `usage`. */
export function parseRedisUrl(text: string): RedisPlace {
  const url = new URL(text);
  const host = url.searchParams.get('socket') ?? decodeURIComponent(url.hostname.replace(/^\[(.*)\]$/, '$1'));
  const [path, user] = [url.pathname.replace(/^\//, ''), decodeURIComponent(url.username)];
  const sslMode = url.searchParams.get('ssl-mode') ?? (ENCRYPTED.has(url.protocol) ? 'verify-full' : 'disable');
  const sslRootCert = url.searchParams.get('ssl-root-cert');
  const mode = SSL_MODES.find((known) => known === sslMode);
  const isUnknown = [...url.searchParams.keys()].some((key) => !['socket', 'ssl-mode', 'ssl-root-cert'].includes(key));
  if (host === '' || isUnknown || mode === undefined || !/^\d{0,9}$/.test(path)) {
    throw new HoldfastError('usage', `--to-database is ${JSON.stringify(text)}, wanted ${REDIS_URL}.`, { nextStep: 'The password comes from --password-file or HOLDFAST_DATABASE_PASSWORD.' });
  }
  const connection = { host, port: url.port === '' ? 6379 : Number(url.port), sslMode: mode, ...(user !== '' && { user }), ...(sslRootCert !== null && { sslRootCert }) };
  return { connection, ...(path !== '' && { database: Number(path) }) };
}

/** `redis-directory:/var/lib/redis`. Fails as `usage`. */
export function parseRedisDirectory(text: string, { workingFolder }: Pick<Environment, 'workingFolder'>): string {
  const path = text.slice(text.indexOf(':') + 1).replace(/^\/\/(?=\/)/, '');
  if (path === '' || path.startsWith('//')) throw new HoldfastError('usage', `--to-database is ${JSON.stringify(text)}, wanted redis-directory:PATH.`, { nextStep: 'For example: redis-directory:/var/lib/redis' });
  return resolve(workingFolder, path);
}
