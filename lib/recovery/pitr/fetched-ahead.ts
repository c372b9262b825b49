import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fingerprint, isAsItWas, namesIn, noteFolder, readNote, writeNote } from '../../backup/wal/acknowledged.ts';
import type { AcknowledgedPlace } from '../../backup/wal/acknowledged.ts';
import { dataFolders, systemIdIn } from '../../backup/wal/system-id.ts';

/**
 * Segments that `wal-fetch --also-next` has written out before PostgreSQL asks for them: a file and a note of each, below
 * the state directory. The script bin/holdfast-wal gives them away in a few milliseconds while the machine has not been
 * started again since; the entry of the program for the start of Node and one digest: only Node's own modules are loaded here.
 * Whole segments alone are kept so, and given away only with the bytes that the vault vouched for; of everything else the
 * call itself finds out.
 */
export interface AheadPlace extends AcknowledgedPlace {
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface AheadNote {
  /** Hexadecimal, as the vault holds it. */
  readonly sha256: string;
  readonly systemId: string;
  /** Of this start of the machine, as the kernel names it; `-` where it does not. */
  readonly bootId: string;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
  /** What `fingerprint` said of the files that the vault was chosen by, before it was opened. */
  readonly chosenBy: readonly string[];
}

const FOLDER = 'wal-ahead';
const NOTE = '.note';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** What an earlier recovery left is not looked at: it costs nothing to fetch it again. */
const KEPT_MS = 3_600_000;

/** Puts a segment where restore_command wants it, whole and proved, or answers false and leaves the place as it was. */
export async function takeFetched(place: AheadPlace, name: string, path: string): Promise<boolean> {
  const kept = join(noteFolder(place, FOLDER), name);
  const target = resolve(place.workingFolder, path);
  try {
    const [systemId, , fetchedAt, sha256, ...files] = readNote(kept + NOTE);
    const age = place.now - Number(fetchedAt);
    const isNow = age >= 0 && age < KEPT_MS;
    if (!isNow || !files.every(isAsItWas) || systemId !== (await systemIdIn(dataFolders(place.workingFolder, target)))) return false;
    const bytes = readFileSync(kept);
    // The machine may have gone down before they were on its disk.
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) return false;
    moveTo(kept, target, bytes);
  } catch {
    // There is none, or the target cannot be written: whoever fetches it says what is wrong.
    return false;
  }
  forget([kept + NOTE]);
  return true;
}

/** On another file system it is written beside its place first, so that the name never stands for half a segment. */
function moveTo(kept: string, target: string, bytes: Uint8Array): void {
  try {
    renameSync(kept, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const temporary = `${target}.holdfast-${process.pid}`;
    try {
      writeFileSync(temporary, bytes, { mode: 0o600 });
      renameSync(temporary, target);
    } finally {
      forget([temporary, kept]);
    }
  }
}

/** Where segments to come are written. Removes what is kept of others. Throws where nothing can be kept. */
export function makeRoom(place: AheadPlace, names: readonly string[]): string {
  const folder = noteFolder(place, FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const wanted = new Set(names.flatMap((name) => [name, name + NOTE]));
  forget(namesIn(folder).filter((name) => !wanted.has(name)).map((name) => join(folder, name)));
  return folder;
}

/** At the end of recovery: whoever asks for what is not there, as for the history of a new timeline, wants nothing of it any more. */
export function forgetFetched(place: AheadPlace): void {
  const folder = noteFolder(place, FOLDER);
  let names: readonly string[];
  try {
    names = namesIn(folder);
  } catch {
    // Of another user: nothing was kept there by this one.
    return;
  }
  forget(names.map((name) => join(folder, name)));
}

/** After the segment is whole in `folder`: from now on it may be taken. */
export function noteFetched(folder: string, name: string, { systemId, bootId, fetchedAt, sha256, chosenBy }: AheadNote): void {
  writeNote(join(folder, name + NOTE), [systemId, bootId, String(fetchedAt), sha256, fingerprint(join(folder, name)), ...chosenBy]);
}

export function bootIdOf(): string {
  try {
    return readFileSync(BOOT_ID, 'utf8').trim();
  } catch {
    // Another system than Linux: every segment is proved by its digest there.
    return '-';
  }
}

/** What cannot be removed is only in the way: it is judged again before anybody gets it. */
function forget(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      unlinkSync(path);
    } catch {
      // Gone already.
    }
  }
}
