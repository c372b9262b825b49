import { closeSync, constants, lstatSync, openSync, readSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { byteString, fromText, fsPath } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { isSameTime } from './times.ts';

export interface TreeDifference {
  readonly path: ByteString;
  readonly what: 'missing' | 'extra' | 'type' | 'content' | 'target' | 'mode' | 'owner' | 'time' | 'links' | 'device';
}

export interface TreeComparison {
  readonly entries: number;
  readonly files: number;
  /** Bytes of the left tree's files, all compared with the right one's. */
  readonly bytes: number;
  readonly differences: readonly TreeDifference[];
}

export interface CompareOptions {
  /** Compare numeric owners; off for restores by another user. */
  readonly owners?: boolean;
  /** Compare mode and times of the two top directories themselves. */
  readonly top?: boolean;
  /** Paths below the top that are not looked at. */
  readonly ignore?: (path: ByteString) => boolean;
}

/**
 * Compares two directory trees: names, types, every byte of every file, link targets, modes, times (to the
 * microsecond), and which names are hard links of one file. Reads both trees whole; follows no link.
 */
export function compareTrees(left: string, right: string, options: CompareOptions = {}): TreeComparison {
  const pass = new Comparison(fromText(left), fromText(right), options);
  pass.compare('' as ByteString);
  return pass;
}

const BUFFER_BYTES = 1 << 20;

class Comparison implements TreeComparison {
  entries = 0;
  files = 0;
  bytes = 0;
  readonly differences: TreeDifference[] = [];
  readonly #left: ByteString;
  readonly #right: ByteString;
  readonly #options: CompareOptions;
  readonly #buffers = [Buffer.allocUnsafe(BUFFER_BYTES), Buffer.allocUnsafe(BUFFER_BYTES)] as const;
  /** First path of each hard-linked file, on both sides: the same groups must have the same first path. */
  readonly #firstNames = [new Map<string, string>(), new Map<string, string>()] as const;

  constructor(left: ByteString, right: ByteString, options: CompareOptions) {
    this.#left = left;
    this.#right = right;
    this.#options = options;
  }

  compare(path: ByteString): void {
    const a = lstatSync(at(this.#left, path), { bigint: true });
    const b = lstatSync(at(this.#right, path), { bigint: true, throwIfNoEntry: false });
    this.entries++;
    if (!b) return this.#differ(path, 'missing');
    if ((a.mode & 0o170000n) !== (b.mode & 0o170000n)) return this.#differ(path, 'type');
    if (path !== '' || this.#options.top) this.#compareFacts(path, a, b);
    if (a.isFile()) this.#compareFiles(path, a, b);
    else if (a.isDirectory()) this.#compareNames(path);
    else if (a.isSymbolicLink() && readlinkSync(at(this.#left, path), 'latin1') !== readlinkSync(at(this.#right, path), 'latin1')) this.#differ(path, 'target');
    else if (a.rdev !== b.rdev) this.#differ(path, 'device');
  }

  #compareFacts(path: ByteString, a: BigIntStats, b: BigIntStats): void {
    if (!a.isSymbolicLink() && a.mode !== b.mode) this.#differ(path, 'mode');
    if (this.#options.owners && (a.uid !== b.uid || a.gid !== b.gid)) this.#differ(path, 'owner');
    if (!isSameTime(a.mtimeNs, b.mtimeNs)) this.#differ(path, 'time');
  }

  #compareFiles(path: ByteString, a: BigIntStats, b: BigIntStats): void {
    this.files++;
    this.bytes += Number(a.size);
    if (a.size !== b.size || !this.#isSameContent(path)) this.#differ(path, 'content');
    if (firstName(this.#firstNames[0], a, path) !== firstName(this.#firstNames[1], b, path)) this.#differ(path, 'links');
  }

  #compareNames(path: ByteString): void {
    const [mine, theirs] = [this.#names(this.#left, path), this.#names(this.#right, path)];
    for (const name of mine) this.compare(join(path, name));
    for (const name of theirs) if (!mine.has(name)) this.#differ(join(path, name), 'extra');
  }

  #names(root: ByteString, path: ByteString): Set<ByteString> {
    const names = readdirSync(at(root, path), { encoding: 'buffer' }).map(byteString).sort();
    return new Set(names.filter((name) => !this.#options.ignore?.(join(path, name))));
  }

  #isSameContent(path: ByteString): boolean {
    const [a, b] = [open(this.#left, path), open(this.#right, path)];
    try {
      for (;;) {
        const count = fill(a, this.#buffers[0]);
        if (fill(b, this.#buffers[1]) !== count) return false;
        if (!this.#buffers[0].subarray(0, count).equals(this.#buffers[1].subarray(0, count))) return false;
        if (count < BUFFER_BYTES) return true;
      }
    } finally {
      closeSync(a);
      closeSync(b);
    }
  }

  #differ(path: ByteString, what: TreeDifference['what']): void {
    this.differences.push({ path, what });
  }
}

function firstName(known: Map<string, string>, stat: BigIntStats, path: string): string {
  if (stat.nlink === 1n) return path;
  const id = `${stat.dev} ${stat.ino}`;
  const first = known.get(id) ?? path;
  known.set(id, first);
  return first;
}

function open(root: ByteString, path: ByteString): number {
  return openSync(at(root, path), constants.O_RDONLY | constants.O_NOFOLLOW);
}

function fill(fd: number, buffer: Buffer): number {
  let filled = 0;
  for (let count = -1; count !== 0 && filled < buffer.length; filled += count) count = readSync(fd, buffer, filled, buffer.length - filled, null);
  return filled;
}

function at(root: ByteString, path: ByteString): string | Buffer {
  return fsPath(join(root, path));
}

function join(folder: ByteString, name: ByteString): ByteString {
  return (name === '' ? folder : folder === '' ? name : `${folder}/${name}`) as ByteString;
}
