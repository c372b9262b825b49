import { copyFile, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../model/errors.ts';
import { parseWalFile, timelineInHex } from '../../repository/index.ts';
import type { WalFile } from '../../repository/index.ts';

/** A file that pg_receivewal left for us. */
export interface SpooledFile extends WalFile {
  readonly path: string;
  readonly systemId: string;
  readonly folder: string;
  /** As long as it is the same, nothing was written. */
  readonly modifiedAt: number;
  readonly sizeBytes: number;
}

const SYSTEM = /^\d{1,20}$/;
const TIMELINE = /^[0-9A-F]{8}$/;

/**
 * Where WAL lies between the server and the vault: one folder for each system and each timeline that a server was on when
 * receiving began. In one for all, a server that is on an older timeline than the newest file could not go on.
 */
export class WalSpool {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  async folderFor(systemId: string, timeline: number): Promise<string> {
    const folder = join(this.root, systemId, timelineInHex(timeline));
    await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
      throw new HoldfastError(cause.code === 'ENOSPC' ? 'no-space' : 'permission', `The spool ${folder} cannot be made (${cause.code}).`, { nextStep: 'Let this user write there, or set XDG_STATE_HOME to another place.', cause });
    });
    return folder;
  }

  /** Everything that can be archived now, in the order in which it must be: histories first, then by name. */
  async files(): Promise<SpooledFile[]> {
    const found: SpooledFile[] = [];
    for (const systemId of await entries(this.root, SYSTEM)) {
      for (const timeline of await entries(join(this.root, systemId), TIMELINE)) found.push(...(await filesIn(join(this.root, systemId, timeline), systemId)));
    }
    const rank = ({ kind }: SpooledFile) => (kind === 'history' ? 0 : 1);
    return found.sort((left, right) => rank(left) - rank(right) || (left.name < right.name ? -1 : 1));
  }

  async remove({ path }: SpooledFile): Promise<void> {
    await rm(path, { force: true });
  }

  async has({ path }: SpooledFile): Promise<boolean> {
    return stat(path).then(() => true, () => false);
  }

  /** A segment is made of zeroes before its first page is written. */
  async isEmpty({ path }: SpooledFile): Promise<boolean> {
    const handle = await open(path, 'r').catch(() => undefined);
    if (handle === undefined) return true;
    try {
      const { buffer } = await handle.read(Buffer.alloc(8), 0, 8, 0);
      return buffer.every((byte) => byte === 0);
    } finally {
      await handle.close();
    }
  }

  /** A copy that does not grow while it is read twice. The caller removes it. */
  async copy({ path, name }: SpooledFile): Promise<string> {
    const copy = join(this.root, `${name}.partial.copy`);
    await copyFile(path, copy);
    return copy;
  }
}

async function filesIn(folder: string, systemId: string): Promise<SpooledFile[]> {
  const found: SpooledFile[] = [];
  for (const name of await readdir(folder)) {
    const file = parseWalFile(name);
    if (file === undefined) continue;
    const path = join(folder, name);
    // It may have got its last name since it was listed.
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isFile() === true) found.push({ ...file, path, systemId, folder, modifiedAt: stats.mtimeMs, sizeBytes: stats.size });
  }
  return found;
}

async function entries(folder: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw cause;
  });
  return names.filter((name) => pattern.test(name)).sort();
}
