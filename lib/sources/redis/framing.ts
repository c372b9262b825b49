import { HoldfastError } from '../../model/errors.ts';

const MARK_BYTES = 40;

/** Where a snapshot ends on the connection that brings it; what comes behind it is not its. */
export interface Framing {
  /** For people: what will prove the end. */
  readonly proof: string;
  /** What of these bytes certainly belongs to the snapshot. */
  take(chunk: Buffer): Buffer;
  readonly isEnded: boolean;
}

/** By the line before it: `$1234`, or `$EOF:` and forty bytes that follow on its end where a server does not know its length. */
export function framingOf(line: string): Framing {
  const mark = /^\$EOF:(.*)$/.exec(line)?.[1];
  if (mark?.length === MARK_BYTES) return new ByMark(Buffer.from(mark, 'latin1'));
  const length = /^\$(\d{1,16})$/.exec(line)?.[1];
  if (length !== undefined && Number(length) > 0) return new ByLength(Number(length));
  throw new HoldfastError('source-failed', `The server announced its snapshot with ${JSON.stringify(line.slice(0, 80))}, wanted $ and its length, or $EOF: and ${MARK_BYTES} bytes.`, { nextStep: 'Check host and port; nothing of this run is kept.' });
}

class ByLength implements Framing {
  readonly proof: string;
  #left: number;

  constructor(length: number) {
    this.#left = length;
    this.proof = `all ${length} bytes that were announced`;
  }

  get isEnded(): boolean {
    return this.#left === 0;
  }

  take(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, this.#left);
    this.#left -= part.length;
    return part;
  }
}

class ByMark implements Framing {
  readonly proof = 'the end mark seen';
  readonly #mark: Buffer;
  /** May be the mark, or its beginning. */
  #held: Buffer = Buffer.alloc(0);
  isEnded = false;

  constructor(mark: Buffer) {
    this.#mark = mark;
  }

  take(chunk: Buffer): Buffer {
    const all = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const cut = Math.max(0, all.length - MARK_BYTES);
    this.#held = all.subarray(cut);
    // A server says nothing more before it is asked: the mark is what came last.
    this.isEnded = this.#held.equals(this.#mark);
    return all.subarray(0, cut);
  }
}
