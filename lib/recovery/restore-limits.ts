import { readFileSync } from 'node:fs';

/** What bounds the memory and the descriptors of a restore, whatever its size. */
export interface RestoreLimits {
  /** Files of one window. Two windows are alive at once: one filling, one being written. */
  readonly files: number;
  readonly bytes: number;
  /** Files of one window that are open because their pieces lie in several places. */
  readonly heldFiles: number;
  /** Directories that stay open without being used at the moment. */
  readonly openFolders: number;
  /** Files of one job; each may lie in a directory of its own, which is open meanwhile. */
  readonly jobFiles: number;
}

/** `descriptors`: how many this process may have open; shared out so that all limits together stay below. */
export function restoreLimits(threads: number, descriptors = descriptorLimit()): RestoreLimits {
  const share = Math.floor(descriptors / 8);
  return {
    files: 8192,
    bytes: 128 << 20,
    heldFiles: clamp(share, 4, 256),
    openFolders: clamp(share * 2, 8, 4096),
    jobFiles: clamp(Math.floor(share / Math.max(1, threads)), 8, 2048),
  };
}

function descriptorLimit(): number {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  return Number(limit?.[1] ?? 1024);
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
