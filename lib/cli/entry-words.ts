import { ENTRY } from '../repository/index.ts';
import type { Entry } from '../repository/index.ts';

/** What an entry is, in the words of `--json`. */
export const TYPE_NAMES: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(ENTRY).map(([name, number]) => [number, name]));

/** Milliseconds since the epoch. */
export function modifiedAt({ mtimeSeconds, mtimeNanoseconds }: Pick<Entry, 'mtimeSeconds' | 'mtimeNanoseconds'>): number {
  return mtimeSeconds * 1000 + Math.floor(mtimeNanoseconds / 1e6);
}

/** Times of files may lie outside of what a Date holds. */
export function isoTime(milliseconds: number): string | null {
  return Math.abs(milliseconds) <= 8.64e15 ? new Date(milliseconds).toISOString() : null;
}

export function hexOf(digest: Uint8Array | undefined): string | null {
  return digest === undefined ? null : Buffer.from(digest).toString('hex');
}
