import { closeSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { nudgeReaders } from '../nudge.ts';
import { OutputTail } from '../output-tail.ts';
import { makePipe } from '../pipe.ts';
import type { Pipe } from '../pipe.ts';
import { ProcessGroup } from '../process-group.ts';
import type { ProcessEnd } from '../process-group.ts';
import type { OpenStream, StreamProof, StreamSeen } from '../source.ts';
import { dumpSwitches } from './choice.ts';
import type { DumpSwitches } from './choice.ts';
import type { PostgresClient, PostgresVersion } from './client.ts';
import { describeConnection } from './connection.ts';
import type { OpenedConnection, PostgresConnection } from './connection.ts';
import { knownFailure } from './failures.ts';
import { howItEnded, tooSmall } from './run-program.ts';

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

interface Process {
  readonly name: string;
  readonly group: ProcessGroup;
  readonly said: OutputTail;
}

/** To whoever writes into a pipe that nobody reads any more; it ends at its next write. */
const GRACE_MILLISECONDS = 2000;

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
    const processes = startProcesses(order, dumped, kept, checked);
    return new CheckedDump(order, processes, kept.readEnd, signal);
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

function startProcesses(order: DumpOrder, dumped: Pipe, kept: Pipe, checked: Pipe): readonly [Process, Process, Process] {
  const { client, connection, opened, clock } = order;
  const start = (program: readonly string[], descriptors: { readonly stdout: number | 'ignore'; readonly stdin?: number; readonly third?: number }): Process => {
    const said = new OutputTail(connection.password === undefined ? [] : [connection.password]);
    const group = new ProcessGroup(program, { ...descriptors, environment: opened.environment, folder: undefined, onStderr: (bytes) => said.add(bytes) }, clock);
    return { name: program[0]?.split('/').at(-1) ?? '', group, said };
  };
  return [
    start([client.pgDump, '--format=custom', ...dumpSwitches(order), '--dbname', opened.argument], { stdout: dumped.writeEnd }),
    start(['tee', '/dev/fd/3'], { stdin: dumped.readEnd, stdout: kept.writeEnd, third: checked.writeEnd }),
    start([client.pgRestore, '--format=custom', '--file=/dev/null'], { stdin: checked.readEnd, stdout: 'ignore' }),
  ];
}

class CheckedDump implements OpenStream {
  readonly fd: number;
  readonly #order: DumpOrder;
  readonly #processes: readonly [Process, Process, Process];
  readonly #signal: AbortSignal;
  readonly #onAbort = () => void this.#end();
  #isDumpEndedByUs = false;
  #isFinished = false;
  #isClosed = false;

  constructor(order: DumpOrder, processes: readonly [Process, Process, Process], fd: number, signal: AbortSignal) {
    this.fd = fd;
    this.#order = order;
    this.#processes = processes;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
    for (const { group } of processes.slice(1)) void group.ended.then((end) => (end.code === 0 ? undefined : this.#endDumpSoon()));
  }

  async finish({ bytes }: StreamSeen): Promise<StreamProof> {
    const { client, server, connection, minimumBytes } = this.#order;
    const ends = await Promise.all(this.#processes.map(({ group }) => group.ended));
    if (this.#signal.aborted) throw new HoldfastError('interrupted', `The dump of ${describeConnection(connection)} was stopped after ${bytes} bytes.`, { cause: this.#signal.reason });
    const guilty = this.#guilty(ends);
    if (guilty !== undefined) throw this.#failed(this.#processes[guilty] as Process, ends[guilty] as ProcessEnd, bytes);
    if (bytes < minimumBytes) throw tooSmall(connection, bytes, minimumBytes);
    this.#isFinished = true;
    return { bytes, evidence: [`server ${server.text}`, `pg_dump ${client.version.text} exit code 0`, `pg_restore ${client.version.text} read the archive to its end, exit code 0`] };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (!this.#isFinished) await this.#end();
    closeSync(this.fd);
    await this.#order.opened.remove();
  }

  async #end(): Promise<void> {
    await Promise.all(this.#processes.map(({ group }) => group.kill()));
    nudgeReaders(this.fd);
  }

  /** Also when it waits for the server and will not write for long. */
  async #endDumpSoon(): Promise<void> {
    const { group } = this.#processes[0];
    const stop = new AbortController();
    const hasEnded = group.ended.then(() => true);
    const isLate = this.#order.clock.sleep(GRACE_MILLISECONDS, stop.signal).then(() => false, () => true);
    if (!(await Promise.race([hasEnded, isLate]))) {
      this.#isDumpEndedByUs = true;
      await group.kill();
    }
    stop.abort();
  }

  /** The one that failed by itself: each failure brings down what is before and behind it in the pipe. */
  #guilty(ends: readonly ProcessEnd[]): number | undefined {
    const [dump, tee, restore] = ends.map((end) => end.code !== 0);
    const isVictim = this.#isDumpEndedByUs || ends[0]?.signal === 'SIGPIPE' || /Broken pipe/.test(this.#processes[0].said.text());
    if (dump && !isVictim) return 0;
    // A tee that was killed cuts the archive for pg_restore, too.
    if (tee && ends[1]?.signal !== 'SIGPIPE') return 1;
    if (restore && ends[2]?.signal !== 'SIGPIPE') return 2;
    return tee ? 1 : dump ? 0 : undefined;
  }

  #failed({ name, said }: Process, end: ProcessEnd, bytes: number): HoldfastError {
    const { connection } = this.#order;
    const text = said.text();
    const known = name === 'pg_dump' ? knownFailure(text, connection) : undefined;
    if (known !== undefined) return known;
    const role = name === 'pg_dump' ? '' : ', which reads every byte of the dump to prove it whole,';
    const message = `${name}${role} ${howItEnded(end)} after ${bytes} bytes of ${describeConnection(connection)}, wanted exit code 0.${text === '' ? '' : ` It said: ${text}`}`;
    return new HoldfastError('source-failed', message, { nextStep: 'Nothing of this run is kept. Mend what it says, and start the backup again.', cause: end.startError });
  }
}
