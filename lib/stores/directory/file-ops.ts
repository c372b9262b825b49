import fs, { constants, type Dirent, type Stats } from 'node:fs';
import { promisify } from 'node:util';

export type FileFacts = Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink' | 'size' | 'ctimeMs' | 'nlink'>;
export type FolderEntry = Pick<Dirent, 'name' | 'isFile' | 'isDirectory'>;

/**
 * The file operations of a directory store, one system call each, so that a double can lose power between any two.
 * Errors are those of `node:fs` (`code` is the errno name); numbers are file descriptors.
 */
export interface FileOps {
  /** `EEXIST` when something is there. */
  makeFolder(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  readFolder(path: string): Promise<FolderEntry[]>;
  /** Makes the entries of a folder durable: what `syncFile` does for bytes. */
  syncFolder(path: string): Promise<void>;
  /** A new empty file for writing; `EEXIST` when something is there, also a dangling symbolic link. */
  create(path: string): Promise<number>;
  /** For reading; `ELOOP` for a symbolic link. Does not wait for the other end of a FIFO. */
  open(path: string): Promise<number>;
  /** Appends; may write less than all (a full disk does), so the caller asks again. */
  write(file: number, parts: readonly Uint8Array[]): Promise<number>;
  /** Bytes read into `target`; 0 only at the end of the file. */
  read(file: number, target: Uint8Array, position: number): Promise<number>;
  facts(file: number): Promise<FileFacts>;
  syncFile(file: number): Promise<void>;
  close(file: number): Promise<void>;
  /** Never replaces: `EEXIST`. */
  link(existing: string, path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Of the path itself, not of what a symbolic link points to. */
  lstat(path: string): Promise<FileFacts>;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

const mkdir = promisify(fs.mkdir);
const open = promisify(fs.open);
const fsync = promisify(fs.fsync);
const close = promisify(fs.close);
const readdir = promisify(fs.readdir);
const writev = promisify(fs.writev);
const read = promisify(fs.read);

/** The operating system, by callbacks on libuv's pool: they cost less than file handles of `fs/promises`. */
export const realFileOps: FileOps = {
  makeFolder: (path) => mkdir(path, { mode: FOLDER_MODE }).then(() => undefined),
  removeFolder: promisify(fs.rmdir),
  readFolder: (path) => readdir(path, { withFileTypes: true }),
  syncFolder: async (path) => {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await fsync(folder);
    } finally {
      await close(folder);
    }
  },
  create: (path) => open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, FILE_MODE),
  open: (path) => open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  write: async (file, parts) => (await writev(file, parts)).bytesWritten,
  read: async (file, target, position) => (await read(file, target, 0, target.byteLength, position)).bytesRead,
  facts: promisify(fs.fstat) as FileOps['facts'],
  syncFile: fsync,
  close,
  link: promisify(fs.link),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  lstat: promisify(fs.lstat) as FileOps['lstat'],
};
