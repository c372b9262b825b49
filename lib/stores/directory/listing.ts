import { join } from 'node:path';
import { isComponent, PRIVATE_FOLDER } from '../object-name.ts';
import type { ObjectInfo } from '../store.ts';
import { errnoOf } from './file-error.ts';
import type { FileOps, FolderEntry } from './file-ops.ts';

/** Facts are fetched so many at a time: enough to keep libuv's pool busy, few enough to bound memory. */
const FACTS_AT_ONCE = 256;

type Slice = Pick<FileOps, 'readFolder' | 'lstat'>;

/**
 * All objects in a folder (`''`, or a path ending in `/`) and below, in byte order of their full names. A folder sorts
 * as its name with the `/` that follows it there: `a-b`, then `a/x`, then `a0`.
 * What cannot be an object is passed over: symbolic links, special files, names outside the alphabet.
 */
export async function* listObjects(fileOps: Slice, root: string, folder: string): AsyncIterable<ObjectInfo> {
  const entries = await readSorted(fileOps, root, folder);
  for (let begin = 0; begin < entries.length; begin += FACTS_AT_ONCE) {
    const batch = entries.slice(begin, begin + FACTS_AT_ONCE);
    const infos = await Promise.all(batch.map((name) => (name.endsWith('/') ? undefined : objectInfo(fileOps, root, folder + name))));
    for (const [index, name] of batch.entries()) {
      const info = infos[index];
      if (name.endsWith('/')) yield* listObjects(fileOps, root, folder + name);
      else if (info !== undefined) yield info;
    }
  }
}

export function toObjectInfo(name: string, facts: { size: number; ctimeMs: number }): ObjectInfo {
  return { name, size: facts.size, storedAt: Math.floor(facts.ctimeMs) };
}

async function readSorted(fileOps: Slice, root: string, folder: string): Promise<readonly string[]> {
  const entries = await absentWhenGone(fileOps.readFolder(join(root, folder)));
  return (entries ?? []).filter((entry) => isComponent(entry.name) && !(folder === '' && entry.name === PRIVATE_FOLDER)).flatMap(sortKey).sort();
}

function sortKey(entry: FolderEntry): readonly string[] {
  if (entry.isDirectory()) return [`${entry.name}/`];
  return entry.isFile() ? [entry.name] : [];
}

async function objectInfo(fileOps: Slice, root: string, name: string): Promise<ObjectInfo | undefined> {
  const facts = await absentWhenGone(fileOps.lstat(join(root, name)));
  return facts?.isFile() ? toObjectInfo(name, facts) : undefined;
}

/** What was removed while listing is not there. */
async function absentWhenGone<T>(pending: Promise<T>): Promise<T | undefined> {
  try {
    return await pending;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
