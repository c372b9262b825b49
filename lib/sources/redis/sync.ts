import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { nudgeReaders } from '../nudge.ts';
import { makePipe } from '../pipe.ts';
import type { OpenStream, StreamProof, StreamSeen } from '../source.ts';
import { openRedisLink } from './connection.ts';
import { brokenConnection, redisFailure } from './failures.ts';
import { framingOf } from './framing.ts';
import type { Framing } from './framing.ts';
import { SILENCE_SECONDS } from './link.ts';
import type { RedisLink } from './link.ts';
import { serverName } from './place.ts';
import type { RedisConnection } from './place.ts';
import { RdbReader } from './rdb.ts';
import type { RdbSummary } from './rdb.ts';
import { RedisError } from './resp.ts';

export interface SnapshotOrder {
  readonly connection: RedisConnection;
  readonly minimumBytes: number;
  /** For a pipe; never for data. */
  readonly temporaryFolder: string;
}

/**
 * Newer than any server: Valkey 9 and newer write for a replica that does not say what it is in the format of version 7, which
 * cannot hold fields that expire. Redis does not know the word.
 */
const NEWEST = '99.0.0';

/** What a replica says of itself, as far as a server knows the words: what it does not know is answered with an error. */
const ABOUT_US = [['capa', 'eof'], ['capa', 'psync2'], ['version', NEWEST], ['rdb-only', '1']] as const;

/** Asks whether a snapshot could be had, without asking for one. */
export async function introduce(link: RedisLink): Promise<void> {
  for (const words of ABOUT_US) {
    const reply = await link.ask(['REPLCONF', ...words]);
    if (reply instanceof RedisError && !/^ERR (unrecognized|unknown) REPLCONF option/i.test(reply.words)) throw redisFailure(reply.words, link.connection);
  }
}

/** The snapshot that a replica gets, from its first byte to the proof of its last. Fails as `source-failed`, `permission`, `busy`. */
export async function openSnapshot(order: SnapshotOrder, signal: AbortSignal): Promise<OpenStream> {
  const link = await openRedisLink(order.connection, signal);
  try {
    await introduce(link);
    link.send(['PSYNC', '?', '-1']);
    const answer = await link.line();
    const [, id, offset] = /^\+FULLRESYNC ([0-9a-f]{40}) (\d+)$/.exec(answer) ?? [];
    if (id === undefined) throw redisFailure(answer.replace(/^-/, ''), order.connection);
    const announced = await link.line();
    if (announced.startsWith('-')) throw redisFailure(announced.slice(1), order.connection);
    const framing = framingOf(announced);
    // Before anything is waited for: nothing collects what comes then.
    const detached = link.detach();
    const pipe = await makePipe(order.temporaryFolder);
    const out = new Socket({ fd: pipe.writeEnd, readable: false, writable: true });
    return new Snapshot(order, { ...detached, framing, out, fd: pipe.readEnd, position: `replication offset ${offset}` }, signal);
  } catch (error) {
    link.close();
    throw error;
  }
}

interface Transfer {
  readonly socket: Socket;
  readonly begun: Buffer;
  readonly framing: Framing;
  readonly out: Socket;
  readonly fd: number;
  readonly position: string;
}

class Snapshot implements OpenStream {
  readonly fd: number;
  readonly #order: SnapshotOrder;
  readonly #transfer: Transfer;
  readonly #signal: AbortSignal;
  readonly #rdb = new RdbReader();
  readonly #transferred: Promise<unknown>;
  readonly #onAbort = () => this.#stop();
  #isProved = false;
  #isClosed = false;

  constructor(order: SnapshotOrder, transfer: Transfer, signal: AbortSignal) {
    [this.#order, this.#transfer, this.#signal, this.fd] = [order, transfer, signal, transfer.fd];
    signal.addEventListener('abort', this.#onAbort, { once: true });
    transfer.out.on('error', () => undefined);
    // An error is kept for `finish`: what a reader sees is the end of the pipe.
    this.#transferred = this.#pump().then(() => undefined, (error: unknown) => error ?? new Error('stopped')).finally(() => {
      transfer.socket.destroy();
      transfer.out.destroySoon();
    });
    if (signal.aborted) this.#onAbort();
  }

