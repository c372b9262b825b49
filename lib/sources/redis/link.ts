import type { Socket } from 'node:net';
import { HoldfastError } from '../../model/errors.ts';
import { brokenConnection, stopped } from './failures.ts';
import { isEncrypted } from './place.ts';
import type { RedisConnection } from './place.ts';
import { encodeCommand, parseReply } from './resp.ts';
import type { Reply } from './resp.ts';

/** While a snapshot is prepared a server says something every second, so that this much silence is no waiting any more. */
export const SILENCE_SECONDS = 60;

/** One connection to a server, on which commands are answered in their order, until it becomes a stream (`detach`). */
export class RedisLink {
  readonly connection: RedisConnection;
  readonly #socket: Socket;
  readonly #signal: AbortSignal | undefined;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #hasAnswered = false;
  /** Nobody expects a word of a server that was asked nothing. */
  #isWaiting = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;
  readonly #onAbort = () => this.#signal && this.#fail(stopped(this.connection, this.#signal));
  readonly #onData = (chunk: Buffer) => {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    this.#hasAnswered = true;
    this.#wake();
  };
  readonly #onError = (error: Error) => this.#fail(brokenConnection(this.#why(error.message), this.connection));
  readonly #onEnd = () => this.#fail(brokenConnection(this.#why('the server closed it'), this.connection));
  readonly #onSilence = () => this.#isWaiting && this.#fail(brokenConnection(`the server said nothing for ${SILENCE_SECONDS} seconds`, this.connection));

  constructor(socket: Socket, connection: RedisConnection, signal: AbortSignal | undefined) {
    this.#socket = socket;
    this.connection = connection;
    this.#signal = signal;
    socket.on('data', this.#onData).on('error', this.#onError).on('end', this.#onEnd).on('close', this.#onEnd).on('timeout', this.#onSilence);
    socket.setTimeout(SILENCE_SECONDS * 1000);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
  }

  send(words: readonly (string | Buffer)[]): void {
    for (const piece of encodeCommand(words)) this.#socket.write(piece);
  }

  /** One question at a time: for several there is `askAll`. */
  ask(words: readonly (string | Buffer)[]): Promise<Reply> {
    this.send(words);
    return this.reply();
  }

  /** Several in one go, answered in their order. All of them lie in memory meanwhile: keep them few or small. */
  async askAll(commands: readonly (readonly (string | Buffer)[])[]): Promise<Reply[]> {
    this.#socket.cork();
    for (const words of commands) this.send(words);
    this.#socket.uncork();
    return this.#replies(commands.length);
  }

  /** The next one. Fails as `source-failed`, `interrupted`. */
  async reply(): Promise<Reply> {
    return (await this.#replies(1))[0] as Reply;
  }

  /** The next line that is not empty: empty ones are what a server that prepares a snapshot says meanwhile. */
  async line(): Promise<string> {
    let wanted = 1;
    for (;;) {
      const bytes = await this.#atLeast(wanted);
      const end = bytes.indexOf('\n');
      if (end > 64 * 1024) throw new HoldfastError('source-failed', 'The server answered more than a line, which is not the protocol of Redis.', { nextStep: 'Check host and port.' });
      if (end !== -1) this.#put(bytes.subarray(end + 1));
      else this.#put(bytes);
      wanted = end === -1 ? bytes.length + 1 : 1;
      const line = end === -1 ? '' : bytes.toString('utf8', 0, end).trim();
      if (line !== '') return line;
    }
  }

  /** The connection as a stream, with what came of it already; no more commands then. It is the caller's to destroy. */
  detach(): { readonly socket: Socket; readonly begun: Buffer } {
    const socket = this.#socket.pause();
    this.#letGo();
    socket.on('error', () => undefined);
    return { socket, begun: Buffer.concat(this.#chunks.splice(0)) };
  }

  /** Callable twice. */
  close(): void {
    this.#letGo();
    this.#socket.on('error', () => undefined).destroy();
  }

  #letGo(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#socket.off('data', this.#onData).off('error', this.#onError).off('end', this.#onEnd).off('close', this.#onEnd).off('timeout', this.#onSilence);
  }

  async #replies(count: number): Promise<Reply[]> {
    const replies: Reply[] = [];
    for (let wanted = 1; replies.length < count; ) {
      const bytes = await this.#atLeast(wanted);
      let [next, more] = [0, 1];
      while (replies.length < count) {
        const parsed = parseReply(bytes, next);
        if ('wanted' in parsed) {
          more = parsed.wanted - next;
          break;
        }
        replies.push(parsed.reply);
        next = parsed.next;
      }
      this.#put(bytes.subarray(next));
      wanted = more;
    }
    return replies;
  }

  async #atLeast(wanted: number): Promise<Buffer> {
    while (this.#length < wanted) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#isWaiting = true;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#isWaiting = false;
    }
    this.#length = 0;
    return Buffer.concat(this.#chunks.splice(0));
  }

  #put(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#chunks.unshift(rest);
    this.#length += rest.length;
  }

  #why(seen: string): string {
    return this.#hasAnswered || isEncrypted(this.connection) ? seen : `${seen}, before any answer: so does a server that wants TLS (ssl-mode)`;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}
