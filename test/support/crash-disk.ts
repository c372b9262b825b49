import { dirname, basename } from 'node:path';
import type { FileFacts, FileOps, FolderEntry } from '../../lib/stores/directory/file-ops.ts';
import { systemError } from './file-ops.ts';

/** A name that came or went in a folder since the folder was last flushed. Both halves of a rename share `act`. */
interface Change {
  readonly act: number;
  readonly name: string;
  readonly node: Node | undefined;
}

interface Node {
  readonly kind: 'file' | 'folder';
  ctimeMs: number;
  /** What programs see, and what is on the disk for certain. */
  bytes: Buffer;
  flushed: Buffer;
  readonly entries: Map<string, Node>;
  flushedEntries: Map<string, Node>;
  changes: Change[];
}

/** What a power cut leaves of that which was not flushed. POSIX promises nothing, so every row is allowed to happen. */
export interface Survival {
  readonly name: string;
  /** Whether a name that came or went is on the disk. */
  change(random: () => number): boolean;
  /** What is on the disk of bytes that were written. */
  bytes(written: Buffer, flushed: Buffer, random: () => number): Buffer;
}

const tornAt = (at: number) => (written: Buffer, flushed: Buffer) => written.subarray(0, Math.max(flushed.byteLength, Math.floor(written.byteLength * at)));

export const SURVIVALS: readonly Survival[] = [
  { name: 'nothing', change: () => false, bytes: (_written, flushed) => flushed },
  { name: 'everything', change: () => true, bytes: (written) => written },
  { name: 'names without their bytes', change: () => true, bytes: (_written, flushed) => flushed },
  { name: 'names with zeros of the right length', change: () => true, bytes: (written, flushed) => (written.equals(flushed) ? written : Buffer.alloc(written.byteLength)) },
  { name: 'names with torn bytes', change: () => true, bytes: tornAt(0.6) },
  { name: 'bytes without their names', change: () => false, bytes: (written) => written },
  { name: 'some of both', change: (random) => random() < 0.5, bytes: (written, flushed, random) => tornAt(random())(written, flushed) },
];

/** The error of every operation after the power went. */
export class PowerLost extends Error {
  override readonly name = 'PowerLost';
}

/**
 * A disk in memory that keeps apart what programs see and what would survive. Every operation counts as a step; at the
 * chosen step the power goes, before the operation. A flush takes two steps and covers what was there at its first.
 */
export class CrashDisk {
  steps = 0;
  #cutAt = Number.POSITIVE_INFINITY;
  #acts = 0;
  #nextFile = 3;
  readonly #open = new Map<number, Node>();
  readonly #root: Node;

  constructor(root: Node = newNode('folder', 0)) {
    this.#root = root;
  }

  /** The power goes before the operation with this number, counted from 0. */
  cutAt(step: number): void {
    this.#cutAt = step;
  }

  get hasPower(): boolean {
    return this.steps <= this.#cutAt;
  }

  /** The disk as the next boot finds it. This disk stays as it is and can be rebooted in other ways as well. */
  reboot(survival: Survival, random: () => number): CrashDisk {
    const acts = new Map<number, boolean>();
    const survives = ({ act }: Change): boolean => {
      if (!acts.has(act)) acts.set(act, survival.change(random));
      return acts.get(act) as boolean;
    };
    return new CrashDisk(survivor(this.#root, survives, (node) => survival.bytes(node.bytes, node.flushed, random), new Map()));
  }

  readonly fileOps: FileOps = {
    makeFolder: async (path) => {
      await this.#step();
      this.#add(path, newNode('folder', this.#time()));
    },
    removeFolder: async (path) => {
      await this.#step();
      if (this.#find(path, 'folder').entries.size > 0) throw systemError('ENOTEMPTY');
      this.#drop(path);
    },
    readFolder: async (path) => {
      await this.#step();
      return [...this.#find(path, 'folder').entries].map(([name, node]) => entryOf(name, node));
    },
    syncFolder: async (path) => {
      await this.#step();
      const folder = this.#find(path, 'folder');
      const covered = new Set(folder.changes);
      await this.#otherWork();
      await this.#step();
      folder.flushedEntries = applied(folder.flushedEntries, [...covered]);
      folder.changes = folder.changes.filter((change) => !covered.has(change));
    },
    create: async (path) => {
      await this.#step();
      const node = newNode('file', this.#time());
      this.#add(path, node);
      return this.#opened(node);
    },
    open: async (path) => {
      await this.#step();
      return this.#opened(this.#find(path));
    },
    write: async (file, parts) => {
      await this.#step();
      const node = this.#file(file);
      // Half of it, so that a power cut also falls between two writes of one object.
      const all = Buffer.concat(parts);
      const count = Math.max(1, Math.ceil(all.byteLength / 2));
      node.bytes = Buffer.concat([node.bytes, all.subarray(0, count)]);
      return count;
    },
    read: async (file, target, position) => {
      await this.#step();
      return this.#file(file).bytes.copy(target, 0, position);
    },
    facts: async (file) => {
      await this.#step();
      return this.#facts(this.#file(file));
    },
    syncFile: async (file) => {
      await this.#step();
      const { bytes } = this.#file(file);
      await this.#step();
      this.#file(file).flushed = bytes;
    },
    close: async (file) => {
      await this.#step();
      this.#open.delete(file);
    },
    link: async (existing, path) => {
      await this.#step();
      this.#add(path, this.#find(existing, 'file'));
    },
    rename: async (from, to) => {
      await this.#step();
      const node = this.#find(from);
      const replaced = this.#folderOf(to).entries.get(basename(to));
      if (replaced !== undefined && replaced.entries.size > 0) throw systemError('ENOTEMPTY');
      this.#acts += 1;
      this.#change(to, node);
      this.#change(from, undefined);
    },
    unlink: async (path) => {
      await this.#step();
      this.#find(path, 'file');
      this.#drop(path);
    },
    lstat: async (path) => {
      await this.#step();
      return this.#facts(this.#find(path));
    },
  };

  async #step(): Promise<void> {
    // Other work of the process goes on between two operations.
    await Promise.resolve();
    this.steps += 1;
    if (!this.hasPower) throw new PowerLost(`the power went at step ${this.#cutAt}`);
  }

  /** A flush takes long: other operations begin after it and end before it. */
  async #otherWork(): Promise<void> {
    for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
  }

  #time(): number {
    return this.steps;
  }

  #opened(node: Node): number {
    this.#nextFile += 1;
    this.#open.set(this.#nextFile, node);
    return this.#nextFile;
  }

  #file(file: number): Node {
    const node = this.#open.get(file);
    if (node === undefined) throw systemError('EBADF');
    return node;
  }

