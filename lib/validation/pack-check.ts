import { HEADER_BYTES, Scratch, directoryOf, frameOpener, openFrame, packHeader, releaseBytes, sha256 } from '../repository/index.ts';
import type { FrameInfo, FrameOpener, PackDirectory, PackRef, Subkeys } from '../repository/index.ts';
import { isHoldfastError } from '../model/errors.ts';

/** Part of a pack that is not what was written. */
export interface PackProblem {
  readonly problem: string;
  /** Chunks that are lost with it, 32 bytes each. */
  readonly ids: Uint8Array;
}

export interface PackFindings {
  readonly problems: readonly PackProblem[];
  /** Its directory does not open: nothing in it can be found. */
  readonly isLost: boolean;
}

/** A pack to be proved; without a digest when nothing that lives names it. */
export type PackToCheck = Omit<PackRef, 'sha256'> & { readonly sha256?: string | undefined };

const NONE = new Uint8Array(0);

/**
 * Proves a whole pack: its digest against the refs, header, directory, every frame, every chunk against its id.
 * Synchronous: runs in threads. Throws only what is not about the pack, `wrong-key` among it.
 */
export class PackChecker {
  readonly #keys: Subkeys;
  readonly #scratch = new Scratch();
  readonly #openers: Readonly<Record<FrameOpener['kind'], FrameOpener>>;

  constructor(keys: Subkeys) {
    this.#keys = keys;
    this.#openers = { frame: frameOpener(keys, 'frame'), tree: frameOpener(keys, 'tree') };
  }

  check(ref: PackToCheck, bytes: Uint8Array): PackFindings {
    const directory = this.#directory(ref.name, bytes);
    if (typeof directory === 'string') return { problems: [{ problem: directory, ids: NONE }], isLost: true };
    const isAsStored = bytes.length === ref.size && (ref.sha256 === undefined ? this.#isHeaderWhole(directory, bytes) : sha256(bytes).toString('hex') === ref.sha256);
    const opener = this.#openers[ref.name.startsWith('packs/meta/') ? 'tree' : 'frame'];
    const problems = directory.frames.flatMap((frame) => this.#checkFrame(opener, directory, frame, bytes));
    const outside = isAsStored || problems.length > 0 ? undefined : this.#problemOutsideFrames(directory, bytes);
    return { problems: outside === undefined ? problems : [{ problem: outside, ids: NONE }], isLost: false };
  }

  #directory(name: string, bytes: Uint8Array): PackDirectory | string {
    try {
      return directoryOf(this.#keys, name, bytes);
    } catch (error) {
      // A key that this reader lacks says nothing about the pack: `wrong-key` is for whoever knows which keys there are.
      if (!isHoldfastError(error) || !['damaged', 'unsupported-version'].includes(error.code)) throw error;
      return error.message;
    }
  }

  #checkFrame(opener: FrameOpener, { cipher, name }: PackDirectory, frame: FrameInfo, pack: Uint8Array): PackProblem[] {
    // The directory is sealed, so its key number is true: without that key nothing can be said about the frame.
    if (!opener.subkeys[frame.keyNumber]) this.#keys.subkey(opener.kind, frame.keyNumber);
    const sealed = pack.subarray(frame.offset, frame.offset + frame.sealedLength);
    let raw: Uint8Array;
    try {
      raw = openFrame(opener, cipher, frame, sealed, name, { isChecked: false, scratch: this.#scratch });
    } catch (error) {
      if (!isHoldfastError(error, 'damaged')) throw error;
      return [{ problem: error.message, ids: Buffer.concat(frame.chunks.map(({ id }) => id)) }];
    }
    const wrong = wrongChunks(frame, raw);
    releaseBytes(raw);
    return wrong.length === 0 ? [] : [{ problem: `The frame at byte ${frame.offset} of ${name} opens and ${wrong.length} of its chunks are not what their ids say`, ids: Buffer.concat(wrong) }];
  }

  #problemOutsideFrames(directory: PackDirectory, bytes: Uint8Array): string {
    return `its digest is not the one in the refs, every frame in it is whole: its ${this.#isHeaderWhole(directory, bytes) ? 'footer' : 'header'} was altered`;
  }

  #isHeaderWhole({ cipher }: PackDirectory, bytes: Uint8Array): boolean {
    const header = Buffer.from(bytes.subarray(0, HEADER_BYTES));
    return this.#keys.keys.pairs.some(({ number }) => packHeader(cipher, number).equals(header));
  }
}

function wrongChunks(frame: FrameInfo, raw: Uint8Array): Uint8Array[] {
  const wrong: Uint8Array[] = [];
  let offset = 0;
  for (const { id, length } of frame.chunks) {
    if (!sha256(raw.subarray(offset, offset + length)).equals(id)) wrong.push(id);
    offset += length;
  }
  return wrong;
}
