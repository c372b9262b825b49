import { unsteered } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';

/** Constants of docs/repository-format.md; the sections are cited where they are used. */
export const FORMAT_VERSION = 1;

export const CIPHERS = { 'aes-256-gcm': 1, 'chacha20-poly1305': 2 } as const;
export type CipherName = keyof typeof CIPHERS;

export const CODECS = { raw: 0, zstd: 1, gzip: 2 } as const;

/** Storage class of data packs; tree and list chunks always go to `meta`, which never leaves the hot class. */
export type DataClass = 'hot' | 'warm' | 'cold';
export type PackClass = DataClass | 'meta';

export type SealKind = 'frame' | 'tree' | 'directory' | 'index' | 'snapshot' | 'partial' | 'verdict' | 'plan' | 'coverage' | 'wal';

export const HEADER_BYTES = 16;
export const FOOTER_BYTES = 16;
export const SALT_BYTES = 32;
export const TAG_BYTES = 16;
export const SEAL_OVERHEAD_BYTES = SALT_BYTES + TAG_BYTES;

export interface PackSizes {
  /** Raw bytes gathered into one frame. */
  readonly frameBytes: number;
  /** A pack is closed when it holds this much. */
  readonly targetBytes: number;
  /** Capacity of a pack buffer, directory excluded. */
  readonly limitBytes: number;
}

/** Decision 0019. */
export const PACK_SIZES: PackSizes = { frameBytes: 2 << 20, targetBytes: 16 << 20, limitBytes: 23 << 20 };

export interface ChunkerSizes {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
}

/** Decision 0002: measured on the data sets of `bench/`. */
export const CHUNKER_SIZES = {
  files: { min: 512 << 10, avg: 1 << 20, max: 2 << 20 },
  streams: { min: 64 << 10, avg: 256 << 10, max: 1 << 20 },
} as const satisfies Record<string, ChunkerSizes>;

export function checkVersion(version: number, what: string): void {
  if (version === FORMAT_VERSION) return;
  if (version > FORMAT_VERSION) {
    throw new HoldfastError('unsupported-version', `${what} has format version ${version}; this Holdfast reads up to ${FORMAT_VERSION}.`, {
      nextStep: 'Install the Holdfast version that wrote this vault, or a newer one. Nothing was written.',
    });
  }
  throw damaged(`${what} says format version ${version}, wanted ${FORMAT_VERSION}`);
}

/** A value from the vault in a message: it may be long, and it must not steer a terminal. */
export function quoted(value: unknown): string {
  const text = unsteered(JSON.stringify(value) ?? 'nothing');
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

export function damaged(message: string, data?: Record<string, unknown>): HoldfastError {
  return new HoldfastError('damaged', message, { nextStep: 'Run `holdfast verify --level full` to see what is touched.', ...(data && { data }) });
}