  async finish({ bytes }: StreamSeen): Promise<StreamProof> {
    const { connection, minimumBytes } = this.#order;
    const failure = await this.#transferred;
    if (this.#signal.aborted) throw new HoldfastError('interrupted', `The snapshot of ${serverName(connection)} was stopped after ${bytes} bytes.`, { cause: this.#signal.reason });
    if (failure !== undefined) throw this.#failed(failure, bytes);
    const summary = this.#summary(bytes);
    if (bytes !== this.#rdb.total) throw this.#complaint(`${bytes} bytes of the snapshot were read, ${this.#rdb.total} came`);
    if (bytes < minimumBytes) throw this.#complaint(`the snapshot has ${bytes} bytes, wanted at least ${minimumBytes}`);
    this.#isProved = true;
    return { bytes, evidence: this.#evidence(summary), warnings: warningsOn(summary) };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (!this.#isProved) this.#stop();
    await this.#transferred;
    closeSync(this.fd);
  }

  async #pump(): Promise<void> {
    const { socket, begun, framing, out } = this.#transfer;
    socket.setTimeout(SILENCE_SECONDS * 1000, () => {
      // Nor does the server speak while the reader does not read.
      if (!out.writableNeedDrain) socket.destroy(new Error(`the server said nothing for ${SILENCE_SECONDS} seconds`));
    });
    await this.#take(begun);
    if (framing.isEnded) return;
    for await (const chunk of socket) {
      await this.#take(chunk as Buffer);
      if (framing.isEnded) return;
    }
    throw new Error('the server closed it before the end of the snapshot');
  }

  async #take(chunk: Buffer): Promise<void> {
    const { framing, out } = this.#transfer;
    const body = framing.take(chunk);
    this.#rdb.push(body);
    if (body.length === 0 || out.write(body)) return;
    await new Promise<void>((resolve) => out.once('drain', resolve).once('close', resolve));
    if (out.destroyed) throw new Error('nobody reads it any more');
  }

  #summary(bytes: number): RdbSummary {
    try {
      return this.#rdb.end();
    } catch (error) {
      throw this.#failed(error, bytes);
    }
  }

  #failed(failure: unknown, bytes: number): HoldfastError {
    if (isHoldfastError(failure)) return this.#complaint(`what came is no whole snapshot. ${failure.message}`, failure);
    const broken = brokenConnection((failure as Error).message, this.#order.connection);
    return new HoldfastError('source-failed', `${broken.message} ${bytes} bytes of the snapshot had come.`, { nextStep: `Nothing of this run is kept. ${broken.nextStep}`, retryable: true, cause: failure });
  }

  #complaint(why: string, cause?: unknown): HoldfastError {
    return new HoldfastError('source-failed', `Of ${serverName(this.#order.connection)}: ${why}`, { nextStep: 'Nothing of this run is kept. Start the backup again; when it comes back, see the log of the server.', cause });
  }

  #evidence({ version, facts, keys, functions, isChecksummed }: RdbSummary): string[] {
    const { framing, position } = this.#transfer;
    const valkey = facts.get('valkey-ver');
    const counts = [...keys].map(([database, count]) => `db${database} ${count}`).join(', ') || 'none';
    return [
      `server ${valkey === undefined ? `Redis ${facts.get('redis-ver') ?? '(version not said)'}` : `Valkey ${valkey}`}, RDB version ${version}`,
      `${framing.proof}${isChecksummed ? ' and the CRC64 at its end right' : ''}`,
      `keys: ${counts}${functions > 0 ? `; libraries of functions: ${functions}` : ''}`,
      position,
    ];
  }

  /** A reader that waits goes on: the pipe has no writer then. */
  #stop(): void {
    const { socket, out, fd } = this.#transfer;
    socket.destroy(new Error('stopped'));
    out.destroy();
    nudgeReaders(fd);
  }
}

function warningsOn({ isChecksummed, unknownType }: RdbSummary): string[] {
  return [
    ...(isChecksummed ? [] : ['the server writes no checksum into its snapshots (rdbchecksum no), so that only their end was proved']),
    ...(unknownType === undefined ? [] : [`the snapshot has values of type ${unknownType}, which this Holdfast does not know: keys were not counted to the end, and they can be restored by a server that loads the file alone`]),
  ];
}

