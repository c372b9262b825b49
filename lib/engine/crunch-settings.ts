import type { ChunkerSizes, CipherName, Compression, DataClass, PackSizes, VaultKeys } from '../repository/index.ts';
import type { SharedBuffersShape } from './shared-buffers.ts';

/** Everything a crunching thread needs; plain data, posted once when the thread starts. */
export interface CrunchSettings {
  readonly repository: string;
  readonly keys: VaultKeys;
  readonly cipher: CipherName;
  readonly compression: Compression;
  readonly packClass: DataClass;
  readonly writer: string;
  readonly chunker: { readonly files: ChunkerSizes; readonly streams: ChunkerSizes };
  readonly packSizes: PackSizes;
  /** Chunk tables, newest first. */
  readonly tables: readonly SharedArrayBuffer[];
  /** Which pack id each number in the chunk tables stands for. */
  readonly packIds: SharedArrayBuffer;
  readonly packs: SharedBuffersShape;
  readonly blocks: SharedBuffersShape;
  readonly keepXattrs: boolean;
}

/** A pack that a thread has closed; its bytes lie in the pack buffer until the main thread gives that back. */
export interface CrunchedPack {
  readonly name: string;
  readonly buffer: number;
  readonly length: number;
  readonly sha256: string;
  /** Chunk ids, 32 bytes each, for the index. */
  readonly ids: Uint8Array;
}

export interface CrunchCounters {
  readBytes: number;
  newBytes: number;
  newChunks: number;
}

export interface FileNote {
  readonly index: number;
  readonly code: 'changed-while-read' | 'unreadable' | 'vanished' | 'xattrs-too-large' | 'xattrs-unreadable';
  readonly message: string;
}

export interface FilesResult {
  /** One after another: status (1: 0 stored, 1 gone, 2 unreadable), u32 body length, body (format §7). */
  readonly bodies: Uint8Array;
  readonly notes: readonly FileNote[];
  /** Ids of the packs that the bodies name. */
  readonly packs: readonly string[];
  readonly counters: CrunchCounters;
}

export interface BlockResult {
  /** Refs one after another as in a file's body (format §7). */
  readonly refs: Uint8Array;
  readonly packs: readonly string[];
  readonly counters: CrunchCounters;
}

export const FILE_STATUS = { stored: 0, gone: 1, unreadable: 2 } as const;
