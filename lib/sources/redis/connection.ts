import { readFileSync } from 'node:fs';
import { connect as connectPlain, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { HoldfastError } from '../../model/errors.ts';
import { CONNECT_SECONDS, hostAndPort } from '../opened-connection.ts';
import { redisFailure } from './failures.ts';
import { RedisLink } from './link.ts';
import { RedisError } from './resp.ts';

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

/** Connects, proves who we are, and sees that the server answers. Close the link. Fails as `source-failed`, `permission`, `busy`, `interrupted`. */
export async function openRedisLink(connection: RedisConnection, signal: AbortSignal | undefined): Promise<RedisLink> {
  signal?.throwIfAborted();
  const link = new RedisLink(await openSocket(connection, signal), connection, signal);
  try {
    const { user, password } = connection;
    if (password !== undefined) await demand(link, ['AUTH', ...(user === undefined ? [] : [user]), password]);
    await demand(link, ['PING']);
    return link;
  } catch (error) {
    link.close();
    throw error;
  }
}

/** Asks, and takes an error for a failure, told in the server's own words. */
export async function demand(link: RedisLink, words: readonly (string | Buffer)[]): Promise<Exclude<Awaited<ReturnType<RedisLink['ask']>>, RedisError>> {
  const reply = await link.ask(words);
  if (reply instanceof RedisError) throw redisFailure(reply.words, link.connection);
  return reply;
}

function openSocket(connection: RedisConnection, signal: AbortSignal | undefined): Promise<Socket> {
  const { host, port, sslMode = 'disable' } = connection;
  const place = host.startsWith('/') ? { path: host } : { host, port };
  const isSecure = sslMode !== 'disable';
  const socket = isSecure ? connectTls({ ...place, ...(!isIP(host) && !host.startsWith('/') && { servername: host }), rejectUnauthorized: sslMode === 'verify-full', ...certificates(connection) }) : connectPlain(place);
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      socket.destroy();
      reject(signal?.aborted ? signal.reason : unreachable(connection, cause as NodeJS.ErrnoException));
    };
    const onAbort = () => fail(signal?.reason);
    const timer = setTimeout(() => fail(new Error(`no answer within ${CONNECT_SECONDS} seconds`)), CONNECT_SECONDS * 1000);
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', fail);
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', fail);
      resolve(socket.setKeepAlive(true, 30_000));
    });
    socket.once('close', () => clearTimeout(timer));
  });
}

function certificates({ sslRootCert }: RedisConnection): { readonly ca?: Buffer } {
  if (sslRootCert === undefined) return {};
  try {
    return { ca: readFileSync(sslRootCert) };
  } catch (cause) {
    throw new HoldfastError('source-failed', `The certificate ${sslRootCert} (ssl-root-cert) cannot be read: ${(cause as Error).message}.`, { nextStep: 'Name a PEM file that this user may read.', cause });
  }
}

function unreachable(connection: RedisConnection, cause: NodeJS.ErrnoException): HoldfastError {
  const at = serverName(connection);
  const { sslMode = 'disable' } = connection;
  if (cause.code === 'ENOTFOUND' || cause.code === 'EAI_AGAIN') return new HoldfastError('source-failed', `The host ${connection.host} is not known to this machine.`, { nextStep: 'Check its spelling, and DNS where this runs.', retryable: true, cause });
  if (sslMode !== 'disable' && !/^E(CONN|HOST|NET)/.test(cause.code ?? '') && !/no answer/.test(cause.message)) return new HoldfastError('source-failed', `The connection to ${at} could not be encrypted as ssl-mode ${sslMode} wants it: ${cause.message}.`, { nextStep: 'Check ssl-mode, that the port is the one for TLS, and that ssl-root-cert is the certificate of the authority that signed the server\'s.', cause });
  return new HoldfastError('source-failed', `The server at ${at} cannot be reached: ${cause.message}.`, { nextStep: 'Check host and port, that the server runs and listens there, and that no firewall or security group stands between.', retryable: true, cause });
}
