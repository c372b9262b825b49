import { stat } from 'node:fs/promises';
import { display, fromText, fsPath } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { attributesAt } from '../attributes.ts';
import { fileObject, missedFile, openFile } from '../file-object.ts';
import type { Unopened } from '../file-object.ts';
import type { MissedObject, ObjectsWarning, OpenObject, SourceObject } from '../source.ts';
import { expand, isPattern } from './glob.ts';
import { withEnvironmentChecked } from './environment-file.ts';

export interface WantedFile {
  /** Absolute; a path, or a pattern where nothing has that very path. */
  readonly path: string;
  /** Its absence is a warning and no failure. */
  readonly isOptional: boolean;
  /** `environment`: lines that are no assignments are told. */
  readonly kind: 'file' | 'environment';
}

interface FoundFile extends WantedFile {
  readonly found: ByteString;
}

export interface FoundFiles {
  readonly files: readonly FoundFile[];
  readonly warnings: readonly ObjectsWarning[];
}

/** What is there of what is wanted, each file once. Fails with every required one that is not there. */
export async function findConfigFiles(wanted: readonly WantedFile[]): Promise<FoundFiles> {
  const files = new Map<ByteString, FoundFile>();
  const warnings: ObjectsWarning[] = [];
  const failures: string[] = [];
  // The required first: a file that both name is required.
  for (const one of [...wanted].sort((a, b) => Number(a.isOptional) - Number(b.isOptional))) {
    const tell = (path: ByteString, reason: string) => void (one.isOptional ? warnings.push({ code: 'optional-missing', path: entryOf(path), message: `${reason}; it is optional` }) : failures.push(`${display(path)}: ${reason}`));
    for (const found of await matchesOf(one, tell)) if (!files.has(found)) files.set(found, { ...one, found });
  }
  if (failures.length > 0) throw new HoldfastError('source-failed', `${failures.length === 1 ? 'A listed file cannot be kept' : `${failures.length} listed files cannot be kept`}: ${failures.join('; ')}.`, { nextStep: 'Correct the list, or write `{ path: …, optional: true }` for what may be missing. Nothing of this run is kept.' });
  return { files: [...files.values()], warnings };
}

async function matchesOf({ path }: WantedFile, tell: (path: ByteString, reason: string) => void): Promise<ByteString[]> {
  const literal = fromText(path);
  if (!isPattern(path) || (await isThere(literal))) {
    const opened = await openFile(literal);
    if (!('handle' in opened)) return tell(literal, `${opened.reason}${opened.code === 'ENOTFILE' ? ', wanted a file: a tree is kept by a source of `type: files`' : ''}`), [];
    await opened.handle.close();
    return [literal];
  }
  const found: ByteString[] = [];
  for await (const match of expand(path, (folder, code) => tell(literal, `${display(folder)} cannot be looked into (${code})`))) if (await isFile(match)) found.push(match);
  if (found.length === 0) tell(literal, 'no file matches');
  return found;
}

/** A link to nowhere matched a pattern, too: opening it tells so. */
async function isFile(path: ByteString): Promise<boolean> {
  return stat(fsPath(path)).then((status) => !status.isDirectory(), () => true);
}

async function isThere(path: ByteString): Promise<boolean> {
  return stat(fsPath(path)).then(() => true, () => false);
}

/** Configs are small, and times of files can be set: each is read by every run. */
export function configFile(file: FoundFile, clock: Clock): SourceObject {
  return { path: entryOf(file.found), size: undefined, isUnchanged: () => false, open: () => open(file, clock) };
}

async function open(file: FoundFile, clock: Clock): Promise<OpenObject | MissedObject> {
  const opened = await openFile(file.found);
  if (!('handle' in opened)) return missed(file, opened, clock);
  const object = fileObject(opened, { path: file.found, kind: 'still', now: clock.now() });
  return file.kind === 'environment' ? withEnvironmentChecked(object) : object;
}

function missed({ found, isOptional }: FoundFile, { code, reason }: Unopened, clock: Clock): MissedObject {
  if (isOptional) return missedFile(code === 'ENOENT' ? 'vanished' : 'unreadable', `${reason}; it is optional`, attributesAt(clock.now()));
  throw new HoldfastError(code === 'EACCES' ? 'permission' : 'source-failed', `The file ${display(found)} cannot be kept: ${reason}.`, { nextStep: code === 'EACCES' ? 'Run as a user that may read it. Nothing of this run is kept.' : 'Nothing of this run is kept; start the backup again.' });
}

function entryOf(path: ByteString): ByteString {
  return `files/${path.split('/').filter((component) => component !== '').join('/')}` as ByteString;
}
