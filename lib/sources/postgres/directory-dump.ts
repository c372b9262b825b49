import { closeSync, openSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fromText } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { checkFreeSpace, makeScratch, sweepScratch } from '../scratch.ts';
import type { OpenStream, SourceStream, StreamAttributes, StreamProof, StreamSeen } from '../source.ts';
import type { CountedDumpOrder } from './counted-dump.ts';
import { dumpSwitches } from './choice.ts';
import { describeConnection } from './connection.ts';
import { countsInWords, databaseFacts, reasonOf } from './row-counts.ts';
import type { DatabaseFacts } from './row-counts.ts';
import { runProgram, tooSmall } from './run-program.ts';
import { SnapshotSession } from './snapshot-session.ts';

export interface DirectoryDumpOrder extends CountedDumpOrder {
  /** Connections of pg_dump that copy tables at the same time. */
  readonly jobs: number;
  /** The whole dump lies below it in plain until it is stored. */
  readonly scratchFolder: string;
  /** Folder of the entries. */
  readonly name: string;
  readonly attributes: StreamAttributes;
}

/** The table of contents: what is proved of the whole is told with it, so it comes last. */
const CONTENTS = 'toc.dat';

/**
 * Dumps in directory format, with parallel workers that share one snapshot, and then gives its files one after another.
 * pg_restore reads the whole directory meanwhile, to its end; the last file ends well only when that did. Fails as
 * `no-space` before anything is dumped when the scratch folder cannot hold it.
 */
export async function* directoryStreams(order: DirectoryDumpOrder, signal: AbortSignal): AsyncGenerator<SourceStream> {
  const { clock, opened, rowCounts } = order;
  await sweepScratch(order.scratchFolder, clock.now());
  const place = await makeScratch(order.scratchFolder);
  let snapshot: SnapshotSession | undefined;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  try {
    snapshot = await SnapshotSession.open({ ...order, signal: undefined }, { ...order, signal });
    if (order.content !== 'schema') await checkFreeSpace(place, await snapshot.dataBytes(), `The dump of ${describeConnection(order.connection)} in directory format`);
    const counting = rowCounts === 'none' || order.content === 'schema' ? undefined : databaseFacts(snapshot, rowCounts);
    counting?.catch(() => undefined); // Told when the dump has ended, whose own reason comes first.
    const folder = join(place, 'dump');
    await dump(order, folder, snapshot.id, signal).catch(async (error: unknown) => { throw await reasonOf(error, counting); });
    const proving = prove(order, folder, either);
    proving.catch(() => undefined);
    const whole = async () => ({ ...(await proving), counted: await counting });
    const files = await filesIn(folder);
    refuseTooSmall(order, files.reduce((sum, { size }) => sum + size, 0));
    for (const { name, size } of files) {
      const path = join(folder, name);
      yield { name: fromText(`${order.name}/${name}`), attributes: order.attributes, sizeHint: size, open: () => openFile(order, { path, name, size, whole }) };
    }
  } finally {
    stop.abort();
    await snapshot?.close();
    await opened.remove();
    await rm(place, { recursive: true, force: true });
  }
}

async function dump(order: DirectoryDumpOrder, folder: string, snapshot: string, signal: AbortSignal): Promise<void> {
  const { client, opened, jobs } = order;
  await runProgram([client.pgDump, '--format=directory', `--jobs=${jobs}`, '--no-sync', `--file=${folder}`, ...dumpSwitches({ ...order, snapshot }), '--dbname', opened.argument], { ...order, doing: 'The dump of', signal });
}

async function prove(order: DirectoryDumpOrder, folder: string, signal: AbortSignal): Promise<{ readonly evidence: readonly string[] }> {
  const { client, server, jobs } = order;
  await runProgram([client.pgRestore, '--format=directory', '--file=/dev/null', folder], { ...order, doing: 'Reading every byte, to prove it whole, of the dump of', signal });
  return { evidence: [`server ${server.text}`, `pg_dump ${client.version.text} with ${jobs} jobs exit code 0`, `pg_restore ${client.version.text} read every file to its end, exit code 0`] };
}

function refuseTooSmall({ connection, minimumBytes }: DirectoryDumpOrder, bytes: number): void {
  if (bytes >= minimumBytes) return;
  throw tooSmall(connection, bytes, minimumBytes);
}

async function filesIn(folder: string): Promise<{ readonly name: string; readonly size: number }[]> {
  const names = (await readdir(folder)).sort((left, right) => Number(left === CONTENTS) - Number(right === CONTENTS) || (left < right ? -1 : 1));
  return Promise.all(names.map(async (name) => ({ name, size: (await stat(join(folder, name))).size })));
}

interface DumpedFile {
  readonly path: string;
  readonly name: string;
  readonly size: number;
  readonly whole: () => Promise<{ readonly evidence: readonly string[]; readonly counted: DatabaseFacts | undefined }>;
}

async function openFile({ connection }: DirectoryDumpOrder, { path, name, size, whole }: DumpedFile): Promise<OpenStream> {
  const fd = openSync(path, 'r');
  let isClosed = false;
  return {
    fd, size,
    async finish({ bytes }: StreamSeen): Promise<StreamProof> {
      if (bytes !== size) throw new HoldfastError('source-failed', `${name} of the dump of ${describeConnection(connection)} has ${bytes} bytes, wanted ${size}: something else wrote into the scratch folder.`, { nextStep: 'Nothing of this run is kept. Start the backup again.' });
      if (name !== CONTENTS) return { bytes, evidence: [] };
      const { evidence, counted } = await whole();
      return { bytes, evidence: counted === undefined ? evidence : [...evidence, countsInWords(counted.tables)], ...counted };
    },
    async close(): Promise<void> {
      if (isClosed) return;
      isClosed = true;
      closeSync(fd);
    },
  };
}
