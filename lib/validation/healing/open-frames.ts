import { isHoldfastError } from '../../model/errors.ts';
import { directoryOf, frameOpener, openFrame } from '../../repository/index.ts';
import type { FrameInfo, FrameOpener, PackDirectory, Repository } from '../../repository/index.ts';

/** A frame whose seal and chunks were proved. */
export interface ProvedFrame {
  readonly directory: PackDirectory;
  readonly frame: FrameInfo;
  readonly sealed: Uint8Array;
  readonly raw: Uint8Array;
}

export function kindOf(packName: string): FrameOpener['kind'] {
  return packName.startsWith('packs/meta/') ? 'tree' : 'frame';
}

/**
 * The frames of a pack that are whole, of those that are asked for, however little else of it is. `bytes`: the pack as
 * stored, `size`: as it was written. Throws `wrong-key` when the key does not open its frames: nothing can be proved then.
 */
export function* wholeFrames({ keys }: Pick<Repository, 'keys'>, name: string, { bytes, size }: { readonly bytes: Uint8Array; readonly size: number }, isWanted: (frame: FrameInfo) => boolean = () => true): Generator<ProvedFrame> {
  const directory = unlessDamaged(() => directoryOf(keys, name, bytes.subarray(0, size)));
  const opener = frameOpener(keys, kindOf(name));
  for (const frame of directory?.frames ?? []) {
    if (!isWanted(frame)) continue;
    const sealed = bytes.subarray(frame.offset, frame.offset + frame.sealedLength);
    const raw = unlessDamaged(() => openFrame(opener, (directory as PackDirectory).cipher, frame, sealed, name));
    if (raw) yield { directory: directory as PackDirectory, frame, sealed, raw };
  }
}

/** What a directory lists, also of frames that are not whole; empty when it does not open. */
export function listedChunks({ keys }: Pick<Repository, 'keys'>, name: string, { bytes, size }: { readonly bytes: Uint8Array; readonly size: number }): FrameInfo['chunks'] {
  return unlessDamaged(() => directoryOf(keys, name, bytes.subarray(0, size)))?.frames.flatMap(({ chunks }) => chunks) ?? [];
}

function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isHoldfastError(error, 'damaged')) return undefined;
    throw error;
  }
}
