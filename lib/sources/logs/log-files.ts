import { lstat, readdir, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { byteString, display, fromText, fsPath } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { attributesOf } from '../attributes.ts';
import { expand, isPattern } from '../configs/glob.ts';
import { fileObject, findInode, missedFile, openFile } from '../file-object.ts';
import type { MissedObject, ObjectsWarning, OpenObject, SourceObject } from '../source.ts';

export interface FoundLogs {
  readonly objects: readonly SourceObject[];
  /** Regular files that were written before the range. */
  readonly older: number;
  readonly warnings: readonly ObjectsWarning[];
}

/** Regular files below the paths that were written since `since` (milliseconds), each once; links are left out. Fails for a path that is not there. */
export async function findLogFiles(paths: readonly string[], since: number, clock: Clock): Promise<FoundLogs> {
  const walk = new LogWalk(since, clock);
  for (const path of paths) await walk.root(path);
  return { objects: [...walk.files.values()], older: walk.older, warnings: walk.warnings };
}

class LogWalk {
  readonly files = new Map<string, SourceObject>();
  readonly warnings: ObjectsWarning[] = [];
  older = 0;
  readonly #since: bigint;
  readonly #clock: Clock;

  constructor(since: number, clock: Clock) {
    this.#since = BigInt(Math.floor(since)) * 1_000_000n;
    this.#clock = clock;
  }

  async root(path: string): Promise<void> {
    const roots: ByteString[] = [];
    const there = await stat(fsPath(fromText(path))).then(() => true, () => false);
    if (there || !isPattern(path)) roots.push(fromText(path.replace(/(?<=.)\/+$/, '')));
    else for await (const found of expand(path, (folder, code) => this.#unseen(folder, code))) roots.push(found);
    if (roots.length === 0) throw new HoldfastError('source-failed', `Nothing matches ${path}.`, { nextStep: 'Check the pattern. Nothing of this run is kept.' });
    for (const root of roots) await this.#enter(root);
  }

  /** A root may be a link to where the logs are. */
  async #enter(root: ByteString): Promise<void> {
    const status = await stat(fsPath(root), { bigint: true }).catch((cause: NodeJS.ErrnoException) => {
      throw new HoldfastError(cause.code === 'EACCES' ? 'permission' : 'source-failed', `The path ${display(root)} ${cause.code === 'EACCES' ? 'may not be looked at by this user' : `is not there (${cause.code})`}.`, { nextStep: 'Check the path, and whether what should be mounted there is mounted. Nothing of this run is kept.' });
    });
    if (status.isDirectory()) await this.#walk(root, true);
    else this.#add(root, status);
  }

  async #walk(folder: ByteString, isRoot = false): Promise<void> {
    let names: ByteString[];
    try {
      names = (await readdir(fsPath(folder), { encoding: 'buffer' })).map((name) => byteString(name));
    } catch (error) {
      const { code = '?' } = error as NodeJS.ErrnoException;
      if (isRoot) throw new HoldfastError('permission', `The directory ${display(folder)} cannot be read (${code}).`, { nextStep: 'Run as a user that may read it. Nothing of this run is kept.' });
      if (code !== 'ENOENT') this.#unseen(folder, code);
      return;
    }
    for (const name of names) await this.#look(`${folder === '/' ? '' : folder}/${name}` as ByteString);
  }

  async #look(path: ByteString): Promise<void> {
    const status = await lstat(fsPath(path), { bigint: true }).catch(({ code = '?' }: NodeJS.ErrnoException) => {
      // In a folder that may be read and not entered, every file is there and none can be looked at.
      if (code !== 'ENOENT') this.#unseen(path, code);
      return undefined;
    });
    if (status?.isDirectory()) await this.#walk(path);
    else if (status?.isFile()) this.#add(path, status);
  }

  #add(path: ByteString, status: BigIntStats): void {
    if (status.mtimeNs < this.#since) this.older++;
    else this.files.set(path, logFile(path, status, this.#clock));
  }

  #unseen(path: ByteString, code: string): void {
    this.warnings.push({ code: 'unreadable', path: entryOf(path), message: `it cannot be looked into (${code})` });
  }
}

function logFile(path: ByteString, listed: BigIntStats, clock: Clock): SourceObject {
  const { mtimeSeconds, mtimeNanoseconds } = attributesOf(listed);
  return {
    path: entryOf(path),
    size: Number(listed.size),
    isUnchanged: (previous) => previous.size === Number(listed.size) && previous.mtimeSeconds === mtimeSeconds && previous.mtimeNanoseconds === mtimeNanoseconds,
    open: () => open(path, listed, clock),
  };
}

/** The file that was listed, whatever its name is by now: what is renamed while a run goes on is neither missed nor read twice. */
async function open(path: ByteString, listed: BigIntStats, clock: Clock): Promise<OpenObject | MissedObject> {
  const reading = { path, kind: 'growing', now: clock.now() } as const;
  const opened = await openFile(path);
  if ('handle' in opened && opened.status.ino === listed.ino && opened.status.dev === listed.dev) return fileObject(opened, reading);
  if ('handle' in opened) await opened.handle.close();
  else if (opened.code !== 'ENOENT') return missedFile('unreadable', opened.reason, attributesOf(listed));
  const renamed = await findInode(path, listed).catch(() => undefined);
  return renamed ? fileObject(renamed, reading) : missedFile('vanished', 'it was deleted or packed before it could be read; what it became is in the next backup', attributesOf(listed));
}

function entryOf(path: ByteString): ByteString {
  return `files/${path.split('/').filter((component) => component !== '').join('/')}` as ByteString;
}
