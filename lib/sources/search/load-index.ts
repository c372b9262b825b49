import { randomBytes } from 'node:crypto';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { LoadOptions } from '../database-loader.ts';
import { bulkBodies, sendBulk } from './bulk.ts';
import type { SearchClient } from './client.ts';
import { placeOf } from './connection.ts';
import { membersOf, parsed, slice } from './json-spans.ts';
import { splitSettings } from './restored-settings.ts';
import type { FlatSettings, SplitSettings } from './restored-settings.ts';
import type { SearchServer } from './server.ts';

export interface IndexLoad {
  /** To be. */
  readonly index: string;
  readonly definition: Buffer;
  readonly documents: () => AsyncIterable<Uint8Array>;
  /** By the backup; undefined where it does not say. */
  readonly expected: number | undefined;
  readonly isWithAliases: boolean;
  /** What has the name now goes when all of the backup is in. */
  readonly isReplacing: boolean;
  /** Requests at the same time. */
  readonly jobs: number;
}

export interface IndexLoadPorts {
  readonly client: SearchClient;
  readonly server: SearchServer;
  readonly clock: Clock;
  readonly options: LoadOptions;
}

/** Also for what cleans up after an abort. */
const CLEANING_MILLISECONDS = 60_000;

/**
 * Fills an index aside, hidden, under a name that no template means, and clones it to its name when every document is in and
 * counted: nobody ever sees half of one, templates add nothing, and settings that would hinder the load come last. A clone is
 * links to the same files on the same nodes. Answers how many documents it has.
 */
export async function loadIndex(load: IndexLoad, ports: IndexLoadPorts): Promise<number> {
  const { client, server, options } = ports;
  const aside = `holdfast-restore-${randomBytes(8).toString('hex')}`;
  const settings = splitSettings(settingsOf(load.definition), server.dialect);
  await create(aside, load, settings, ports);
  let isOnlyCopy = false;
  try {
    const documents = await fill(aside, load, ports);
    await client.ask({ method: 'PUT', path: `/${aside}/_settings`, body: '{"index.blocks.write":true}' }, options.signal);
    if (load.isReplacing) {
      await client.ask({ method: 'DELETE', path: `/${encodeURIComponent(load.index)}`, isRepeatable: false, accepts: [404] }, options.signal);
      isOnlyCopy = true;
    }
    await clone(aside, load, ports);
    isOnlyCopy = false;
    await settle(load, settings, documents, ports);
    return documents;
  } catch (error) {
    throw isOnlyCopy ? keptAside(error, aside, load.index) : error;
  } finally {
    if (!isOnlyCopy) await remove(client, aside);
  }
}

function settingsOf(definition: Buffer): FlatSettings {
  const span = membersOf(definition).get('settings');
  return span === undefined ? {} : parsed<FlatSettings>(definition, span);
}

/** Mapping and aliases as the bytes that they were: numbers in them may be larger than a double. */
function part(definition: Buffer, name: 'mappings' | 'aliases'): string {
  const span = membersOf(definition).get(name);
  return span === undefined ? '{}' : slice(definition, span).toString('utf8');
}

async function create(aside: string, { definition }: IndexLoad, { early }: SplitSettings, { client, options }: IndexLoadPorts): Promise<void> {
  const body = `{"settings":${JSON.stringify(early)},"mappings":${part(definition, 'mappings')}}`;
  await client.ask({ method: 'PUT', path: `/${aside}?wait_for_active_shards=1`, body, isRepeatable: false }, options.signal).catch((cause: unknown) => {
    if (!isHoldfastError(cause) || cause.code !== 'target-failed') throw cause;
    throw new HoldfastError('target-failed', `No index could be made with the settings and the mapping of the backup. ${cause.message}`, { nextStep: 'What only another version or product knows (analyzers of plugins, policies) has to be there first, or restore to a directory, change `definition.json`, and load `documents.ndjson` with `_bulk`.', cause });
  });
}

