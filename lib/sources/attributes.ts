import type { BigIntStats } from 'node:fs';
import type { StreamAttributes } from './source.ts';

/** For streams that come from no file: owned by this process, readable by its user alone. */
export function attributesAt(milliseconds: number): StreamAttributes {
  const seconds = Math.floor(milliseconds / 1000);
  return { mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mtimeSeconds: seconds, mtimeNanoseconds: Math.floor(milliseconds - seconds * 1000) * 1e6 };
}

export function attributesOf(status: BigIntStats): StreamAttributes {
  const seconds = status.mtimeNs / 1_000_000_000n - (status.mtimeNs % 1_000_000_000n < 0n ? 1n : 0n);
  return {
    mode: Number(status.mode & 0o7777n),
    uid: Number(status.uid),
    gid: Number(status.gid),
    mtimeSeconds: Number(seconds),
    mtimeNanoseconds: Number(status.mtimeNs - seconds * 1_000_000_000n),
  };
}
