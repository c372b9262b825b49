import { readFileSync } from 'node:fs';
import { connect as connectPlain, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { HoldfastError } from '../../model/errors.ts';
import { CONNECT_SECONDS } from '../opened-connection.ts';
import { redisFailure, stopped } from './failures.ts';
import { RedisLink } from './link.ts';
import { isEncrypted, serverName } from './place.ts';
import type { RedisConnection } from './place.ts';
import { RedisError } from './resp.ts';

/** After so long without an answer to a handshake it is asked whether the port is one without TLS. */
const PROBE_MILLISECONDS = 1000;

/** Connects, proves who we are, and sees that the server answers. Close the link. Fails as `source-failed`, `permission`, `busy`, `interrupted`. */
export async function openRedisLink(connection: RedisConnection, signal: AbortSignal | undefined): Promise<RedisLink> {
  if (signal?.aborted) throw stopped(connection, signal);
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
  const isSecure = isEncrypted(connection);
  const socket = isSecure ? connectTls(tlsOptionsOf(connection)) : connectPlain(placeOf(connection));
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      socket.destroy();
      reject(signal?.aborted ? stopped(connection, signal) : unreachable(connection, cause as NodeJS.ErrnoException));
    };
    const onAbort = () => fail(undefined);
    const timer = setTimeout(() => fail(new Error(`no answer within ${CONNECT_SECONDS} seconds`)), CONNECT_SECONDS * 1000);
    const probe = setTimeout(() => isSecure && void isSpeakingPlain(placeOf(connection)).then((isPlain) => isPlain && fail(new Error('the server answers there without encryption'))), PROBE_MILLISECONDS);
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', fail);
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', fail);
      resolve(socket.setKeepAlive(true, 30_000));
      clearTimeout(timer);
      clearTimeout(probe);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      clearTimeout(probe);
    });
  });
}

function placeOf({ host, port }: RedisConnection): { readonly path: string } | { readonly host: string; readonly port: number } {
  return host.startsWith('/') ? { path: host } : { host, port };
}

function tlsOptionsOf(connection: RedisConnection): ConnectionOptions {
  const { host, sslMode } = connection;
  const isName = !isIP(host) && !host.startsWith('/');
  return { ...placeOf(connection), ...(isName && { servername: host }), rejectUnauthorized: sslMode === 'verify-full', ...certificates(connection) };
}

/** A server without TLS waits for the end of a line when it is greeted with a handshake, and says nothing. Sends no secret. */
function isSpeakingPlain(place: ReturnType<typeof placeOf>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectPlain(place, () => socket.write('PING\r\n'));
    socket.setTimeout(CONNECT_SECONDS * 1000, () => socket.destroy());
    socket.on('error', () => undefined).on('close', () => resolve(false)).once('data', (bytes: Buffer) => {
      resolve(/^[+-][A-Z]/.test(bytes.toString('latin1')));
      socket.destroy();
    });
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
  if (cause.code === 'ENOTFOUND' || cause.code === 'EAI_AGAIN') return new HoldfastError('source-failed', `The host ${connection.host} is not known to this machine.`, { nextStep: 'Check its spelling, and DNS where this runs.', retryable: true, cause });
  const isReached = !/^E(CONN|HOST|NET)/.test(cause.code ?? '') && !cause.message.startsWith('no answer');
  if (isEncrypted(connection) && isReached) return new HoldfastError('source-failed', `The connection to ${at} could not be encrypted as ssl-mode ${connection.sslMode} wants it: ${cause.message}.`, { nextStep: 'Check ssl-mode, that the port is the one for TLS, and that ssl-root-cert is the certificate of the authority that signed the server\'s.', cause });
  return new HoldfastError('source-failed', `The server at ${at} cannot be reached: ${cause.message}.`, { nextStep: 'Check host and port, that the server runs and listens there, and that no firewall or security group stands between.', retryable: true, cause });
}
