import * as zlib from 'node:zlib';
import { decodeZstd } from './zstd.ts';

/**
 * Stands in for `node:zlib` in the kit's bundle (scripts/build-kit.mjs): an older Node has no zstd, and a name that a
 * Node does not export would keep the whole file from loading.
 */
export const { constants, gunzipSync, gzipSync } = zlib;

/** What is sealed here is a note that a read-only store refuses: it may as well stay as long as it is. */
export const zstdCompressSync: (bytes: Uint8Array) => Uint8Array = (zlib as Partial<typeof zlib>).zstdCompressSync ?? ((bytes) => bytes);

type Answer = (error: Error | null, bytes: Uint8Array) => void;

/** The kit keeps and reads no WAL: only the names must be there. */
export const zstdCompress: (bytes: Uint8Array, options: object, answer: Answer) => void = (zlib as Partial<typeof zlib>).zstdCompress ?? ((bytes, _, answer) => answer(null, bytes));

export const zstdDecompressSync: (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Buffer = (zlib as Partial<typeof zlib>).zstdDecompressSync ?? ((bytes, { maxOutputLength }) => decodeZstd(bytes, maxOutputLength));

export const zstdDecompress: (bytes: Uint8Array, options: { readonly maxOutputLength: number }, answer: Answer) => void = (zlib as Partial<typeof zlib>).zstdDecompress ?? ((bytes, options, answer) => answer(null, zstdDecompressSync(bytes, options)));