async function fill(aside: string, { index, documents, expected, jobs }: IndexLoad, { client, clock, options }: IndexLoadPorts): Promise<number> {
  const { signal, onBytes } = options;
  let [sent, bytes] = [0, 0];
  const under = new Set<Promise<void>>();
  let failure: Error | undefined;
  for await (const body of bulkBodies(documents())) {
    signal.throwIfAborted();
    const sending = sendBulk(body, { client, index: aside, clock, signal }).then(() => onBytes?.((bytes += body.bytes.length)), (error: Error) => (failure ??= error)).then(() => void under.delete(sending));
    under.add(sending);
    sent += body.documents;
    if (under.size >= jobs) await Promise.race(under);
    if (failure !== undefined) break;
  }
  await Promise.all(under);
  if (failure !== undefined) throw failure;
  if (expected !== undefined && expected !== sent) throw new HoldfastError('damaged', `The backup of index ${index} has ${sent} documents, and ${expected} were counted when it was made. Nothing was restored.`, { nextStep: 'Run `holdfast verify --level full`.' });
  await client.ask({ method: 'POST', path: `/${aside}/_refresh` }, signal);
  return refuseOtherCount(aside, sent, client, signal);
}

async function clone(aside: string, load: IndexLoad, { client, options }: IndexLoadPorts): Promise<void> {
  const name = encodeURIComponent(load.index);
  const body = `{"settings":{"index.number_of_replicas":"0"},"aliases":${load.isWithAliases ? part(load.definition, 'aliases') : '{}'}}`;
  const { shards_acknowledged: isStarted } = await client.json<{ readonly shards_acknowledged?: boolean }>({ method: 'POST', path: `/${aside}/_clone/${name}?wait_for_active_shards=1&timeout=60s`, body, isRepeatable: false }, options.signal).catch((cause: unknown) => {
    if (!isHoldfastError(cause) || !/resource_already_exists_exception|invalid_alias_name|already exists/.test(cause.message)) throw cause;
    throw new HoldfastError('target-exists', `Somebody made ${load.index} meanwhile. Nothing was restored. ${cause.message}`, { nextStep: 'Choose another name.', cause });
  });
  if (isStarted === true) return;
  const { timed_out: isLate } = await client.json<{ readonly timed_out?: boolean }>({ method: 'GET', path: `/_cluster/health/${name}?wait_for_status=yellow&timeout=60s`, accepts: [408] }, options.signal);
  if (isLate !== false) throw new HoldfastError('target-failed', `The shards of the restored index ${load.index} did not start within two minutes.`, { nextStep: `See GET _cluster/allocation/explain; a disk may be full. The index is there, and may be deleted.` });
}

/** What the load needed goes, what the index had comes back, at last what may block it. */
async function settle({ index }: IndexLoad, { late }: SplitSettings, documents: number, { client, options }: IndexLoadPorts): Promise<void> {
  const name = encodeURIComponent(index);
  await refuseOtherCount(name, documents, client, options.signal);
  const entries = Object.entries(late);
  const blocks = entries.filter(([key, value]) => key.startsWith('index.blocks.') && value !== null);
  await client.ask({ method: 'PUT', path: `/${name}/_settings`, body: JSON.stringify(Object.fromEntries(entries.filter((entry) => !blocks.includes(entry)))) }, options.signal);
  if (blocks.length > 0) await client.ask({ method: 'PUT', path: `/${name}/_settings`, body: JSON.stringify(Object.fromEntries(blocks)) }, options.signal);
}

async function refuseOtherCount(name: string, wanted: number, client: SearchClient, signal: AbortSignal): Promise<number> {
  const { count, _shards: shards } = await client.json<{ readonly count?: number; readonly _shards?: { readonly failed?: number } }>({ method: 'GET', path: `/${name}/_count` }, signal);
  if (count === wanted && shards?.failed === 0) return wanted;
  throw new HoldfastError('target-failed', `${wanted} documents went into ${name} at ${placeOf(client.connection)}, and it counts ${count} (${shards?.failed ?? 'unknown'} shards failed).`, { nextStep: 'Start the restore again; see `_cat/shards`.' });
}

async function remove(client: SearchClient, aside: string): Promise<void> {
  await client.ask({ method: 'DELETE', path: `/${aside}`, accepts: [404] }, AbortSignal.timeout(CLEANING_MILLISECONDS)).catch((cause: unknown) => {
    throw new HoldfastError('target-failed', `The index ${aside}, which was filled for the restore, could not be deleted: ${(cause as Error).message}`, { nextStep: `Delete it by hand: DELETE /${aside}`, cause });
  });
}

function keptAside(error: unknown, aside: string, index: string): HoldfastError {
  return new HoldfastError('target-failed', `The index ${index} was deleted, and what should take its place could not be brought there: ${(error as Error).message} All documents of the backup are in the hidden index ${aside}.`, { nextStep: `Mend what it says, then: POST /${aside}/_clone/${index}, or restore again, and delete ${aside}.`, cause: error });
}
