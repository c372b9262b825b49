import { closeSync, constants, existsSync, fchmodSync, fchownSync, fstatSync, openSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { fromText } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { makeMissingFolders } from '../../model/make-missing-folders.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import { BaseBackupProof } from '../../sources/postgres/base-backup-proof.ts';
import type { ProvedBaseBackup } from '../../sources/postgres/base-backup-proof.ts';
import { flushFileSystem } from '../flush.ts';
import { targetError } from '../restore-errors.ts';
import { finishDirectory } from './finish-directory.ts';
import { refuseFilled, tarIn } from './plan.ts';
import type { DataDirectoryOptions, DataDirectoryPlan } from './plan.ts';
import type { ServerProgram } from './server-program.ts';
import { startRecovered } from './start-server.ts';
import type { StartedServer } from './start-server.ts';
import { DirectoryWriter } from './write-directory.ts';
import type { Owner } from './write-directory.ts';

export interface DataDirectoryReport {
  readonly backup: string;
  readonly directory: string;
  readonly files: number;
  readonly bytes: number;
  /** Absent when nothing was to be started. */
  readonly server?: StartedServer;
  readonly warnings: readonly string[];
  readonly durationMilliseconds: number;
}

/**
 * Writes the data directory, proves every file against the server's own checksums, writes the settings of the recovery,
 * flushes, and starts the server when asked to. Whatever fails before the start leaves the directory empty again.
 */
export async function executeDataDirectoryRestore(reader: SnapshotReader, plan: DataDirectoryPlan, options: DataDirectoryOptions): Promise<DataDirectoryReport> {
  const { request, owner, program } = plan;
  const begun = options.clock.now();
  const proved = await intoEmpty(request.directory, owner, async () => {
    const writer = new DirectoryWriter(request.directory, owner);
    try {
      const contents = await extract(reader, plan, writer, options);
      await finishDirectory(writer, plan, contents);
      return contents;
    } finally {
      writer.close();
    }
  }, options.signal);
  const server = request.startPort === undefined || program === undefined ? undefined : await start(plan, program, request.startPort, options);
  return { backup: plan.backup, directory: request.directory, files: proved.files, bytes: proved.bytes, ...(server && { server }), warnings: plan.warnings, durationMilliseconds: options.clock.now() - begun };
}

async function extract(reader: SnapshotReader, { facts, bytes: totalBytes }: DataDirectoryPlan, writer: DirectoryWriter, { content, signal, onProgress }: DataDirectoryOptions): Promise<ProvedBaseBackup> {
  const proof = new BaseBackupProof(writer);
  let bytes = 0;
  for await (const part of content(reader, await tarIn(reader))) {
    if (signal.aborted) throw new HoldfastError('interrupted', 'The restore was stopped before the data directory was whole; what was written is removed again.', { cause: signal.reason });
    proof.add(part);
    bytes += part.length;
    onProgress?.({ phase: 'restoring', bytes, totalBytes });
  }
  const proved = proof.finish({ walSegmentBytes: facts.hasWal ? facts.walSegmentBytes : undefined });
  if (proved.systemId !== facts.systemId || proved.startLsn !== facts.startLsn) throw new HoldfastError('damaged', `The base backup holds the cluster ${proved.systemId} from ${proved.startLsn}, and its facts say ${facts.systemId} from ${facts.startLsn}.`, { nextStep: 'Run `holdfast verify --level full`, and restore another backup.' });
  return proved;
}

const ROOT = { uid: 0, gid: 0, mode: 0o700 };

/**
 * The directory is ours alone while `work` runs, and empty again and as it was when it fails. Its owner could put links
 * in the place of folders that root writes into: until all is there, it is root's.
 */
async function intoEmpty<T>(directory: string, owner: Owner | undefined, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const isNew = !existsSync(directory);
  try {
    makeMissingFolders(fromText(directory), 0o700);
  } catch (error) {
    throw targetError(directory, error, '--to-data-directory');
  }
  await refuseFilled(directory);
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const before = fstatSync(fd);
  try {
    if (owner) own(fd, ROOT);
    // Until now somebody else may have filled it.
    await refuseFilled(directory);
    return await emptiedOnFailure({ directory, fd, owner, isNew }, async () => {
      const done = await work();
      // PostgreSQL starts on no directory that others may read; one that was there may be such.
      if (owner) own(fd, { uid: owner.uid, gid: owner.gid, mode: 0o700 });
      else fchmodSync(fd, 0o700);
      await flushFileSystem(fd, signal);
      return done;
    });
  } catch (error) {
    if (owner) own(fd, before);
    throw error;
  } finally {
    closeSync(fd);
  }
}

interface Filled {
  readonly directory: string;
  readonly fd: number;
  readonly owner: Owner | undefined;
  readonly isNew: boolean;
}

async function emptiedOnFailure<T>({ directory, fd, owner, isNew }: Filled, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (owner) own(fd, ROOT);
    for (const name of await readdir(directory, { encoding: 'buffer' })) await rm(Buffer.concat([Buffer.from(`${directory}/`), name]), { recursive: true, force: true });
    if (isNew) await rmdir(directory);
    throw error;
  }
}

/** By what is open: the name may lead elsewhere meanwhile. */
function own(fd: number, { uid, gid, mode }: typeof ROOT): void {
  // First the owner: whoever it is could change the mode back.
  fchownSync(fd, uid, gid);
  fchmodSync(fd, mode & 0o7777);
}

async function start({ request, owner }: DataDirectoryPlan, program: ServerProgram, port: number, { environment, clock, signal, onProgress }: DataDirectoryOptions): Promise<StartedServer> {
  onProgress?.({ phase: 'recovering' });
  return startRecovered({ program: program.path, directory: request.directory, port, target: request.target, action: request.action, restoreCommand: request.restoreCommand, owner, environment, clock, signal });
}
