import { access, constants, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { totalmem } from 'node:os';
import type { Config } from '../config/load-config.ts';
import type { ProbeFinding } from '../stores/probe.ts';
import { folderError, makeFolders } from './make-folders.ts';
import { placesOf } from './places.ts';
import type { Environment } from './places.ts';

export interface MachineCheck {
  readonly check: string;
  run(): Promise<ProbeFinding> | ProbeFinding;
}

const WANTED_NODE = 24;
/** A run with two threads takes up to 350 MiB. */
const WANTED_MEMORY = 1024 ** 3;
/** The catalog of ten thousand backups, and room for a copy of a small database. */
const WANTED_ROOM = 512 * 1024 ** 2;

/** What runs need of the machine they are on. */
export function machineChecks(environment: Environment): readonly MachineCheck[] {
  const { stateFolder } = placesOf(environment);
  return [
    { check: 'runs Holdfast', run: node },
    { check: 'has memory', run: memory },
    { check: 'keeps state', run: () => state(stateFolder) },
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

/** Whether the files and databases that plans name are there and can be read by this user. */
export async function sourcesFinding(config: Config): Promise<ProbeFinding> {
  const { resolvePlans } = await import('../config/resolve-plans.ts');
  const here = resolvePlans(config).filter(({ vault }) => vault.kind !== 'aws');
  const paths = here.flatMap(({ name, source }) => (source.type === 'files' ? source.paths.map((path) => ({ name, path })) : source.type === 'sqlite' ? [{ name, path: source.path }] : []));
  const unread: string[] = [];
  for (const { name, path } of paths) await access(path, constants.R_OK).catch((error: NodeJS.ErrnoException) => unread.push(`${path} of plan ${name} (${error.code})`));
  if (unread.length === 0) return { result: 'ok', seen: `${paths.length} paths of ${here.length} plans can be read` };
  return { result: 'warning', seen: `cannot read ${unread.join(', ')}`, nextStep: 'Check the paths in holdfast.yaml, and which user runs Holdfast.' };
}
