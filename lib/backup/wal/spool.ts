import { copyFile, mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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
const COPY = 'partial.copy';

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
    await mkdir(folder, { recursive: true, mode: 0o700 }).catch(failed(folder, 'be made'));
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

  /** Whether something lies in a folder that receiving goes on from. */
  async hasFiles(folder: string): Promise<boolean> {
    return (await entries(folder, /^[0-9A-F]{24}(\.partial)?$/)).length > 0;
  }

  /** Segments that a folder holds the beginning of. */
  async beginningsIn(folder: string): Promise<SpooledFile[]> {
    return (await filesIn(folder, basename(dirname(folder)))).filter(({ kind }) => kind === 'partial');
  }

  async remove({ path }: Pick<SpooledFile, 'path'>): Promise<void> {
    await rm(path, { force: true }).catch(failed(path, 'be removed, though the vault has it'));
  }

  async has({ path }: SpooledFile): Promise<boolean> {
    return (await stat(path).catch(unlessGone(path))) !== undefined;
  }

  /** A segment is made of zeroes before its first page is written. */
  async isEmpty({ path }: Pick<SpooledFile, 'path'>): Promise<boolean> {
    const handle = await open(path, 'r').catch(unlessGone(path));
    if (handle === undefined) return true;
    try {
      const { buffer } = await handle.read(Buffer.alloc(8), 0, 8, 0);
      return buffer.every((byte) => byte === 0);
    } finally {
      await handle.close();
    }
  }

  /**
   * A receiver whose disk was full while it wrote the zeroes of a new segment leaves a part of them, and takes no file of such
   * a length again. Nothing was received into it: empty, it is where receiving goes on.
   */
  async emptyUnfinished(folder: string, segmentBytes: number): Promise<void> {
    for (const { path, sizeBytes } of await this.beginningsIn(folder)) {
      if (sizeBytes > 0 && sizeBytes < segmentBytes && (await this.isEmpty({ path }))) await truncate(path, 0).catch(failed(path, 'be emptied'));
    }
  }

  /**
   * What `use` makes of a copy that does not grow while it is read twice; of one at a time. Fails as `source-failed` when the
   * file got its last name meanwhile.
   */
  async withCopy<T>({ path }: SpooledFile, use: (copy: string) => Promise<T>): Promise<T> {
    const copy = join(this.root, COPY);
    try {
      await copyFile(path, copy).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') throw new HoldfastError('source-failed', `${path} is not there any more.`, { cause });
        return failed(copy, 'be written')(cause);
      });
      return await use(copy);
    } finally {
      await rm(copy, { force: true }).catch(failed(copy, 'be removed'));
    }
  }
}

/** `.catch` of a file operation in the spool. What stays in the spool is not lost. */
function failed(path: string, what: string): (cause: NodeJS.ErrnoException) => never {
  return (cause) => {
    const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT';
    throw new HoldfastError(isFull ? 'no-space' : 'permission', `In the spool, ${path} cannot ${what} (${cause.code}).`, {
      nextStep: isFull ? 'Free space there, or set XDG_STATE_HOME to a larger file system: WAL that was received stays until it is in the vault.' : 'Let this user read and write there, or set XDG_STATE_HOME to another place.',
      cause,
    });
  };
}

function unlessGone(path: string): (cause: NodeJS.ErrnoException) => undefined {
  return (cause) => (cause.code === 'ENOENT' ? undefined : failed(path, 'be read')(cause));
}

async function filesIn(folder: string, systemId: string): Promise<SpooledFile[]> {
  const found: SpooledFile[] = [];
  for (const name of await readdir(folder).catch(failed(folder, 'be read'))) {
    const file = parseWalFile(name);
    if (file === undefined) continue;
    const path = join(folder, name);
    // It may have got its last name since it was listed.
    const stats = await stat(path).catch(unlessGone(path));
    if (stats?.isFile() === true) found.push({ ...file, path, systemId, folder, modifiedAt: stats.mtimeMs, sizeBytes: stats.size });
  }
  return found;
}

async function entries(folder: string, pattern: RegExp): Promise<string[]> {
  const names = (await readdir(folder).catch(unlessGone(folder))) ?? [];
  return names.filter((name) => pattern.test(name)).sort();
}
