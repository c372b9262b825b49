import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Where a program that PostgreSQL calls once for each file of WAL leaves word for its next call.
 *
 * Notes of `wal-archive --also-ready` about files that are durable in the vault before PostgreSQL has asked for them. They are
 * read by the script bin/holdfast-wal, to which a call costs a few milliseconds, and by the entry of the program, to which it
 * costs the start of Node: only Node's own modules are loaded here. Losing a note costs reading the file once more; a note
 * counts for the very file that it was made of and no other, and only while what chose the vault is as it was.
 */
export interface AcknowledgedPlace {
  /** Words of the command line behind the file: another plan, vault or key has notes of its own. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
}

const FOLDER = 'wal-acknowledged';
const NANOSECONDS = 1_000_000_000n;

/** Removes the note: PostgreSQL asks for a file once. */
export function takeAcknowledged(place: AcknowledgedPlace, path: string, name: string): boolean {
  const note = join(noteFolder(place, FOLDER), name);
  try {
    const [seen, ...chosenBy] = readNote(note);
    if (seen !== fingerprint(resolve(place.workingFolder, path)) || !chosenBy.every(isAsItWas)) return false;
    unlinkSync(note);
    return true;
  } catch {
    // There is no note, or no such file: whoever archives it says what is wrong.
    return false;
  }
}

/**
 * After the file is durable in the vault. `seen`: what `fingerprint` said of it before it was read; `chosenBy`: what it said
 * of the files that the vault was chosen by, before it was opened.
 */
export function acknowledge(place: AcknowledgedPlace, name: string, seen: string, chosenBy: readonly string[]): void {
  const folder = noteFolder(place, FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeNote(join(folder, name), [seen, ...chosenBy]);
}

/** Removes notes about files that PostgreSQL does not wait for any more. Throws where no notes can be kept. */
export function forgetOthers(place: AcknowledgedPlace, ready: ReadonlySet<string>): void {
  const folder = noteFolder(place, FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of namesIn(folder)) if (!ready.has(name)) unlinkSync(join(folder, name));
}

/** Names of files whose turn comes soon, in the order in which PostgreSQL takes them: histories, then the oldest. */
export function readyFiles(walFolder: string): string[] {
  const names = namesIn(join(walFolder, 'archive_status')).flatMap((name) => (name.endsWith('.ready') ? [name.slice(0, -'.ready'.length)] : []));
  const rank = (name: string) => (name.endsWith('.history') ? 0 : 1);
  return names.sort((left, right) => rank(left) - rank(right) || (left < right ? -1 : 1));
}

/**
 * Another file, or the same one with something written to it since, has another. As `stat -c '%d %i %s %.9Y %.9Z %n'` of GNU
 * says it: device, inode, bytes, seconds of the last write and change, path.
 */
export function fingerprint(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, seconds(mtimeNs), seconds(ctimeNs), path].join(' ');
}

function seconds(nanoseconds: bigint): string {
  return `${nanoseconds / NANOSECONDS}.${String(nanoseconds % NANOSECONDS).padStart(9, '0')}`;
}

/** Lines, for a script to read. A path with a line break in it makes a note that counts for nothing. */
export function writeNote(note: string, lines: readonly string[]): void {
  const temporary = `${note}.${process.pid}`;
  writeFileSync(temporary, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  renameSync(temporary, note);
}

export function readNote(note: string): string[] {
  return readFileSync(note, 'utf8').split('\n').slice(0, -1);
}

/** Another vault in the configuration, or a new one in the same directory, knows nothing of what was done ahead. */
export function fingerprintsOf(files: readonly (string | undefined)[]): string[] {
  return files.flatMap((file) => (file !== undefined && existsSync(file) ? [fingerprint(file)] : []));
}

/** The path is everything behind the fifth space. Throws when it is gone. */
export function isAsItWas(seen: string): boolean {
  return fingerprint(seen.split(' ').slice(5).join(' ')) === seen;
}

/** Named by the digest of all that chooses plan, vault and key beside the files; bin/holdfast-wal makes the same. */
export function noteFolder({ words, environment, workingFolder }: AcknowledgedPlace, name: string): string {
  const named = environment['XDG_STATE_HOME'];
  const state = named?.startsWith('/') === true ? named : join(environment['HOME'] ?? homedir(), '.local', 'state');
  const variables = Object.entries(environment).filter(([variable]) => variable.startsWith('HOLDFAST_')).map(([variable, value]) => Buffer.from(`${variable}=${value}`)).sort(Buffer.compare);
  const key = createHash('sha256').update([words.length, workingFolder, ...words].map((word) => `${word}\0`).join(''));
  for (const variable of variables) key.update(variable).update('\0');
  return join(state, 'holdfast', name, key.digest('hex'));
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