  #find(path: string, kind?: Node['kind']): Node {
    const node = path === '/' ? this.#root : this.#folderOf(path).entries.get(basename(path));
    if (node === undefined) throw systemError('ENOENT');
    if (kind !== undefined && node.kind !== kind) throw systemError(kind === 'folder' ? 'ENOTDIR' : 'EISDIR');
    return node;
  }

  #folderOf(path: string): Node {
    return this.#find(dirname(path), 'folder');
  }

  #add(path: string, node: Node): void {
    if (this.#folderOf(path).entries.has(basename(path))) throw systemError('EEXIST');
    this.#acts += 1;
    this.#change(path, node);
  }

  #drop(path: string): void {
    this.#acts += 1;
    this.#change(path, undefined);
  }

  #change(path: string, node: Node | undefined): void {
    const folder = this.#folderOf(path);
    const name = basename(path);
    if (node === undefined) folder.entries.delete(name);
    else folder.entries.set(name, node);
    folder.changes.push({ act: this.#acts, name, node });
    if (node !== undefined) node.ctimeMs = this.#time();
  }

  #facts(node: Node): FileFacts {
    const names = countNames(this.#root, node);
    return { ...kindOf(node), isSymbolicLink: () => false, size: node.bytes.byteLength, ctimeMs: node.ctimeMs, nlink: names };
  }
}

function newNode(kind: Node['kind'], ctimeMs: number): Node {
  return { kind, ctimeMs, bytes: Buffer.alloc(0), flushed: Buffer.alloc(0), entries: new Map(), flushedEntries: new Map(), changes: [] };
}

function kindOf(node: Node): Pick<FileFacts, 'isFile' | 'isDirectory'> {
  return { isFile: () => node.kind === 'file', isDirectory: () => node.kind === 'folder' };
}

function entryOf(name: string, node: Node): FolderEntry {
  return { name, ...kindOf(node) };
}

function countNames(folder: Node, wanted: Node): number {
  return [...folder.entries.values()].reduce((sum, node) => sum + (node === wanted ? 1 : 0) + countNames(node, wanted), 0);
}

function applied(entries: ReadonlyMap<string, Node>, changes: readonly Change[]): Map<string, Node> {
  const result = new Map(entries);
  for (const { name, node } of changes) {
    if (node === undefined) result.delete(name);
    else result.set(name, node);
  }
  return result;
}

/** `made` keeps two names of one file one file. */
function survivor(node: Node, survives: (change: Change) => boolean, bytesOf: (node: Node) => Buffer, made: Map<Node, Node>): Node {
  const known = made.get(node);
  if (known !== undefined) return known;
  const copy = newNode(node.kind, node.ctimeMs);
  made.set(node, copy);
  copy.bytes = bytesOf(node);
  copy.flushed = copy.bytes;
  for (const [name, child] of applied(node.flushedEntries, node.changes.filter(survives))) {
    copy.entries.set(name, survivor(child, survives, bytesOf, made));
  }
  copy.flushedEntries = new Map(copy.entries);
  return copy;
}
