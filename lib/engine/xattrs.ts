import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fromText, fsPath } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import type { Xattr } from '../repository/index.ts';

interface FsXattr {
  listAttributesSync(path: string): string[];
  getAttributeSync(path: string, name: string): Buffer;
}

/** What an entry keeps of its extended attributes (ACLs among them), and what it could not keep. */
export interface XattrReading {
  readonly xattrs: readonly Xattr[];
  readonly problem?: { readonly code: 'xattrs-too-large' | 'xattrs-unreadable'; readonly message: string };
}

/** By descriptor: the native module takes names as text only, and names are bytes. Never throws. */
export interface XattrReader {
  (fd: number): XattrReading;
  /**
   * A quick look by path, a third of the cost: nearly nothing has attributes. Only *none* is believed: a path may lead
   * elsewhere by now, and foreign attributes (a capability) must never be kept for this entry.
   */
  mayHaveAny(access: ByteString): boolean;
}

/** Of one entry, names and values together (format §13). */
const LIMIT_BYTES = 65_536;

/** Undefined when the optional native module is not installed. */
export function loadXattrReader(): XattrReader | undefined {
  let native: FsXattr;
  try {
    // From the program's own place, never from the working directory: whoever owns that must not choose our code.
    native = createRequire(realpathSync(process.argv[1] ?? process.execPath))('fs-xattr') as FsXattr;
  } catch {
    return undefined;
  }
  return Object.assign((fd: number) => readXattrs(native, `/proc/self/fd/${fd}`), { mayHaveAny: (access: ByteString) => mayHaveAny(native, access) });
}

function mayHaveAny(native: FsXattr, access: ByteString): boolean {
  const path = fsPath(access);
  if (typeof path !== 'string') return true;
  try {
    return native.listAttributesSync(path).length > 0;
  } catch {
    // Whatever it is, the look by descriptor says it properly.
    return true;
  }
}

export function readXattrs(native: FsXattr, path: string): XattrReading {
  const xattrs: Xattr[] = [];
  const refused: string[] = [];
  let total = 0;
  for (const name of listed(native, path, refused)) {
    try {
      const value = native.getAttributeSync(path, name);
      total += name.length + value.length;
      xattrs.push({ name: fromText(name), value });
    } catch (error) {
      // Removed since it was listed; a name that is not UTF-8 was mangled on its way here and is not found either.
      if ((error as NodeJS.ErrnoException).code !== 'ENODATA' || name.includes('\ufffd')) refused.push(name);
    }
  }
  if (total > LIMIT_BYTES) return { xattrs: [], problem: { code: 'xattrs-too-large', message: `its extended attributes take ${total} bytes, at most ${LIMIT_BYTES} are kept; none were` } };
  if (refused.length === 0) return { xattrs };
  return { xattrs, problem: { code: 'xattrs-unreadable', message: `extended attributes that could not be read and are not kept: ${refused.join(', ')}` } };
}

/** File systems without extended attributes have none. */
function listed(native: FsXattr, path: string, refused: string[]): string[] {
  try {
    return native.listAttributesSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') refused.push(`all (${code ?? String(error)})`);
    return [];
  }
}
