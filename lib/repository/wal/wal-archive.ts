import { createHash } from 'node:crypto';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { ObjectInfo, Store } from '../../stores/store.ts';
import { damaged } from '../format.ts';
import type { Repository } from '../repository.ts';
import { parseWalObjectName, walFolder, walObjectName } from './wal-name.ts';
import type { WalObjectName, WalPlace } from './wal-name.ts';
import { WAL_PART_BYTES, openWalPart, openWalPartAside, partsOf, sealWalPart } from './wal-object.ts';
import type { WalHead, WalPart } from './wal-object.ts';

/** Where the bytes of a file are; read twice when they are more than one part. */
export interface WalBytes {
  readonly sizeBytes: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A file to keep. `partial`: only so many bytes of its segment, under a name of their own. */
export type NewWalFile = Omit<WalObjectName, 'part' | 'parts'> & { readonly segmentBytes: number };

export interface PutWal {
  /** False when the same bytes were there already. */
  readonly isNew: boolean;
  /** Hexadecimal, of the plain bytes. */
  readonly sha256: string;
  readonly storedBytes: number;
  /** Of its objects. */
  readonly names: readonly string[];
}

/** Everything that the vault holds under one name of PostgreSQL; of a partial segment each state of it by itself. */
export interface WalEntry extends Omit<WalObjectName, 'part' | 'parts'> {
  readonly objects: readonly ObjectInfo[];
  /** All parts are there. */
  readonly isComplete: boolean;
  /** Stored bytes, and when the last part was stored, by the store's clock in milliseconds. */
  readonly storedBytes: number;
  readonly storedAt: number;
}

/**
 * Keeps a file. When this returns, it is durable and whole. Callable again after any failure: the same bytes under the
 * same name are success. Fails as `already-exists` when the vault holds others, with both digests; nothing is replaced.
 */
export async function putWal(repository: Repository, file: NewWalFile, bytes: WalBytes, options: { readonly signal?: AbortSignal | undefined; readonly random?: (size: number) => Uint8Array } = {}): Promise<PutWal> {
  const parts = partsOf(bytes.sizeBytes);
  const only = parts === 1 ? await bytes.read(0, bytes.sizeBytes) : undefined;
  const head: WalHead = { segmentBytes: file.segmentBytes, sizeBytes: bytes.sizeBytes, sha256: await digestOf(bytes, only) };
  const again = createHash('sha256');
  const names: string[] = [];
  let isNew = false;
  let storedBytes = 0;
  for (let part = 1; part <= parts; part++) {
    const offset = (part - 1) * WAL_PART_BYTES;
    const content = only ?? (await bytes.read(offset, Math.min(WAL_PART_BYTES, bytes.sizeBytes - offset)));
    if (only === undefined) again.update(content);
    const name = walObjectName({ ...file, part, parts });
    names.push(name);
    const sealed = await sealWalPart(repository, name, { ...head, kind: file.kind, offset, bytes: content }, options.random);
    if (!(await putOrCompare(repository, name, sealed, head, options.signal))) continue;
    isNew = true;
    storedBytes += sealed.length;
  }
  if (only === undefined && !again.digest().equals(head.sha256)) throw new HoldfastError('source-failed', `${file.name} changed while it was archived.`, { nextStep: 'PostgreSQL changes no segment that it gives away: archive_command must be given %p.' });
  return { isNew, sha256: hex(head.sha256), storedBytes, names };
}

/** Writes what the vault holds, part by part in order, and proves the whole by its digest at the end. Fails as `not-found` or `damaged`. */
export async function readWal(repository: Repository, entry: WalEntry, write: (bytes: Uint8Array, head: WalHead) => Promise<void>): Promise<WalHead> {
  const hash = createHash('sha256');
  let first: WalPart | undefined;
  for (const { name } of inOrder(entry)) {
    const part = await openWalPartAside(repository, name, await repository.store.get(name));
    first ??= part;
    if (!equal(part.sha256, first.sha256) || part.sizeBytes !== first.sizeBytes || part.segmentBytes !== first.segmentBytes) throw damaged(`${name} belongs to another file than the parts before it`);
    hash.update(part.bytes);
    await write(part.bytes, part);
  }
  if (first === undefined || !entry.isComplete) throw damaged(`${entry.name} of timeline ${entry.timeline} has ${entry.objects.length} parts, some are missing`);
  if (!hash.digest().equals(first.sha256)) throw damaged(`${entry.name}: its bytes do not have the digest ${hex(first.sha256)} that was written with them`);
  return first;
}

/** Small files, and segments of which all is wanted at once. */
export async function readWhole(repository: Repository, entry: WalEntry): Promise<WalHead & { readonly bytes: Buffer }> {
  const pieces: Uint8Array[] = [];
  const head = await readWal(repository, entry, async (bytes) => void pieces.push(bytes));
  return { ...head, bytes: Buffer.concat(pieces) };
}

/** All WAL of a plan, or of one system of it, in the order of the names. */
export async function listWal(store: Pick<Store, 'list'>, plan: string, systemId?: string): Promise<WalEntry[]> {
  return gather(await Array.fromAsync(store.list(walFolder(plan, systemId))));
}

/** What the vault holds of one segment, history or label: the whole file and states of its beginning. Reads no more of a long listing than it must. */
export async function findWal(store: Pick<Store, 'list'>, place: WalPlace, file: { readonly name: string; readonly timeline: number }): Promise<WalEntry[]> {
  const whole = walObjectName({ ...place, ...file, part: 1, parts: 1 });
  const found: ObjectInfo[] = [];
  // Everything about a file begins with its name, so it stands together; `-` sorts before all that may follow it.
  for await (const object of store.list(whole.slice(0, whole.lastIndexOf('/') + 1), `${whole.slice(0, -1)}`)) {
    if (object.name.startsWith(whole)) found.push(object);
    else if (object.name > `${whole}~`) break;
  }
  return gather(found).filter(({ name }) => name === file.name);
}

function gather(objects: readonly ObjectInfo[]): WalEntry[] {
  const groups = new Map<string, { named: WalObjectName; objects: ObjectInfo[] }>();
  for (const object of objects) {
    const named = parseWalObjectName(object.name);
    if (named === undefined) continue;
    // Parts of another count are another file: one that was never finished must not hide one that is whole.
    const key = walObjectName({ ...named, part: 1 });
    const group = groups.get(key) ?? { named, objects: [] };
    group.objects.push(object);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ named: { part: _, parts, ...named }, objects: found }) => ({
    ...named, objects: found, isComplete: found.length === parts,
    storedBytes: found.reduce((sum, { size }) => sum + size, 0),
    storedAt: found.reduce((latest, { storedAt }) => Math.max(latest, storedAt), 0),
  }));
}

