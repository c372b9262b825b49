import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { ExpectedEntry } from './vector-sets.ts';

/** What lies below `root`, first what is wanted in its order and with the facts that are wanted, then everything else. */
export function entriesOnDisk(root: string, wanted: readonly ExpectedEntry[]): object[] {
  // Names are bytes; as latin1 each byte is one character.
  const named = wanted.map(({ path }) => Buffer.from(path, 'base64').toString('latin1'));
  const others = readdirSync(root, { recursive: true, encoding: 'latin1' }).filter((path) => !named.includes(path));
  const links = new Map<bigint, number>();
  return [...named, ...others].map((path, index) => {
    const { mtime, ...facts } = describeEntry(Buffer.from(`${root}/${path}`, 'latin1'), links);
    return { path: Buffer.from(path, 'latin1').toString('base64'), ...facts, ...(wanted[index]?.mtime !== undefined && { mtime }) };
  });
}

function describeEntry(place: Buffer, links: Map<bigint, number>): { readonly mtime: string } & Readonly<Record<string, unknown>> {
  const stats = lstatSync(place, { bigint: true });
  const facts = { mode: Number(stats.mode & 0o7777n), mtime: inSeconds(stats.mtimeNs) };
  if (stats.isSymbolicLink()) return { ...facts, type: 'symlink', target: readlinkSync(place, 'buffer').toString('base64') };
  if (stats.isDirectory()) return { ...facts, type: 'directory' };
  if (stats.isFIFO()) return { ...facts, type: 'fifo' };
  const content = readFileSync(place);
  return { ...facts, type: 'file', size: content.byteLength, sha256: createHash('sha256').update(content).digest('hex'), ...linkOf(stats, links) };
}

function linkOf({ ino, nlink }: BigIntStats, links: Map<bigint, number>): object {
  if (nlink === 1n) return {};
  if (!links.has(ino)) links.set(ino, links.size + 1);
  return { link: links.get(ino) };
}

/** Whole seconds rounded down, and the nanoseconds behind them. */
function inSeconds(nanoseconds: bigint): string {
  const behind = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return `${(nanoseconds - behind) / 1_000_000_000n}.${String(behind).padStart(9, '0')}`;
}
