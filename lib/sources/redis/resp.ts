import { HoldfastError } from '../../model/errors.ts';

/** What a server answers (RESP2); an error is an answer, too. */
export type Reply = string | number | Buffer | null | RedisError | readonly Reply[];

/** The server's own words, such as `NOPERM this user has no permissions to run the 'psync' command`. */
export class RedisError {
  readonly words: string;

  constructor(words: string) {
    this.words = words;
  }
}

/** Values from this size on are sent as they lie, and not copied once more. */
const LARGE_BYTES = 256 * 1024;

/** One command, in pieces to be sent one after another; most are one piece. */
export function encodeCommand(words: readonly (string | Buffer)[]): Buffer[] {
  const pieces: Buffer[] = [];
  let small: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === 'string' ? Buffer.from(word) : word;
    small.push(Buffer.from(`$${bytes.length}\r\n`));
    if (bytes.length >= LARGE_BYTES) {
      pieces.push(Buffer.concat(small), bytes);
      small = [];
    } else small.push(bytes);
    small.push(LINE_END);
  }
  return [...pieces, Buffer.concat(small)];
}

const LINE_END = Buffer.from('\r\n');

/** How many bytes there must be at least to go on; a whole reply otherwise, and where the next begins. */
export type Parsed = { readonly wanted: number } | { readonly reply: Reply; readonly next: number };

/** The reply that begins at `from`. */
export function parseReply(bytes: Buffer, from = 0): Parsed {
  const lineEnd = bytes.indexOf('\r\n', from, 'latin1');
  if (lineEnd === -1) return { wanted: bytes.length + 1 };
  const [kind, line, next] = [bytes.toString('latin1', from, from + 1), bytes.toString('utf8', from + 1, lineEnd), lineEnd + 2];
  switch (kind) {
    case '+': return { reply: line, next };
    case '-': return { reply: new RedisError(line), next };
    case ':': return { reply: Number(line), next };
    case '$': return parseBulk(bytes, Number(line), next);
    case '*': return parseArray(bytes, Number(line), next);
    default: throw new HoldfastError('source-failed', `The server answered ${JSON.stringify(`${kind}${line}`.slice(0, 60))}, which is not the protocol of Redis.`, { nextStep: 'Check host and port, and whether the server wants TLS (ssl-mode).' });
  }
}

function parseBulk(bytes: Buffer, length: number, from: number): Parsed {
  if (length < 0) return { reply: null, next: from };
  const next = from + length + 2;
  return bytes.length < next ? { wanted: next } : { reply: bytes.subarray(from, from + length), next };
}

function parseArray(bytes: Buffer, count: number, from: number): Parsed {
  const replies: Reply[] = [];
  let next = from;
  while (replies.length < count) {
    const parsed = parseReply(bytes, next);
    if ('wanted' in parsed) return parsed;
    replies.push(parsed.reply);
    next = parsed.next;
  }
  return { reply: count < 0 ? null : replies, next };
}
