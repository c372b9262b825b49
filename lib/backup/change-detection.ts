import { statfsSync } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { fsPath } from '../model/byte-string.ts';
import type { ChangeDetection } from './unchanged.ts';

/** f_type of statfs(2) and what can be trusted there. Everything else is a local file system: change time and inode. */
const BY_FILE_SYSTEM: readonly { readonly magic: number; readonly name: string; readonly mode: ChangeDetection; readonly reason: string }[] = [
  { magic: 0x6969, name: 'nfs', mode: 'ctime', reason: 'inode numbers may be made anew after a server change' },
  { magic: 0x65735546, name: 'fuse', mode: 'mtime', reason: 'many FUSE file systems invent inode numbers and change times' },
  { magic: 0x01021997, name: '9p', mode: 'mtime', reason: 'inode numbers depend on the host' },
  { magic: 0xff534d42, name: 'cifs', mode: 'mtime', reason: 'change times are not those of the server' },
  { magic: 0xfe534d42, name: 'smb2', mode: 'mtime', reason: 'change times are not those of the server' },
  { magic: 0x4d44, name: 'vfat', mode: 'mtime', reason: 'it has neither inodes nor change times' },
  { magic: 0x2011bab0, name: 'exfat', mode: 'mtime', reason: 'it has neither inodes nor change times' },
];

/** Chooses the mode for each mount once, by device number. */
export class ChangeDetector {
  readonly #configured: ChangeDetection | 'auto';
  readonly #byDevice = new Map<number, ChangeDetection>();

  constructor(configured: ChangeDetection | 'auto') {
    this.#configured = configured;
  }

  modeFor(device: number, path: ByteString): ChangeDetection {
    if (this.#configured !== 'auto') return this.#configured;
    const known = this.#byDevice.get(device);
    if (known) return known;
    const mode = modeOf(path);
    // It vanished or may not be reached: whoever reads it says so, and the next file on this mount is asked.
    if (!mode) return 'content';
    this.#byDevice.set(device, mode);
    return mode;
  }
}

function modeOf(path: ByteString): ChangeDetection | undefined {
  let type: number;
  try {
    ({ type } = statfsSync(fsPath(path)));
  } catch {
    return undefined;
  }
  return BY_FILE_SYSTEM.find(({ magic }) => magic === type >>> 0)?.mode ?? 'ctime+inode';
}
