import { closeSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { OpenedConnection } from '../opened-connection.ts';
import { makePipe } from '../pipe.ts';
import type { Pipe } from '../pipe.ts';
import type { ProcessEnd } from '../process-group.ts';
import { howItEnded, isOver, startProgram } from '../program.ts';
import type { Program, ProgramOptions } from '../program.ts';
import { ProgramStream } from '../program-stream.ts';
import type { OpenStream, StreamProof, StreamSeen } from '../source.ts';
import { dumpSwitches } from './choice.ts';
import type { DumpSwitches } from './choice.ts';
import type { PostgresClient, PostgresVersion } from './client.ts';
import { describeConnection, secretsOf } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
import { knownFailure } from './failures.ts';
import { tooSmall } from './run-program.ts';

export interface DumpOrder extends DumpSwitches {
  readonly client: PostgresClient;
  readonly server: PostgresVersion;
  readonly connection: PostgresConnection;
  /** Removed when the dump is closed. */
  readonly opened: OpenedConnection;
  readonly minimumBytes: number;
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

/**
 * Starts pg_dump and, behind it, the proof that its archive is whole:
 *
 *     pg_dump ── pipe ──> tee ── pipe ──> whoever reads `fd`
 *                          └──── pipe ──> pg_restore -f /dev/null
 *
 * pg_restore reads the same bytes while they pass, to their end; `pg_restore -l` would accept half an archive. Nothing
 * touches the disk. Fails as `source-failed`.
 */
export async function openCheckedDump(order: DumpOrder, signal: AbortSignal): Promise<OpenStream> {
  const pipes: Pipe[] = [];
  try {
    for (let made = 0; made < 3; made++) pipes.push(await makePipe(order.temporaryFolder));
    signal.throwIfAborted();
    const [dumped, kept, checked] = pipes as [Pipe, Pipe, Pipe];
    return new CheckedDump(order, startPrograms(order, dumped, kept, checked), kept.readEnd, signal);
  } catch (error) {
    for (const { readEnd } of pipes.slice(1, 2)) closeSync(readEnd);
    await order.opened.remove();
    throw error;
  } finally {
    // The children have theirs; a writer left open here would hide the end of its pipe.
    for (const [index, { readEnd, writeEnd }] of pipes.entries()) {
      closeSync(writeEnd);
      if (index !== 1) closeSync(readEnd);
    }
  }
}

function startPrograms(order: DumpOrder, dumped: Pipe, kept: Pipe, checked: Pipe): Programs {
  const { client, connection, opened, clock } = order;
  const start = (words: readonly string[], descriptors: Pick<ProgramOptions, 'stdin' | 'stdout' | 'third'>) => startProgram(words, { ...descriptors, environment: opened.environment, secrets: secretsOf(connection), clock });
  return [
    start([client.pgDump, '--format=custom', ...dumpSwitches(order), '--dbname', opened.argument], { stdout: dumped.writeEnd }),
    start(['tee', '/dev/fd/3'], { stdin: dumped.readEnd, stdout: kept.writeEnd, third: checked.writeEnd }),
    start([client.pgRestore, '--format=custom', '--file=/dev/null'], { stdin: checked.readEnd, stdout: 'ignore' }),
  ];
}

/** pg_dump, tee, pg_restore. */
type Programs = readonly [Program, Program, Program];

class CheckedDump implements OpenStream {
  readonly fd: number;
  readonly #order: DumpOrder;
  readonly #programs: Programs;
  readonly #stream: ProgramStream;
  #isDumpEndedByUs = false;

  constructor(order: DumpOrder, programs: Programs, fd: number, signal: AbortSignal) {
    this.fd = fd;
    this.#order = order;
    this.#programs = programs;
    this.#stream = new ProgramStream({ programs, fd, what: `The dump of ${describeConnection(order.connection)}`, signal, release: () => order.opened.remove() });
    for (const { group } of programs.slice(1)) void group.ended.then((end) => (end.code === 0 ? undefined : this.#endDumpSoon()));
  }

  async finish({ bytes }: StreamSeen): Promise<StreamProof> {
    const { client, server, connection, minimumBytes } = this.#order;
    const ends = await this.#stream.ends();
    this.#stream.throwIfStopped(bytes);
    const guilty = this.#guilty(ends);
    if (guilty !== undefined) throw this.#failed(this.#programs[guilty] as Program, ends[guilty] as ProcessEnd, bytes);
    if (bytes < minimumBytes) throw tooSmall(connection, bytes, minimumBytes);
    this.#stream.markProved();
    return { bytes, evidence: [`server ${server.text}`, `pg_dump ${client.version.text} exit code 0`, `pg_restore ${client.version.text} read the archive to its end, exit code 0`] };
  }

  close(): Promise<void> {
    return this.#stream.close();
  }

  /** Also when it waits for the server and will not write for long. */
  async #endDumpSoon(): Promise<void> {
    const [dump] = this.#programs;
    if (await isOver(dump, this.#order.clock)) return;
    this.#isDumpEndedByUs = true;
    await dump.group.kill();
  }

  /** The one that failed by itself: each failure brings down what is before and behind it in the pipe. */
  #guilty(ends: readonly ProcessEnd[]): number | undefined {
    const [dump, tee, restore] = ends.map((end) => end.code !== 0);
    const isVictim = this.#isDumpEndedByUs || ends[0]?.signal === 'SIGPIPE' || /Broken pipe/.test(this.#programs[0].said.text());
    if (dump && !isVictim) return 0;
    // A tee that was killed cuts the archive for pg_restore, too.
    if (tee && ends[1]?.signal !== 'SIGPIPE') return 1;
    if (restore && ends[2]?.signal !== 'SIGPIPE') return 2;
    return tee ? 1 : dump ? 0 : undefined;
  }

  #failed({ name, said }: Program, end: ProcessEnd, bytes: number): HoldfastError {
    const { connection } = this.#order;
    const text = said.text();
    const known = name === 'pg_dump' ? knownFailure(text, connection) : undefined;
    if (known !== undefined) return known;
    const role = name === 'pg_dump' ? '' : ', which reads every byte of the dump to prove it whole,';
    const message = `${name}${role} ${howItEnded(end)} after ${bytes} bytes of ${describeConnection(connection)}, wanted exit code 0.${text === '' ? '' : ` It said: ${text}`}`;
    return new HoldfastError('source-failed', message, { nextStep: 'Nothing of this run is kept. Mend what it says, and start the backup again.', cause: end.startError });
  }
}
