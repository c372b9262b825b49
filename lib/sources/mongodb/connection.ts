import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import type { MongoClientOptions } from 'mongodb';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { mongoFailure } from './failures.ts';

/** Where a server is. What stands in `secrets` is in no message. */
export interface MongoConnection {
  /** `mongodb://…` or `mongodb+srv://…` with the options of MongoDB's connection strings. It may hold user and password. */
  readonly uri: string;
  /** Absent: those of the URI, or none. */
  readonly user?: string;
  readonly password?: string;
  /** PEM file. */
  readonly caFile?: string;
}

/** Where the URI says nothing else. A server that says nothing for so long as `socketTimeoutMS` is gone; the slowest answer is that of a count. */
const DEFAULTS = { appName: 'holdfast', serverSelectionTimeoutMS: 15_000, connectTimeoutMS: 10_000, socketTimeoutMS: 10 * 60_000, maxPoolSize: 24 } as const;

const CLOSE_MS = 3000;

/** Hosts without user, password and options, for people: `mongodb://a:27017,b:27017`. */
export function serverName({ uri }: Pick<MongoConnection, 'uri'>): string {
  const [, scheme = 'mongodb', authority = ''] = /^(mongodb(?:\+srv)?):\/\/([^/?#]*)/.exec(uri) ?? [];
  return `${scheme}://${authority.slice(authority.lastIndexOf('@') + 1)}`;
}

/** The database that stands behind the hosts; empty when none does. */
export function databaseOfUri(uri: string): string {
  return decodeURIComponent(/^[a-z+]+:\/\/[^/?#]*\/([^?#]*)/.exec(uri)?.[1] ?? '');
}

/** An open client, for the length of `work`, which an abort ends at once, as `interrupted`. Fails in the server's own words. */
export async function withClient<T>(connection: MongoConnection, signal: AbortSignal | undefined, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = await openClient(connection, signal);
  try {
    return await failingAs(connection, () => work(client), signal);
  } finally {
    await closeClient(client);
  }
}

/** Connected and let in; whoever asks for it closes it. */
export async function openClient(connection: MongoConnection, signal?: AbortSignal): Promise<MongoClient> {
  refuseIfStopped(signal);
  return failingAs(connection, async () => {
    const client = new MongoClient(connection.uri, optionsOf(connection));
    try {
      await orStopped(client.connect(), signal);
      await orStopped(client.db('admin').command({ ping: 1 }), signal);
      return client;
    } catch (error) {
      void closeClient(client);
      throw error;
    }
  });
}

/** Connections are cut. A driver that was in the middle of making one may wait for ever; nobody else should. */
export async function closeClient(client: MongoClient): Promise<void> {
  await Promise.race([client.close(true).catch(() => undefined), sleep(CLOSE_MS, undefined, { ref: false })]);
}

/**
 * What the driver or the server throws, as an error of ours. An abort ends the waiting at once, as `interrupted`: calls of
 * the driver that were under way when its client was closed do not always come back. For what only reads.
 */
export async function failingAs<T>(connection: MongoConnection, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await orStopped(work(), signal);
  } catch (cause) {
    refuseIfStopped(signal);
    throw isHoldfastError(cause) ? cause : mongoFailure(cause, { server: serverName(connection), user: connection.user, secrets: secretsOf(connection) });
  }
}

/** As `failingAs`, for what changes something: after an abort it has a while to come to its end, so that what it does is known. */
export async function orStopped<T>(work: Promise<T>, signal: AbortSignal | undefined, patienceMilliseconds = 0): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  const stopped = Promise.withResolvers<never>();
  const onAbort = () => void sleep(patienceMilliseconds, undefined, { ref: false }).then(() => stopped.reject(stopOf(signal)));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

export function refuseIfStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw stopOf(signal);
}

function stopOf({ reason }: AbortSignal): HoldfastError {
  return isHoldfastError(reason) ? reason : new HoldfastError('interrupted', 'The work with MongoDB was stopped.', { nextStep: 'Start it again.' });
}

function optionsOf({ uri, user, password, caFile }: MongoConnection): MongoClientOptions {
  const query = uri.slice(uri.indexOf('?') + 1).toLowerCase();
  return {
    ...Object.fromEntries(Object.entries(DEFAULTS).filter(([name]) => !new URLSearchParams(query).has(name.toLowerCase()))),
    promoteValues: false, bsonRegExp: true,
    ...(user !== undefined && { auth: { username: user, ...(password !== undefined && { password }) } }),
    ...(caFile !== undefined && { tlsCAFile: caFile }),
  };
}

/** As they are and as a URI writes them. */
export function secretsOf({ uri, password }: MongoConnection): string[] {
  const inUri = /^[a-z+]+:\/\/[^@/]*?:([^@/]*)@/.exec(uri)?.[1];
  const all = [password, inUri, inUri === undefined ? undefined : safeDecoded(inUri)].filter((secret) => secret !== undefined && secret !== '') as string[];
  return [...new Set([...all, ...all.map(encodeURIComponent)])];
}

function safeDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
