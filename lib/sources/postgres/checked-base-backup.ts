import { closeSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { makePipe } from '../pipe.ts';
import type { Pipe } from '../pipe.ts';
import type { ProcessEnd } from '../process-group.ts';
import { howItEnded, isOver, startProgram } from '../program.ts';
import type { Program } from '../program.ts';
import { ProgramStream } from '../program-stream.ts';
import type { OpenStream, StreamProof, StreamSeen } from '../source.ts';
import { foundBy } from '../stream-inspection.ts';
import type { Inspected, Inspection } from '../stream-inspection.ts';
import { writtenFacts } from './base-backup-facts.ts';
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
 * Starts pg_basebackup. What it sends is proved whole by whoever reads it (`inspection`): the tar to its end, the SHA-256 of
 * every file, backup_manifest. Nothing touches the disk. Fails as `source-failed`.
 */
export async function openCheckedBaseBackup(order: BaseBackupOrder, signal: AbortSignal): Promise<OpenStream> {
  let pipe: Pipe | undefined;
  let sender: Program | undefined;
  try {
    pipe = await makePipe(order.temporaryFolder);
    signal.throwIfAborted();
    sender = startSender(order, pipe.writeEnd);
    return new CheckedBaseBackup(order, sender, pipe.readEnd, signal);
  } finally {
    // The child has its own; a writer left open here would hide the end of the pipe.
    if (pipe) closeSync(pipe.writeEnd);
    if (!sender) {
      if (pipe) closeSync(pipe.readEnd);
      await order.opened.remove();
    }
  }
}

function startSender({ client, connection, opened, wal, checkpoint, clock }: BaseBackupOrder, stdout: number): Program {
  // Plain tar: the engine compresses, and only equal plain bytes are found again by deduplication.
  const options = ['--pgdata=-', '--format=tar', `--wal-method=${wal}`, `--checkpoint=${checkpoint}`, '--manifest-checksums=SHA256', '--label=holdfast', '--no-password'];
  return startProgram([client.pgBasebackup, ...options, '--dbname', opened.argument], { stdout, environment: opened.environment, secrets: secretsOf(connection), clock });
}

class CheckedBaseBackup implements OpenStream {
  readonly fd: number;
  readonly inspection: Inspection;
  readonly #order: BaseBackupOrder;
  readonly #sender: Program;
  readonly #stream: ProgramStream;

  constructor(order: BaseBackupOrder, sender: Program, fd: number, signal: AbortSignal) {
    this.fd = fd;
    this.inspection = { by: 'postgres-base-backup', walSegmentBytes: order.wal === 'fetch' ? order.server.walSegmentBytes : undefined };
    this.#order = order;
    this.#sender = sender;
    this.#stream = new ProgramStream({ programs: [sender], fd, what: `The base backup of the server at ${serverName(order.connection)}`, signal, release: () => order.opened.remove() });
  }

  async finish({ bytes, inspected }: StreamSeen): Promise<StreamProof> {
    const { client, server, connection, minimumBytes, wal } = this.#order;
    // Nobody reads any more: a sender that has more to send would wait for ever. One whose output has ended has a last word.
    const isEndedByUs = inspected !== undefined && 'failure' in inspected && inspected.failure.isEarly && !(await isOver(this.#sender, this.#order.clock));
    if (isEndedByUs) await this.#sender.group.kill();
    const end = (await this.#stream.ends())[0] as ProcessEnd;
    this.#stream.throwIfStopped(bytes);
    if (end.code !== 0 && !isEndedByUs) throw this.#failed(end, bytes);
    const proof = this.#proved(inspected, bytes);
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

  #proved(inspected: Inspected | undefined, bytes: number): ProvedBaseBackup {
    try {
      return foundBy(inspected) as ProvedBaseBackup;
    } catch (cause) {
      if (!isHoldfastError(cause) || cause.code === 'broken-invariant') throw cause;
      throw new HoldfastError('source-failed', `What pg_basebackup sent of the server at ${serverName(this.#order.connection)} (${bytes} bytes) is no whole base backup: ${cause.message}`, { nextStep: NOTHING_KEPT, cause });
    }
  }

  #failed(end: ProcessEnd, bytes: number): HoldfastError {
    const { connection } = this.#order;
    const { name, said } = this.#sender;
    const text = said.text();
    return knownFailure(text, connection) ?? new HoldfastError('source-failed', `${name} ${howItEnded(end)} after ${bytes} bytes of the server at ${serverName(connection)}, wanted exit code 0.${text === '' ? '' : ` It said: ${text}`}`, { nextStep: NOTHING_KEPT, cause: end.startError });
  }
}
