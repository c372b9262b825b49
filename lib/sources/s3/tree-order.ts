import type { ByteString } from '../../model/byte-string.ts';
import { comparePaths } from '../../model/path-order.ts';

/** What the order is made from: a listing gives keys in the order of their bytes. */
export interface SortedKeys<T extends { readonly key: ByteString }> {
  /** Every key that begins with the prefix, ascending by bytes. */
  list(prefix: ByteString): AsyncIterable<T>;
  /** Whether there is any. */
  holds(prefix: ByteString): Promise<boolean>;
}

export interface Ordered<T> {
  readonly item: T;
  /** Other keys lie below it: it is an object and a folder. */
  readonly isFolder: boolean;
}

/** So many keys are held back before it is asked for what they wait: a few MiB, and more than most folders hold. */
const HELD_KEYS = 10_000;

/**
 * Keys in the order of the entry tree, component by component. By bytes `img-1` comes before `img/a`, in a tree behind
 * it: eleven characters, among them space, "-" and ".", are lower than "/". So a key waits until no folder can come any
 * more that belongs before it, which one look at the next key shows nearly always. Where many keys wait (a million of
 * `img-…`), one question answers whether there is an `img/` at all, and if so it is listed at once and passed over later.
 *
 * Memory does not depend on the number of keys. What is made below a folder after it was asked for is left to the next run.
 */
export async function* inTreeOrder<T extends { readonly key: ByteString }>(keys: SortedKeys<T>, prefix: ByteString, heldKeys = HELD_KEYS): AsyncGenerator<Ordered<T>> {
  let held: T[] = [];
  /** Each is the beginning of the next; folders `stem/` that may belong before what is held, or that were dealt with. */
  let stems: Stem[] = [];
  for await (const item of keys.list(prefix)) {
    if (stems.some((stem) => stem.isKnown && item.key.startsWith(`${stem.text}/`))) continue;
    stems = stems.filter((stem) => mayStillCome(stem.text, item.key));
    if (stems.every(({ isKnown }) => isKnown)) yield* ordered(held.splice(0), []);
    addStems(stems, item.key, { from: prefix.length, position: held.length });
    held.push(item);
    if (held.length < heldKeys) continue;
    const folders = await foldersOf(keys, stems.filter(({ position }) => held.length - position > heldKeys / 2));
    for (const stem of stems) stem.isKnown ||= folders.some((folder) => stem.text.startsWith(folder));
    // Those that few keys wait for are passed soon: these keys wait on, and no question is asked.
    const end = stems.find(({ isKnown }) => !isKnown)?.position ?? held.length;
    const ready = held.slice(0, end).filter(({ key }) => !folders.some((folder) => key.startsWith(folder)));
    held = held.slice(end).filter(({ key }) => !folders.some((folder) => key.startsWith(folder)));
    for (const stem of stems) stem.position = Math.max(0, stem.position - end);
    for (const one of ordered(ready, folders)) {
      if ('item' in one) yield one;
      else yield* inTreeOrder(keys, one.folder, heldKeys);
    }
  }
  yield* ordered(held, []);
}

interface Stem {
  readonly text: string;
  /** Of the first key that waits for it, among those that are held. */
  position: number;
  /** Whether there is a folder of that name has been asked, and what is in it was given. */
  isKnown: boolean;
}

/** True while keys not below `key` can begin with the stem and a slash. */
function mayStillCome(stem: string, key: ByteString): boolean {
  return key.startsWith(stem) && (key.length === stem.length || key.charCodeAt(stem.length) <= SLASH);
}

const SLASH = 47;

/** Each part of the key that a character below the slash follows, or the end. */
function addStems(stems: Stem[], key: ByteString, { from, position }: { readonly from: number; readonly position: number }): void {
  const longest = stems.at(-1)?.text.length ?? -1;
  for (let length = Math.max(from, longest + 1); length <= key.length; length++) {
    if (length === key.length || key.charCodeAt(length) < SLASH) stems.push({ text: key.slice(0, length), position, isKnown: false });
  }
}

/** Asks for every stem that is not known; the outermost folders that are there. */
async function foldersOf<T extends { readonly key: ByteString }>(keys: SortedKeys<T>, stems: readonly Stem[]): Promise<ByteString[]> {
  const folders: ByteString[] = [];
  for (const stem of stems) {
    if (stem.isKnown) continue;
    stem.isKnown = true;
    const folder = `${stem.text}/` as ByteString;
    if (!folders.some((outer) => folder.startsWith(outer)) && (await keys.holds(folder))) folders.push(folder);
  }
  return folders;
}

function ordered<T extends { readonly key: ByteString }>(held: readonly T[], folders: readonly []): Ordered<T>[];
function ordered<T extends { readonly key: ByteString }>(held: readonly T[], folders: readonly ByteString[]): (Ordered<T> | { readonly folder: ByteString })[];
function ordered<T extends { readonly key: ByteString }>(held: readonly T[], folders: readonly ByteString[]): (Ordered<T> | { readonly folder: ByteString })[] {
  const places = [...held.map((item) => ({ key: item.key, item })), ...folders.map((folder) => ({ key: folder, folder }))].sort((left, right) => comparePaths(left.key, right.key));
  return places.map((place, index) => ('folder' in place ? { folder: place.folder } : { item: place.item, isFolder: places[index + 1]?.key.startsWith(`${place.key}/`) ?? false }));
}
