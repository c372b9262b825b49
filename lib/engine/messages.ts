import type { ByteString } from '../model/byte-string.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { Inspection } from '../sources/stream-inspection.ts';
import type { BlockResult, CrunchedPack, FilesResult } from './crunch-settings.ts';
import type { CutBlock, StreamEnd } from './cutter.ts';

/** Between the main thread and its crunching threads. */
export type ToThread =
  | { readonly type: 'files'; readonly job: number; readonly paths: readonly ByteString[] }
  | { readonly type: 'block'; readonly job: number; readonly buffer: number; readonly lengths: readonly number[] }
  | { readonly type: 'tables'; readonly tables: readonly SharedArrayBuffer[] }
  | { readonly type: 'flush'; readonly job: number }
  | { readonly type: 'cut'; readonly job: number; readonly fd: number; readonly sizes: 'files' | 'streams'; readonly stop: SharedArrayBuffer; readonly inspection: Inspection | undefined };

export type FromThread =
  | { readonly type: 'pack'; readonly pack: CrunchedPack }
  | { readonly type: 'cut-block'; readonly job: number; readonly block: CutBlock }
  | { readonly type: 'done'; readonly job: number; readonly result: FilesResult | BlockResult | StreamEnd | undefined }
  | { readonly type: 'failed'; readonly job: number; readonly error: { readonly code: ErrorCode; readonly message: string } };
