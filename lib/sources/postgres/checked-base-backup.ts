import { closeSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { makePipe, readPipe } from '../pipe.ts';
import type { Pipe } from '../pipe.ts';
import type { ProcessEnd } from '../process-group.ts';
import { howItEnded, isOver, startProgram } from '../program.ts';
import type { Program, ProgramOptions } from '../program.ts';
import { ProgramStream } from '../program-stream.ts';
import type { OpenStream, StreamProof, StreamSeen } from '../source.ts';
import { writtenFacts } from './base-backup-facts.ts';
import { BaseBackupProof } from './base-backup-proof.ts';
import type { ProvedBaseBackup } from './base-backup-proof.ts';
import { serverTime } from './base-backup-server.ts';
import type { Asked, BaseBackupServer } from './base-backup-server.ts';
import { secretsOf, serverName } from './connection.ts';
import { knownFailure } from './failures.ts';

export interface BaseBackupOrder extends Asked {
  readonly server: BaseBackupServer;
  readonly wal: 'fetch' | 'none';
  readonly checkpoint: 'fast' | 'spread';
  readonly minimumBytes: number;
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

const NOTHING_KEPT = 'Nothing of this run is kept. Mend what it says, and start the backup again.';

/**
 * Starts pg_basebackup and, behind it, the proof that what it sends is whole:
 *
 *     pg_basebackup ── pipe ──> tee ── pipe ──> whoever reads `fd`
 *                                └──── pipe ──> this process: tar to its end, SHA-256 of every file, backup_manifest
 *
 * Nothing touches the disk. Fails as `source-failed`.
 */
export async function openCheckedBaseBackup(order: BaseBackupOrder, signal: AbortSignal): Promise<OpenStream> {
  const pipes: Pipe[] = [];
  let isStarted = false;
  try {
    for (let made = 0; made < 3; made++) pipes.push(await makePipe(order.temporaryFolder));
    signal.throwIfAborted();
    const [sent, kept, proved] = pipes as [Pipe, Pipe, Pipe];
    const programs = startPrograms(order, sent, kept, proved);
    isStarted = true;
    return new CheckedBaseBackup(order, programs, { kept: kept.readEnd, proved: proved.readEnd }, signal);
  } finally {
    // The children have theirs; a writer left open here would hide the end of its pipe.
    for (const [index, { readEnd, writeEnd }] of pipes.entries()) {
      closeSync(writeEnd);
      if (index === 0 || !isStarted) closeSync(readEnd);
    }
    if (!isStarted) await order.opened.remove();
  }
}

function startPrograms({ client, connection, opened, wal, checkpoint, clock }: BaseBackupOrder, sent: Pipe, kept: Pipe, proved: Pipe): Programs {
  const start = (words: readonly string[], descriptors: Pick<ProgramOptions, 'stdin' | 'stdout' | 'third'>) => startProgram(words, { ...descriptors, environment: opened.environment, secrets: secretsOf(connection), clock });
  // Plain tar: the engine compresses, and only equal plain bytes are found again by deduplication.
  const options = ['--pgdata=-', '--format=tar', `--wal-method=${wal}`, `--checkpoint=${checkpoint}`, '--manifest-checksums=SHA256', '--label=holdfast', '--no-password'];
  return [
    start([client.pgBasebackup, ...options, '--dbname', opened.argument], { stdout: sent.writeEnd }),
    start(['tee', '/dev/fd/3'], { stdin: sent.readEnd, stdout: proved.writeEnd, third: kept.writeEnd }),
  ];
}

/** pg_basebackup, tee. */
type Programs = readonly [Program, Program];

class CheckedBaseBackup implements OpenStream {
  readonly fd: number;
  readonly #order: BaseBackupOrder;
  readonly #programs: Programs;
  readonly #stream: ProgramStream;
  readonly #proof: Promise<ProvedBaseBackup | HoldfastError>;
  #isEndedByUs = false;

  constructor(order: BaseBackupOrder, programs: Programs, { kept: fd, proved }: { readonly kept: number; readonly proved: number }, signal: AbortSignal) {
    this.fd = fd;
    this.#order = order;
    this.#programs = programs;
    this.#stream = new ProgramStream({ programs, fd, what: `The base backup of the server at ${serverName(order.connection)}`, signal, release: () => order.opened.remove() });
    this.#proof = this.#prove(proved);
    // A tee that was killed leaves pg_basebackup writing into nothing.
    void programs[1].group.ended.then((end) => (end.code === 0 ? undefined : this.#stop()));
  }

  async finish({ bytes }: StreamSeen): Promise<StreamProof> {
    const { client, server, connection, minimumBytes, wal } = this.#order;
    const [sender, tee] = await this.#stream.ends() as [ProcessEnd, ProcessEnd];
    const proof = await this.#proof;
    this.#stream.throwIfStopped(bytes);
    if (sender.code !== 0 && !this.#isEndedByUs && sender.signal !== 'SIGPIPE') throw this.#failed(this.#programs[0], sender, bytes);
    if (isHoldfastError(proof)) throw new HoldfastError('source-failed', `What pg_basebackup sent of the server at ${serverName(connection)} (${bytes} bytes) is no whole base backup: ${proof.message}`, { nextStep: NOTHING_KEPT, cause: proof });
    if (tee.code !== 0) throw this.#failed(this.#programs[1], tee, bytes);
    if (sender.code !== 0) throw this.#failed(this.#programs[0], sender, bytes);
    if (proof.systemId !== server.systemId) throw new HoldfastError('source-failed', `The base backup is of the cluster ${proof.systemId}, and the server at ${serverName(connection)} said that it is ${server.systemId}: another one answered.`, { nextStep: 'Name one server, not an address behind which several take turns.' });
    if (bytes < minimumBytes) throw new HoldfastError('source-failed', `The base backup of the server at ${serverName(connection)} has ${bytes} bytes, wanted at least ${minimumBytes}.`, { nextStep: 'Nothing of this run is kept. Look whether the cluster still holds what it should, or lower minimum-size.' });
    const stoppedAt = await serverTime(this.#order);
    this.#stream.markProved();
    const { systemId, timeline, startLsn, stopLsn, startSegment } = proof;
    return {
      bytes,
      evidence: [
        `server ${server.version.text}`, `pg_basebackup ${client.version.text} exit code 0`,
        `tar read to its end: ${proof.files} files, each with the SHA-256 that the server wrote into backup_manifest`,
        `WAL from ${startLsn} to ${stopLsn} on timeline ${timeline}${wal === 'fetch' ? ', all of it in the backup' : ', none of it in the backup'}`,
      ],
      facts: writtenFacts({ systemId, timeline, startLsn, stopLsn, startSegment, walSegmentBytes: server.walSegmentBytes, serverVersion: server.version.text.replace(/ .*/, ''), startedAt: server.now, stoppedAt, hasWal: wal === 'fetch' }),
    };
  }

  close(): Promise<void> {
    return this.#stream.close();
  }

  /** Never rejects; ends the sender as soon as what it sends cannot become a base backup. */
  async #prove(fd: number): Promise<ProvedBaseBackup | HoldfastError> {
    const { wal, server } = this.#order;
    const proof = new BaseBackupProof();
    try {
      for await (const bytes of readPipe(fd)) proof.add(bytes);
      return proof.finish({ walSegmentBytes: wal === 'fetch' ? server.walSegmentBytes : undefined });
    } catch (error) {
      const isCut = this.#stream.isClosed || (await isOver(this.#programs[0], this.#order.clock));
      if (!isCut) await this.#stop();
      return isHoldfastError(error) ? error : new HoldfastError('source-failed', `Reading it failed: ${String(error)}`, { cause: error });
    }
  }

  async #stop(): Promise<void> {
    const [sender] = this.#programs;
    if (await isOver(sender, this.#order.clock)) return;
    this.#isEndedByUs = true;
    await sender.group.kill();
  }

  #failed({ name, said }: Program, end: ProcessEnd, bytes: number): HoldfastError {
    const { connection } = this.#order;
    const text = said.text();
    const known = name === 'tee' ? undefined : knownFailure(text, connection);
    return known ?? new HoldfastError('source-failed', `${name} ${howItEnded(end)} after ${bytes} bytes of the server at ${serverName(connection)}, wanted exit code 0.${text === '' ? '' : ` It said: ${text}`}`, { nextStep: NOTHING_KEPT, cause: end.startError });
  }
}
