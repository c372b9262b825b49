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

const SELECTION_MS = 15_000;
const CONNECT_MS = 10_000;
/** A server that says nothing for so long is gone; the slowest answer is that of a count. */
const SILENCE_MS = 10 * 60_000;
const MAX_CONNECTIONS = 24;

/** Hosts without user, password and options, for people: `mongodb://a:27017,b:27017`. */
export function serverName({ uri }: Pick<MongoConnection, 'uri'>): string {
  const [, scheme = 'mongodb', authority = ''] = /^(mongodb(?:\+srv)?):\/\/([^/?#]*)/.exec(uri) ?? [];
  return `${scheme}://${authority.slice(authority.lastIndexOf('@') + 1)}`;
}

/** The database that stands behind the hosts; empty when none does. */
export function databaseOfUri(uri: string): string {
  return decodeURIComponent(/^[a-z+]+:\/\/[^/?#]*\/([^?#]*)/.exec(uri)?.[1] ?? '');
}

/** An open client, for the length of `work`; an abort ends what it does at once, as `interrupted`. Fails in the server's own words. */
export async function withClient<T>(connection: MongoConnection, signal: AbortSignal | undefined, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = await openClient(connection, signal);
  try {
    return await failingAs(connection, () => work(client), signal);
  } finally {
    await client.close(true);
  }
}

/** Connected and let in; whoever asks for it closes it. */
export async function openClient(connection: MongoConnection, signal?: AbortSignal): Promise<MongoClient> {
  refuseIfStopped(signal);
  return failingAs(connection, async () => {
    const client = new MongoClient(connection.uri, optionsOf(connection));
    // A closed client fails all that is under way; nobody else listens for the signal.
    const onAbort = () => void client.close(true).catch(() => undefined);
    signal?.addEventListener('abort', onAbort, { once: true });
    client.on('close', () => signal?.removeEventListener('abort', onAbort));
    try {
      await client.connect();
      await client.db('admin').command({ ping: 1 });
      return client;
    } catch (error) {
      await client.close(true);
      throw error;
    }
  }, signal);
}

/** What the driver or the server throws, as an error of ours; after an abort all of it is `interrupted`. */
export async function failingAs<T>(connection: MongoConnection, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    refuseIfStopped(signal);
    throw isHoldfastError(cause) ? cause : mongoFailure(cause, { server: serverName(connection), user: connection.user, secrets: secretsOf(connection) });
  }
}

export function refuseIfStopped(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw isHoldfastError(signal.reason) ? signal.reason : new HoldfastError('interrupted', 'The work with MongoDB was stopped.', { nextStep: 'Start it again.' });
}

function optionsOf({ user, password, caFile }: MongoConnection): MongoClientOptions {
  return {
    appName: 'holdfast', serverSelectionTimeoutMS: SELECTION_MS, connectTimeoutMS: CONNECT_MS, socketTimeoutMS: SILENCE_MS, maxPoolSize: MAX_CONNECTIONS, minPoolSize: 0,
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
