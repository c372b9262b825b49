import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';
import { CODECS, Scratch, openFrame, releaseBytes } from '../repository/index.ts';
import type { CipherName, FrameInfo, FrameOpener } from '../repository/index.ts';
import { OrderedThread, idlest, ownedBuffers } from './ordered-thread.ts';

/** A sealed frame that is to be opened, and its pack's name for messages. */
export interface FrameJob {
  readonly pack: string;
  readonly cipher: CipherName;
  readonly frame: FrameInfo;
  readonly sealed: Uint8Array;
}

export type FrameAnswer = { readonly raw: Uint8Array } | { readonly error: { readonly code: ErrorCode; readonly message: string; readonly nextStep: string | undefined } };

/** Opens frames and proves each chunk in them against its id. */
export interface FramePool {
  /** Frames worth having under way beside the one that is used: 0 opens each when it is wanted. */
  readonly width: number;
  /** Takes the sealed bytes over. Fails as `damaged`. */
  open(job: FrameJob): Promise<Uint8Array>;
  /** Takes an opened frame back when nobody looks at it any more: its memory is released at once. */
  giveBack(raw: Uint8Array): void;
  close(): Promise<void>;
}

export function inlineFramePool(opener: FrameOpener): FramePool {
  return { width: 0, open: async ({ cipher, frame, sealed, pack }) => openFrame(opener, cipher, frame, sealed, pack), giveBack: () => undefined, close: async () => undefined };
}

/** With threads of the restoring kind. */
export function threadFramePool(workerUrl: URL | string, threads: number, opener: FrameOpener): FramePool {
  const members = Array.from({ length: threads }, () => new OrderedThread<FrameAnswer>(workerUrl, { opener, provesChunks: true }));
  return {
    width: threads,
    open: async (job) => {
      const answer = await idlest(members).ask(job, ownedBuffers(job.sealed));
      if ('raw' in answer) return answer.raw;
      const { code, message, nextStep } = answer.error;
      throw new HoldfastError(code, message, nextStep === undefined ? {} : { nextStep });
    },
    giveBack: releaseBytes,
    close: async () => void (await Promise.all(members.map((member) => member.close()))),
  };
}

/** Holds what is decompressed from it; an answer that lay there could not be handed over. */
const scratch = new Scratch();

/** What a thread does with a job. */
export function answerFrameJob({ cipher, frame, sealed, pack }: FrameJob, opener: FrameOpener): FrameAnswer {
  try {
    const raw = openFrame(opener, cipher, frame, sealed, pack, frame.codec === CODECS.raw ? {} : { scratch });
    releaseBytes(sealed);
    return { raw };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { error: { code: error.code, message: error.message, nextStep: error.nextStep } };
  }
}
