import { lchownSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** As the worker sees files on EFS: owned by its own user. */
const WORKER_UID = 1000;

export function fillMedia(folder: string): void {
  mkdirSync(join(folder, 'pictures', 'ümläut'), { recursive: true });
  const files: Record<string, Buffer> = { 'readme.txt': Buffer.from('media of the shop\n'), 'pictures/empty': Buffer.alloc(0), 'pictures/ümläut/日本.bin': noise('a', 700_000), 'pictures/film.bin': noise('b', 3_000_000) };
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(join(folder, name), bytes, { mode: 0o640 });
    utimesSync(join(folder, name), 1_700_000_000, 1_700_000_000 + bytes.length);
  }
  symlinkSync('../readme.txt', join(folder, 'pictures', 'link'));
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) lchownSync(join(entry.parentPath, entry.name), WORKER_UID, WORKER_UID);
}

/** Path to what is comparable about it. */
export function treeOf(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const { mode, mtimeMs, uid } = lstatSync(path);
    const content = entry.isSymbolicLink() ? `-> ${readlinkSync(path)}` : entry.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder';
    return [path.slice(folder.length), `${(mode & 0o7777).toString(8)} ${uid} ${entry.isFile() ? Math.floor(mtimeMs / 1000) : ''} ${content}`] as const;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function noise(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let n = 0; n * 32 < length; n++) blocks.push(createHash('sha256').update(`${seed}${n}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}
