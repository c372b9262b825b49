import type { ResolvedRedis } from '../config/redis-schema.ts';
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
