import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { display } from '../model/byte-string.ts';
import type { Xattr } from '../repository/index.ts';

interface FsXattr {
  setAttributeSync(path: string, name: string, value: Buffer): void;
}

/** Sets attributes of an open file or directory; returns the names that the file system refused. */
export type XattrWriter = (fd: number, xattrs: readonly Xattr[]) => string[];

/** Undefined when the optional native module is not installed. */
export function loadXattrWriter(): XattrWriter | undefined {
  let native: FsXattr;
  try {
    // From the program's own place, never from the working directory: whoever owns that must not choose our code.
    native = createRequire(realpathSync(process.argv[1] ?? process.execPath))('fs-xattr') as FsXattr;
  } catch {
    return undefined;
  }
  return (fd, xattrs) => xattrs.filter((xattr) => !trySet(native, fd, xattr)).map(({ name }) => display(name));
}

function trySet(native: FsXattr, fd: number, { name, value }: Xattr): boolean {
  try {
    // By descriptor: a path could be swapped, and links have no attributes of their own here.
    native.setAttributeSync(`/proc/self/fd/${fd}`, Buffer.from(name, 'latin1').toString('utf8'), Buffer.from(value));
    return true;
  } catch {
    return false;
  }
}
