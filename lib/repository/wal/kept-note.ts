import { HoldfastError } from '../../model/errors.ts';
import { isHexId, isUlid, newUlid } from '../../model/ids.ts';
import type { ObjectInfo, Store } from '../../stores/store.ts';
import { checkedSystem, timelineInHex } from './wal-name.ts';

/**
 * Says that all WAL which a server had flushed, up to `lsn`, was in the vault when the note was stored. It is what tells a
 * server that writes nothing from one whose WAL does not arrive. All of it is in the name of an empty object: who looks for
 * the newest needs a listing and no key (format §16).
 */
export interface KeptNote {
  /** Opaque. */
  readonly plan: string;
  readonly systemId: string;
  readonly timeline: number;
  readonly lsn: bigint;
}

export interface StoredNote extends KeptNote {
  readonly name: string;
  /** Milliseconds by the store's clock. */
  readonly storedAt: number;
}

const FOLDER = 'wal-kept';
const NOTE = /^([0-9A-Z]{26})\.([1-9]\d{0,19})\.([0-9A-F]{8})\.([0-9A-F]{16})$/;
/** Names are sorted by their writers' clocks; no clock is taken to be further off. */
const CLOCKS_APART_MS = 3_600_000;

/** Stores one and answers its name. Each is a new object: nothing is ever overwritten. `now`: of this machine, for the order of names alone. */
export async function putKeptNote(store: Pick<Store, 'put'>, { plan, systemId, timeline, lsn }: KeptNote, now: number): Promise<string> {
  if (!isHexId(plan)) throw new HoldfastError('broken-invariant', `${plan} is no id of a plan`);
  const name = `${FOLDER}/${plan}/${newUlid(now)}.${checkedSystem(systemId)}.${timelineInHex(timeline)}.${lsn.toString(16).toUpperCase().padStart(16, '0')}`;
  await store.put(name, new Uint8Array(0));
  return name;
}

/**
 * Notes of a plan, in the order of their writers' clocks. `since`: those that were stored before, in milliseconds, may be left
 * out; where a writer's clock is more than an hour slow, newer ones are too. A note is stored every few minutes, so of a
 * quarter of an hour it is one request, of everything one for each thousand notes.
 */
export async function listKeptNotes(store: Pick<Store, 'list'>, plan: string, since = 0): Promise<StoredNote[]> {
  const folder = `${FOLDER}/${plan}/`;
  const after = since <= CLOCKS_APART_MS ? undefined : `${folder}${newUlid(since - CLOCKS_APART_MS, (size) => new Uint8Array(size))}`;
  return (await gather(after === undefined ? store.list(folder) : store.list(folder, after))).filter(({ storedAt }) => storedAt >= since);
}

/** Notes of all plans: for prune, which takes away what is old. */
export async function listAllKeptNotes(store: Pick<Store, 'list'>): Promise<StoredNote[]> {
  return gather(store.list(`${FOLDER}/`));
}

async function gather(objects: AsyncIterable<ObjectInfo>): Promise<StoredNote[]> {
  const found: StoredNote[] = [];
  for await (const { name, storedAt } of objects) {
    const note = parseKeptNote(name);
    if (note !== undefined) found.push({ ...note, name, storedAt });
  }
  return found;
}

/** Undefined for what is no note by its name: nothing reads it. */
export function parseKeptNote(name: string): KeptNote | undefined {
  const [folder, plan = '', file = '', ...rest] = name.split('/');
  const [, id = '', systemId = '', timeline = '', lsn = ''] = NOTE.exec(file) ?? [];
  if (folder !== FOLDER || rest.length > 0 || !isHexId(plan) || !isUlid(id)) return undefined;
  return { plan, systemId, timeline: Number.parseInt(timeline, 16), lsn: BigInt(`0x${lsn}`) };
}
