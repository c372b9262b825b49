import { createRequire } from 'node:module';
import type { ByteString } from '../model/byte-string.ts';
import { fromText } from '../model/byte-string.ts';
import type { Xattr } from '../repository/index.ts';

interface FsXattr {
  listAttributesSync(path: string): string[];
  getAttributeSync(path: string, name: string): Buffer;
}

/** Reader of extended attributes (ACLs among them), or undefined when the optional native module is not installed. */
export function loadXattrReader(): ((fdPath: string) => Xattr[]) | undefined {
  let native: FsXattr;
  try {
    native = createRequire(`${process.cwd()}/`)('fs-xattr') as FsXattr;
  } catch {
    return undefined;
  }
  return (fdPath) => native.listAttributesSync(fdPath).map((name) => ({ name: fromText(name) as ByteString, value: native.getAttributeSync(fdPath, name) }));
}
