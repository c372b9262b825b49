import { endOfArchive, headerBlock, padded } from '../../lib/recovery/export/tar-header.ts';
import type { TarType } from '../../lib/recovery/export/tar-header.ts';

export interface SmallMember {
  readonly name: string;
  readonly type?: TarType;
  readonly content?: Uint8Array | string;
}

export function member({ name, type = '0', content = '' }: SmallMember): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([headerBlock({ type, name: Buffer.from(name, 'latin1'), size: bytes.length, mode: 0o600, uid: 0, gid: 0, mtime: 0, linkName: new Uint8Array() }), padded(bytes)]);
}

export function smallTar(members: readonly SmallMember[]): Buffer {
  const body = Buffer.concat(members.map(member));
  return Buffer.concat([body, endOfArchive(body.length)]);
}
