import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';

export interface Compared {
  equal: number;
  readonly differences: string[];
  /** Differ, and the source was touched after the demonstration began: its own doing. */
  changedSince: number;
}

const BLOCK_BYTES = 1 << 20;

/** Compares trees entry by entry: names, types, modes, times, link targets, and every byte. Uses nothing of Holdfast. */
export function compareWithSource(pairs: readonly (readonly [source: string, restored: string])[], startedAt: number): Compared {
  const compared: Compared = { equal: 0, differences: [], changedSince: 0 };
  for (const [source, restored] of pairs) compareEntry(Buffer.from(source), Buffer.from(restored), compared, startedAt);
  return compared;
}

function compareEntry(source: Buffer, restored: Buffer, compared: Compared, startedAt: number): void {
  const stats = lstatSync(source, { throwIfNoEntry: false });
  // Sockets belong to the program that listens on them and are not restored.
  if (stats?.isSocket()) return;
  const difference = differenceOf(source, restored, stats);
  if (difference === undefined) compared.equal++;
  else if (!stats || Math.max(stats.ctimeMs, stats.mtimeMs) >= startedAt - 10) compared.changedSince++;
  else compared.differences.push(`${source.toString()}: ${difference}`);
  if (stats?.isDirectory()) for (const name of namesIn(source, restored)) compareEntry(child(source, name), child(restored, name), compared, startedAt);
}

/** Of both sides, so that what was restored and is not in the source is found too. */
function namesIn(source: Buffer, restored: Buffer): Buffer[] {
  const names = new Map<string, Buffer>();
  for (const folder of [source, restored]) {
    if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) continue;
    for (const name of readdirSync(folder, { encoding: 'buffer' })) names.set(name.toString('latin1'), name);
  }
  return [...names.values()];
}

function differenceOf(source: Buffer, restored: Buffer, stats: Stats | undefined): string | undefined {
  const copy = lstatSync(restored, { throwIfNoEntry: false });
  if (!stats) return 'it is only in what was restored';
  if (!copy) return 'it was not restored';
  if ((stats.mode & 0o170000) !== (copy.mode & 0o170000)) return 'the type';
  if (stats.isSymbolicLink()) return readlinkSync(source, 'buffer').equals(readlinkSync(restored, 'buffer')) ? undefined : 'the target of the link';
  if (stats.mode !== copy.mode) return `the mode: ${stats.mode.toString(8)} became ${copy.mode.toString(8)}`;
  if (Math.abs(stats.mtimeMs - copy.mtimeMs) >= 1) return 'the time';
  if (!stats.isFile()) return undefined;
  if (stats.size !== copy.size) return `the size: ${stats.size} became ${copy.size}`;
  return hasSameBytes(source, restored) ? undefined : 'the content';
}

const left = Buffer.allocUnsafe(BLOCK_BYTES);
const right = Buffer.allocUnsafe(BLOCK_BYTES);

function hasSameBytes(source: Buffer, restored: Buffer): boolean {
  const files = [openSync(source, 'r'), openSync(restored, 'r')] as const;
  try {
    for (;;) {
      const count = readSync(files[0], left);
      if (readSync(files[1], right) !== count || !left.subarray(0, count).equals(right.subarray(0, count))) return false;
      if (count === 0) return true;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}

function child(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}
