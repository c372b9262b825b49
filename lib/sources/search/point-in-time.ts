import { HoldfastError } from '../../model/errors.ts';
import { areWhole, provedAnswer } from './answers.ts';
import type { ShardCounts } from './answers.ts';
import type { SearchClient } from './client.ts';
import { placeOf } from './connection.ts';
import { shardFailure } from './failures.ts';
import { membersOf, parsed, slice } from './json-spans.ts';
import type { Span } from './json-spans.ts';
import { isAtLeast } from './server.ts';
import type { SearchServer } from './server.ts';

/** How long the cluster keeps a point in time that nobody asks for; reading begins it anew. */
const KEEP_ALIVE = '10m';
/** So often it is begun anew while nobody reads, as when the vault does not answer for a while. */
const TOUCH_MILLISECONDS = 3 * 60_000;
/** `index.max_result_window` where nobody set it. */
const DEFAULT_WINDOW = 10_000;
/** Servers take 4096 bytes of a first line. */
const ADDRESS_LENGTH = 3000;

/** One index as it was at one moment. */
export interface PointInTime {
  readonly index: string;
  /** Another one with every answer, perhaps. */
  id: string;
  readonly keepAlive: string;
  /** Primary shards. */
  readonly shards: number;
  /** Documents that one answer may hold, by the settings of the index. */
  readonly largestPage: number;
  /** Documents in it, counted by the cluster. */
  readonly total: number;
  /** What the cluster says of the index: `{"aliases":…,"mappings":…,"settings":…}`, settings flat, taken after the moment: a mapping grows only. */
  readonly definition: Buffer;
  /** What a search has to ask for to get all of a document. */
  readonly source: string;
  /** Lets it go; callable twice, never fails: the cluster lets it go by itself. */
  close(): Promise<void>;
}

export interface PointPorts {
  readonly client: SearchClient;
  readonly server: SearchServer;
  readonly signal: AbortSignal;
}

/** Fails as `source-failed`, `permission`. */
export async function openPointInTime(index: string, { client, server, signal }: PointPorts): Promise<PointInTime> {
  const held: { id: string; keepAlive: string; index: string } = { id: await open(index, { client, server, signal }), keepAlive: KEEP_ALIVE, index };
  // When it fails, the next page says so.
  const touch = setInterval(() => void count(held, client, signal).catch(() => undefined), TOUCH_MILLISECONDS);
  touch.unref();
  const close = async () => {
    clearInterval(touch);
    await letGo(held.id, client, server);
  };
  try {
    const definition = await definitionOf(index, client, signal);
    const settings = settingsOf(definition);
    const [shards, largestPage] = [Number(settings['index.number_of_shards']), Number(settings['index.max_result_window'] ?? DEFAULT_WINDOW)];
    return Object.assign(held, { shards, largestPage, total: await count(held, client, signal, shards), definition, source: wholeSource(server), close });
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whether each could be read, asked for as few times as fit into addresses. Fails as `openPointInTime` does. */
export async function tryIndices(names: readonly string[], { client, server, signal }: PointPorts): Promise<void> {
  for (let from = 0; from < names.length; ) {
    let to = from + 1;
    while (to < names.length && names.slice(from, to + 1).map(encodeURIComponent).join().length < ADDRESS_LENGTH) to++;
    const id = await open(names.slice(from, to).join(), { client, server, signal });
    try {
      await count({ id, keepAlive: KEEP_ALIVE }, client, signal);
    } finally {
      await letGo(id, client, server);
    }
    from = to;
  }
}

/** Its id holds the shards that were opened and no other: what is asked by it later never tells of one that is missing. */
async function open(indices: string, { client, server, signal }: PointPorts): Promise<string> {
  const { dialect, version } = server;
  const path = dialect.openPath(indices.split(',').map(encodeURIComponent).join());
  const isWhole = dialect.wholeQuery(version);
  const answer = await client.json<{ readonly id?: string; readonly pit_id?: string; readonly _shards?: ShardCounts }>({ method: 'POST', path: `${path}?keep_alive=${KEEP_ALIVE}${isWhole}` }, signal);
  const id = dialect.pitOf(answer);
  // Those that cannot open a part do not count either.
  const { _shards: shards = isWhole === '' ? undefined : {} } = answer;
  if (id !== undefined && (shards === undefined || areWhole(shards))) return id;
  if (id !== undefined) await letGo(id, client, server);
  if (id !== undefined) throw shardFailure(Buffer.from(JSON.stringify(shards)), `POST ${path}`, client);
  throw new HoldfastError('source-failed', `The cluster at ${placeOf(client.connection)} opened no point in time of ${indices} and did not say why.`, { nextStep: 'Nothing of this run is kept. See the log of the cluster.' });
}

/** Also after an abort; whatever fails, the cluster lets it go when its time is over. */
async function letGo(id: string, client: SearchClient, { dialect }: SearchServer): Promise<void> {
  await client.ask({ method: 'DELETE', path: dialect.closePath, body: JSON.stringify(dialect.closeBody(id)), isRepeatable: false, accepts: [404] }, AbortSignal.timeout(5000)).catch(() => undefined);
}

/** `shards`: how many must have been asked. */
async function count(held: { id: string; readonly keepAlive: string }, client: SearchClient, signal: AbortSignal, shards?: number): Promise<number> {
  const body = JSON.stringify({ size: 0, track_total_hits: true, pit: { id: held.id, keep_alive: held.keepAlive } });
  const { body: answer } = await client.ask({ method: 'POST', path: '/_search?allow_partial_search_results=false', body }, signal);
  const members = provedAnswer(answer, client);
  const asked = parsed<ShardCounts>(answer, members.get('_shards') as Span).total;
  if (shards !== undefined && asked !== shards) throw shardFailure(Buffer.from(`${asked} shards were asked, and the index has ${shards}`), 'POST /_search', client);
  const total = membersOf(answer, members.get('hits')?.from).get('total');
  const { value, relation } = total === undefined ? {} : parsed<{ readonly value?: number; readonly relation?: string }>(answer, total);
  if (value === undefined || relation !== 'eq') throw new HoldfastError('source-failed', `The cluster at ${placeOf(client.connection)} did not count its documents exactly (${relation ?? 'no total'}).`, { nextStep: 'Nothing of this run is kept; start the backup again.' });
  return value;
}

async function definitionOf(index: string, client: SearchClient, signal: AbortSignal): Promise<Buffer> {
  const { body } = await client.ask({ method: 'GET', path: `/${encodeURIComponent(index)}?flat_settings=true` }, signal);
  const own = membersOf(body).get(index);
  if (own === undefined) throw new HoldfastError('source-failed', `The cluster at ${placeOf(client.connection)} told nothing of index ${index} when asked for its definition: an alias may have taken its name.`, { nextStep: 'Nothing of this run is kept; start the backup again.', retryable: true });
  return slice(body, own);
}

function settingsOf(definition: Buffer): Readonly<Record<string, string>> {
  const settings = membersOf(definition).get('settings');
  return settings === undefined ? {} : parsed<Readonly<Record<string, string>>>(definition, settings);
}

/** Elasticsearch leaves vectors out of what it gives back from 9.2 on, unless they are asked for. */
function wholeSource({ dialect, version }: SearchServer): string {
  return dialect.product === 'Elasticsearch' && isAtLeast(version, [9, 2]) ? '{"exclude_vectors":false}' : 'true';
}
