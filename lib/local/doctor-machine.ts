import { access, constants, readFile, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { totalmem } from 'node:os';
import type { Config } from '../config/load-config.ts';
import { singlesOf } from '../config/parts.ts';
import type { ProbeFinding } from '../stores/probe.ts';
import { clientPrograms } from './doctor-clients.ts';
import type { DoctorCheck } from './doctor-vault.ts';
import { folderError, makeFolders } from './make-folders.ts';
import { placesOf } from './places.ts';
import type { Environment } from './places.ts';

const WANTED_NODE = 24;
/** A run with two threads takes up to 350 MiB. */
const WANTED_MEMORY = 1024 ** 3;
/** The catalog of ten thousand backups, and room for a copy of a small database. */
const WANTED_ROOM = 512 * 1024 ** 2;

/** What runs need of the machine they are on. */
export function machineChecks(environment: Environment): readonly DoctorCheck[] {
  const { stateFolder } = placesOf(environment);
  return [
    { check: 'runs Holdfast', run: node },
    { check: 'has memory', run: memory },
    { check: 'keeps state', run: () => state(stateFolder) },
    { check: 'has a temporary folder', run: () => temporary(environment.temporaryFolder) },
    { check: 'opens folders safely', run: descriptors },
    { check: 'opens many files', run: openFiles },
    { check: 'has client programs', run: () => clientPrograms(environment) },
  ];
}

function node(): ProbeFinding {
  const { node: version } = process.versions;
  const seen = `Node ${version} on ${process.platform}, ${process.arch}`;
  if (Number(version.split('.')[0]) < WANTED_NODE) return { result: 'failed', seen, nextStep: `Install Node ${WANTED_NODE} or newer.` };
  return process.platform === 'linux' ? { result: 'ok', seen } : { result: 'warning', seen: `${seen}: backups can be made and verified, restores need Linux`, nextStep: 'Restore on a Linux machine.' };
}

function memory(): ProbeFinding {
  const limit = process.constrainedMemory();
  const bytes = limit > 0 && limit < totalmem() ? limit : totalmem();
  const seen = `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  return bytes >= WANTED_MEMORY ? { result: 'ok', seen } : { result: 'warning', seen, nextStep: 'Large backups may need up to 1 GiB: use --threads 1.' };
}

/** Locks, the catalog, the identity of this writer. */
async function state(folder: string): Promise<ProbeFinding> {
  makeFolders(folder);
  const file = join(folder, `.doctor-${process.pid}`);
  try {
    await writeFile(file, 'x', { flag: 'wx', mode: 0o600 });
    await unlink(file);
  } catch (cause) {
    throw folderError(folder, cause as NodeJS.ErrnoException);
  }
  const { bavail, bsize } = await statfs(folder);
  const seen = `${folder}, ${(bavail * bsize / 1024 ** 3).toFixed(1)} GiB free`;
  return bavail * bsize >= WANTED_ROOM ? { result: 'ok', seen } : { result: 'warning', seen, nextStep: 'Free space there: catalogs and copies of databases lie below it.' };
}

/** Pipes to programs, and what they are told, lie there for a moment; nothing large does. */
async function temporary(folder: string): Promise<ProbeFinding | undefined> {
  const file = join(folder, `holdfast-doctor-${process.pid}`);
  const refusal = await writeFile(file, 'x', { flag: 'wx', mode: 0o600 }).then(() => unlink(file)).then(() => undefined, (error: NodeJS.ErrnoException) => error.code ?? 'unknown');
  return refusal === undefined ? undefined : { result: 'failed', seen: `${folder} takes no files (${refusal}): databases and commands are read through it`, nextStep: 'Make room there or mend its rights, or name another folder with TMPDIR.' };
}

/** Restores open what they write below the descriptor of its folder, so that no link leads them astray. */
async function descriptors(): Promise<ProbeFinding | undefined> {
  if (process.platform !== 'linux') return undefined;
  const isThere = await access('/proc/self/fd', constants.X_OK).then(() => true, () => false);
  return isThere ? undefined : { result: 'warning', seen: '/proc/self/fd is not there: backups can be made and verified, restores are refused', nextStep: 'Mount /proc where restores run.' };
}

const WANTED_FILES = 256;

/** Soft limit; Linux alone tells. */
async function openFiles(): Promise<ProbeFinding | undefined> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const soft = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  return soft >= WANTED_FILES ? undefined : { result: 'warning', seen: `at most ${soft} files may be open at once, wanted ${WANTED_FILES}`, nextStep: 'Raise the limit (ulimit -n, LimitNOFILE of a systemd unit).' };
}

/** Whether the files and databases that plans name are there and can be read by this user. */
export async function sourcesFinding(config: Config): Promise<ProbeFinding> {
  const { resolvePlans } = await import('../config/resolve-plans.ts');
  const here = resolvePlans(config).filter(({ vault }) => vault.kind !== 'aws');
  const paths = here.flatMap(({ name, source: whole }) => singlesOf(whole).flatMap((source) => (source.type === 'files' ? source.paths.map((path) => ({ name, path })) : source.type === 'sqlite' ? [{ name, path: source.path }] : [])));
  const unread: string[] = [];
  for (const { name, path } of paths) await access(path, constants.R_OK).catch((error: NodeJS.ErrnoException) => unread.push(`${path} of plan ${name} (${error.code})`));
  if (unread.length === 0) return { result: 'ok', seen: `${numbered(paths.length, 'path')} of ${numbered(here.length, 'plan')} can be read` };
  return { result: 'warning', seen: `cannot read ${unread.join(', ')}`, nextStep: 'Check the paths in holdfast.yaml, and which user runs Holdfast.' };
}

export function numbered(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
