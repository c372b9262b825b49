import { hostAndPort } from '../opened-connection.ts';

/** Where a server is. The password is the only part that no message may show. */
export interface RedisConnection {
  /** Name, address, or the path of a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** Of the ACL; absent: the user `default`. */
  readonly user?: string;
  readonly password?: string;
  /** Absent: as `disable`; nothing is negotiated in this protocol. */
  readonly sslMode?: 'disable' | 'require' | 'verify-full';
  /** PEM file. */
  readonly sslRootCert?: string;
}

/** For messages: `db.internal:6379`, or the path of a socket. */
export function serverName(place: Pick<RedisConnection, 'host' | 'port'>): string {
  return place.host.startsWith('/') ? place.host : hostAndPort(place);
}

export function userName({ user }: RedisConnection): string {
  return user ?? 'default';
}

export function isEncrypted({ sslMode = 'disable' }: RedisConnection): boolean {
  return sslMode !== 'disable';
}