function inOrder({ objects }: WalEntry): readonly ObjectInfo[] {
  return objects.toSorted((left, right) => (parseWalObjectName(left.name)?.part ?? 0) - (parseWalObjectName(right.name)?.part ?? 0));
}

/** True when it was written now, false when the same was there. Two seals of the same bytes differ: what is inside is compared. */
async function putOrCompare(repository: Repository, name: string, sealed: Uint8Array, head: WalHead, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const { created } = await repository.store.put(name, sealed, signal === undefined ? {} : { signal });
    return created;
  } catch (error) {
    if (!isHoldfastError(error, 'already-exists')) throw error;
  }
  const there = openWalPart(repository, name, await repository.store.get(name));
  if (equal(there.sha256, head.sha256) && there.sizeBytes === head.sizeBytes) return false;
  throw new HoldfastError('already-exists', `${name} is there with other bytes: the vault holds SHA-256 ${hex(there.sha256)}, and ${hex(head.sha256)} was given. Nothing was replaced.`, {
    nextStep: 'Two servers archive under one plan: a restored or promoted copy must not archive into the plan of the server that it came from. Give the copy a plan of its own, or set archive_mode = off there.',
    data: { stored: hex(there.sha256), given: hex(head.sha256) },
  });
}

async function digestOf(bytes: WalBytes, only: Uint8Array | undefined): Promise<Uint8Array> {
  const hash = createHash('sha256');
  if (only !== undefined) return hash.update(only).digest();
  for (let offset = 0; offset < bytes.sizeBytes; offset += WAL_PART_BYTES) hash.update(await bytes.read(offset, Math.min(WAL_PART_BYTES, bytes.sizeBytes - offset)));
  return hash.digest();
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
