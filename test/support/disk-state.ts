import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { createHash } from 'node:crypto';
import { ENTRY, isSnapshotFile } from '../../lib/repository/index.ts';
import type { HeldEntry } from './run-backup.ts';

/** What matters of one entry, as text, so that a difference reads well. */
type State = Map<string, string>;

/** Everything below a folder as the file system tells it; the root itself is the empty path. */
export function stateOnDisk(root: string): State {
  const state: State = new Map();
  const visit = (path: string) => {
    const full = Buffer.from(path === '' ? root : `${root}/${path}`, 'latin1');
    const stats = lstatSync(full, { bigint: true });
    state.set(path, describe(stats, full));
    if (stats.isDirectory()) for (const name of readdirSync(full, { encoding: 'latin1' })) visit(path === '' ? name : `${path}/${name}`);
  };
  visit('');
  return sorted(state);
}

function describe(stats: BigIntStats, full: Buffer): string {
  const common = `${(Number(stats.mode) & 0o7777).toString(8)} ${stats.uid} ${stats.mtimeNs}`;
  if (stats.isDirectory()) return `directory ${common}`;
  if (stats.isSymbolicLink()) return `link ${common} ${readlinkSync(full, { encoding: 'latin1' })}`;
  if (!stats.isFile()) return `special ${common}`;
  return `file ${common} ${digest(readFileSync(full))} ${stats.nlink > 1n ? `linked ${stats.ino}` : ''}`;
}

/** The same of a backup. */
export function stateHeld(held: ReadonlyMap<string, HeldEntry>): State {
  const state: State = new Map();
  for (const [path, { entry, content }] of held) {
    const common = `${entry.mode.toString(8)} ${entry.uid} ${BigInt(entry.mtimeSeconds) * 1_000_000_000n + BigInt(entry.mtimeNanoseconds)}`;
    if (entry.type === ENTRY.directory) state.set(path, `directory ${common}`);
    else if (entry.type === ENTRY.symlink) state.set(path, `link ${common} ${entry.target}`);
    else if (!isSnapshotFile(entry)) state.set(path, `special ${common}`);
    else state.set(path, `file ${common} ${digest(content ?? Buffer.of())} ${entry.linkGroup ? `linked ${Buffer.from(entry.linkGroup).readBigUInt64BE(8)}` : ''}`);
  }
  return sorted(state);
}

/** By path as text: whoever compares states compares what is there, not in which order it came. */
function sorted(state: State): State {
  return new Map([...state].sort(([left], [right]) => (left < right ? -1 : 1)));
}

function digest(bytes: Buffer): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
}
