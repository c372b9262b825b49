import type { Clock } from '../model/clock.ts';
import { invariant } from '../model/errors.ts';
import { throwIfInterrupted } from './interruption.ts';
import { checkName, checkObject, checkPrefix, checkRange } from './object-name.ts';
import { resolveRange } from './read-range.ts';
import { sameBytes } from './same-bytes.ts';
import { alreadyExists, notFound } from './store-errors.ts';
import type { ByteRange, ObjectInfo, PutOptions, PutResult, Store } from './store.ts';

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly storedAt: number;
}

/** A store in memory for simulations and tests: the same promises, except that its objects end with the process. */
export class MemoryStore implements Store {
  readonly description = 'memory';
  readonly #now: () => number;
  readonly #objects = new Map<string, StoredObject>();
  /** Folders stay when their objects go, as on a disk: a name is for ever either an object or a folder. */
  readonly #folders = new Set<string>();
  /** Rebuilt by the first listing after a change of names, so that many listings of many objects sort once. */
  #sortedNames: readonly string[] | undefined;

  /** `clock` is the store's own clock: it stamps `storedAt` and answers `now()`. */
  constructor(clock: Pick<Clock, 'now'>) {
    this.#now = () => Math.floor(clock.now());
  }

  async put(name: string, bytes: Uint8Array | readonly Uint8Array[], options: PutOptions = {}): Promise<PutResult> {
    throwIfInterrupted(options.signal);
    const { parts, size } = checkObject(name, bytes);
    this.#claimFolders(name);
    const existing = this.#objects.get(name);
    if (existing === undefined) {
      this.#objects.set(name, { bytes: joined(parts, size), storedAt: this.#now() });
      this.#sortedNames = undefined;
      return { created: true };
    }
    if (!sameBytes(existing.bytes, parts, size)) throw alreadyExists(name, this.description);
    return { created: false };
  }

  async get(name: string, range?: ByteRange): Promise<Uint8Array> {
    checkRange(name, range);
    const { bytes } = this.#require(name);
    const { offset, length } = resolveRange(name, bytes.byteLength, range);
    return bytes.slice(offset, offset + length);
  }

  async stat(name: string): Promise<ObjectInfo> {
    const { bytes, storedAt } = this.#require(name);
    return { name, size: bytes.byteLength, storedAt };
  }

  async *list(prefix: string, after = ''): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix);
    this.#sortedNames ??= [...this.#objects.keys()].sort();
    const names = this.#sortedNames;
    const first = after < prefix ? prefix : after;
    for (let index = firstAtOrAfter(names, first); names[index]?.startsWith(prefix); index += 1) {
      const name = names[index] as string;
      const object = this.#objects.get(name);
      if (object !== undefined && name > after) yield { name, size: object.bytes.byteLength, storedAt: object.storedAt };
    }
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    if (this.#objects.delete(name)) this.#sortedNames = undefined;
  }

  async now(): Promise<number> {
    return this.#now();
  }

  #require(name: string): StoredObject {
    checkName(name);
    const object = this.#objects.get(name);
    if (object === undefined) throw notFound(name, this.description);
    return object;
  }

  #claimFolders(name: string): void {
    invariant(!this.#folders.has(name), `${name} is a folder of the store and cannot be an object as well`);
    for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
      const folder = name.slice(0, end);
      invariant(!this.#objects.has(folder), `${folder} is an object and cannot be a folder of ${name} as well`);
      if (this.#folders.has(folder)) return;
      this.#folders.add(folder);
    }
  }
}

/** A copy: the caller may go on to use its buffers. */
function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

function firstAtOrAfter(names: readonly string[], wanted: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
