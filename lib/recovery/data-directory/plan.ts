import { readdir } from 'node:fs/promises';
import type { Clock } from '../../model/clock.ts';
import { fromText } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { isSnapshotFile } from '../../repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../../repository/index.ts';
import type { ClientPlaces } from '../../sources/client-programs.ts';
import { readFacts } from '../../sources/postgres/base-backup-facts.ts';
import type { BaseBackupFacts } from '../../sources/postgres/base-backup-facts.ts';
import { BASE_TAR } from '../../sources/postgres-physical.ts';
import { freeBytesAt } from '../target-space.ts';
import { findServerProgram, ownerFor } from './server-program.ts';
import type { ServerProgram } from './server-program.ts';
import { recoverySettings } from './settings.ts';
import { refuseUnreachable } from './target.ts';
import type { KnownBase, RecoveryOrder } from './target.ts';
import type { Owner } from './write-directory.ts';

export interface DataDirectoryRequest extends RecoveryOrder {
  /** Absolute; empty, or not there. */
  readonly directory: string;
  /** On 127.0.0.1; absent: nothing is started. */
  readonly startPort?: number | undefined;
}

export interface DataDirectoryOptions extends ClientPlaces {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The bytes of a file of the backup in order, each chunk proved. */
  readonly content: (reader: SnapshotReader, file: SnapshotFile) => AsyncIterable<Uint8Array>;
  /** Of the same server, where the target lies before this one: the fitting one is named. */
  readonly bases?: readonly KnownBase[] | undefined;
  readonly onProgress?: ((progress: { readonly phase: 'restoring' | 'recovering'; readonly bytes?: number; readonly totalBytes?: number }) => void) | undefined;
}

/** What would be done; consumed once, by `executeDataDirectoryRestore`. */
export interface DataDirectoryPlan {
  readonly backup: string;
  readonly request: DataDirectoryRequest;
  readonly facts: BaseBackupFacts;
  /** Of the tar; the files are about as large. */
  readonly bytes: number;
  /** Written into postgresql.auto.conf. */
  readonly settings: ReturnType<typeof recoverySettings>;
  readonly owner: Owner | undefined;
  readonly program: ServerProgram | undefined;
  readonly warnings: readonly string[];
  /** WAL is there behind the place where the recovery is going to end, though the end of the archive was asked for. */
  readonly endsAtGap?: boolean;
}

/**
 * Looks at backup, directory and target, and changes nothing. Fails with the reason why a restore would: no base backup,
 * a directory that is not empty, a target that cannot be reached, a server of another major version.
 */
export async function planDataDirectoryRestore(reader: SnapshotReader, request: DataDirectoryRequest, options: DataDirectoryOptions): Promise<DataDirectoryPlan> {
  const { backup } = reader.manifest;
  const facts = await readFacts(reader);
  if (facts === undefined) throw new HoldfastError('refused', `The backup ${backup} is no base backup of PostgreSQL, but one of ${reader.manifest.source.description}.`, { nextStep: 'Restore it with --to DIR or --to-database URL; base backups come from plans with `mode: physical`.' });
  const file = await tarIn(reader);
  await refuseFilled(request.directory);
  refuseUnreachable(request, facts, { now: options.clock.now(), bases: options.bases });
  const major = Number.parseInt(facts.serverVersion, 10);
  const program = await findServerProgram(major, options);
  if (request.startPort !== undefined && program?.version.major !== major) throw otherVersion(facts, program);
  return { backup, request, facts, bytes: file.size, settings: recoverySettings(request), owner: await ownerFor(request.directory), program, warnings: warningsOn(request, facts, { program, bytes: file.size }) };
}

export async function tarIn(reader: SnapshotReader): Promise<SnapshotFile> {
  for await (const entry of reader.entries(fromText(BASE_TAR))) if (isSnapshotFile(entry)) return entry;
  throw new HoldfastError('damaged', `The base backup ${reader.manifest.backup} has no ${BASE_TAR}.`, { nextStep: 'Run `holdfast verify`, and restore another backup.' });
}

export async function refuseFilled(directory: string): Promise<void> {
  const names = await readdir(directory).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw new HoldfastError('target-exists', `${directory} is no directory that can be read (${cause.code}), wanted an empty one or none.`, { nextStep: 'Choose another directory.', cause });
  });
  if (names.length === 0) return;
  throw new HoldfastError('target-exists', `${directory} is not empty (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}): a base backup is restored into an empty directory or a new one. Nothing was done.`, { nextStep: `Choose another directory, or stop the server that uses it and move it away: \`mv ${directory} ${directory}.before\`.` });
}

function otherVersion({ serverVersion }: BaseBackupFacts, program: ServerProgram | undefined): HoldfastError {
  return new HoldfastError('unsupported', `The backup is of PostgreSQL ${serverVersion}, and ${program === undefined ? 'no server is installed here' : `the server here is ${program.version.text} (${program.path})`}: only the same major version reads its files. Nothing was done.`, { nextStep: 'Install that version, name its folder with HOLDFAST_POSTGRES_BIN, or leave --start away.' });
}

function warningsOn({ directory }: DataDirectoryRequest, { serverVersion }: BaseBackupFacts, { program, bytes }: { readonly program: ServerProgram | undefined; readonly bytes: number }): string[] {
  const free = freeBytesAt(directory);
  return [
    ...(program !== undefined && program.version.major !== Number.parseInt(serverVersion, 10) ? [`the server installed here is PostgreSQL ${program.version.text} (${program.path}), and only ${Number.parseInt(serverVersion, 10)} starts on this backup of ${serverVersion}`] : []),
    ...(bytes > free ? [`${bytes} bytes are to be written to ${directory}, and ${free} are free there`] : []),
  ];
}
