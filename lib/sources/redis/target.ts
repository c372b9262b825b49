import { byteString, display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { ContentFile } from '../database-loader.ts';
import type { Choice } from './choice.ts';
import { demand } from './connection.ts';
import { redisFailure } from './failures.ts';
import type { RedisLink } from './link.ts';
import { serverName } from './place.ts';
import { RedisError } from './resp.ts';
import { recordsIn } from './snapshots-in.ts';
import type { RdbRecord } from './snapshots-in.ts';

/** A server that is to be restored into, as it says of itself. */
export interface TargetServer {
  /** `Redis 7.0.15`. */
  readonly version: string;
  /** Databases that hold keys, and libraries of functions: none at all, and nothing can be in the way. */
  readonly isEmpty: boolean;
  /** Names of libraries. */
  readonly libraries: ReadonlySet<string>;
  /** Keys that it threw away for want of memory, since its start. */
  readonly evicted: number;
}

/** Fails as `unsupported` for a cluster, as `target-failed` for a replica. */
export async function examineTarget(link: RedisLink): Promise<TargetServer> {
  const said = factsOf((await demand(link, ['INFO'])) as Buffer);
  const at = serverName(link.connection);
  if (said.get('cluster_enabled') === '1') throw new HoldfastError('unsupported', `The server at ${at} is a node of a cluster, wanted a server with all keys. Nothing was done.`, { nextStep: 'Restore into a server without cluster mode, or the file into each node before it is started (docs/sources/redis.md).' });
  if (said.get('role') === 'slave') throw new HoldfastError('target-failed', `The server at ${at} is a replica of ${said.get('master_host')}:${said.get('master_port')}, and takes writes from there only. Nothing was done.`, { nextStep: 'Restore into its primary.' });
  const valkey = said.get('valkey_version');
  const version = valkey === undefined ? `Redis ${said.get('redis_version')}` : `Valkey ${valkey}`;
  const libraries = await librariesOf(link);
  return { version, libraries, isEmpty: libraries.size === 0 && ![...said.keys()].some((name) => /^db\d+$/.test(name)), evicted: Number(said.get('evicted_keys') ?? 0) };
}

function factsOf(info: Buffer): Map<string, string> {
  return new Map(info.toString('utf8').split('\r\n').flatMap((line) => {
    const at = line.indexOf(':');
    return at === -1 || line.startsWith('#') ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  }));
}

/** None of a server older than 7, which has no functions. */
async function librariesOf(link: RedisLink): Promise<Set<string>> {
  const reply = await link.ask(['FUNCTION', 'LIST']);
  if (reply instanceof RedisError) {
    if (/unknown command/i.test(reply.words)) return new Set();
    throw redisFailure(reply.words, link.connection);
  }
  // Each is a list of names and values.
  return new Set((reply as readonly (readonly (Buffer | string)[])[]).map((library) => String(library[library.findIndex((word) => word.toString() === 'library_name') + 1])));
}

/** In `#!lua name=library`, which begins every library. */
export function libraryName(code: Buffer): string {
  return /^#!\S+.*?\bname=(\S+)/.exec(code.toString('latin1', 0, 1024))?.[1] ?? '';
}

/** For people: `db3 orders:7`, `library holdfast`. */
export function recordName(record: RdbRecord): string {
  return record.kind === 'key' ? `db${record.database} ${display(byteString(record.name))}` : `library ${libraryName(record.code)}`;
}

export interface Found {
  readonly count: number;
  /** The first thousand. */
  readonly names: readonly string[];
}

const MOST_NAMES = 1000;
const PROBES = 1000;

/** Goes through a snapshot, and names the keys and libraries of it that a server has (or, with `isMissing`, has not). */
export async function foundOf(file: ContentFile, link: RedisLink, { isChosen, server, isMissing = false }: { readonly isChosen: Choice; readonly server: Pick<TargetServer, 'libraries'>; readonly isMissing?: boolean }): Promise<Found> {
  let [count, database] = [0, 0];
  const names: string[] = [];
  const note = (record: RdbRecord) => {
    count++;
    if (names.length < MOST_NAMES) names.push(recordName(record));
  };
  const probe = async (records: readonly RdbRecord[]) => {
    for (const record of records) if (record.kind === 'functions' && server.libraries.has(libraryName(record.code)) !== isMissing) note(record);
    const keys = records.filter((record) => record.kind === 'key');
    const commands = keys.flatMap((key) => {
      const isElsewhere = key.database !== database;
      database = key.database;
      return [...(isElsewhere ? [['SELECT', String(key.database)]] : []), ['EXISTS', key.name]];
    });
    const replies = await link.askAll(commands);
    const failed = replies.find((reply) => reply instanceof RedisError);
    if (failed instanceof RedisError) throw redisFailure(failed.words, link.connection);
    const answers = replies.filter((reply) => typeof reply === 'number');
    for (const [at, key] of keys.entries()) if ((answers[at] === 1) !== isMissing) note(key);
  };
  for await (const { records } of recordsIn(file, { isWithoutValues: true })) {
    const wanted = records.filter(isChosen);
    for (let at = 0; at < wanted.length; at += PROBES) await probe(wanted.slice(at, at + PROBES));
  }
  return { count, names };
}
