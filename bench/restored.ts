import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What is first found to differ between a file or tree and what was restored of it; undefined when they are the same. */
export function difference(wanted: string, found: string): string | undefined {
  const [left, right] = [statsOf(wanted), statsOf(found)];
  if (!left || !right) return `${left ? found : wanted} is missing`;
  if (left.isSymbolicLink()) return right.isSymbolicLink() && readlinkSync(wanted) === readlinkSync(found) ? undefined : `${found} is another link`;
  if (left.isFile()) return right.isFile() && left.size === right.size && digestOf(wanted) === digestOf(found) ? undefined : `${found} has another content`;
  if (!left.isDirectory()) return undefined;
  const names = readdirSync(wanted).sort();
  const foundNames = right.isDirectory() ? readdirSync(found).sort() : [];
  if (names.join('\0') !== foundNames.join('\0')) return `${found} holds ${foundNames.length} names, wanted ${names.length}`;
  for (const name of names) {
    const inner = difference(join(wanted, name), join(found, name));
    if (inner) return inner;
  }
  return undefined;
}

/** Bytes of all files at and below a path. */
export function sizeOf(path: string): number {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) return stats.isFile() ? statSync(path).size : 0;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

/** Reads everything at and below a path once. */
export function readAll(path: string): void {
  const stats = lstatSync(path);
  if (stats.isDirectory()) for (const name of readdirSync(path)) readAll(join(path, name));
  else if (stats.isFile()) digestOf(path);
}

function statsOf(path: string) {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** SHA-1 of a file's bytes. */
export function digestOf(path: string): string {
  const digest = createHash('sha1');
  const fd = openSync(path, 'r');
  for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) digest.update(buffer.subarray(0, count));
  closeSync(fd);
  return digest.digest('hex');
}

const buffer = Buffer.alloc(1 << 20);
