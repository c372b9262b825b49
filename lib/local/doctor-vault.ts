import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { RULING_AGE_MS, openRepository, packIdOf } from '../repository/index.ts';
import type { Repository, RepositoryConfig } from '../repository/index.ts';
import type { OpenedKeys } from '../keyring/open-slots.ts';
import type { Clock } from '../model/clock.ts';
import { lookingOnly } from '../stores/read-only.ts';
import type { ProbeFinding } from '../stores/probe.ts';
import type { ObjectInfo, Store } from '../stores/store.ts';
import { DAY } from '../validation/coverage-clock.ts';
import { lookAtCoverage } from '../validation/look-at-coverage.ts';
import { walFinding } from './doctor-wal.ts';
import type { VaultChoice } from './vault-choice.ts';

/** One question; undefined: there is nothing to say. */
export interface DoctorCheck {
  readonly check: string;
  run(): Promise<ProbeFinding | undefined> | ProbeFinding | undefined;
}

const GIB = 1024 ** 3;
/** A full pack in each of four threads, and what goes with them, many times over. */
const WANTED_ROOM = GIB;
/** Nobody said how often: longer than this, and a bad disk is found too late. */
const WANTED_DAYS = 90;
/** Prune is run every day or every week; marks that wait for longer are waiting for nobody. */
const PATIENCE = 14 * DAY;

/** Of a vault in a directory: where it lies. `sources`: paths that are backed up into it. */
export function placeChecks(directory: string, sources: readonly string[]): readonly DoctorCheck[] {
  return [
    { check: 'has room', run: () => room(directory) },
    { check: 'takes new backups', run: () => writable(directory) },
    { check: 'lies apart from what it protects', run: () => apart(directory, sources) },
  ];
}

async function room(directory: string): Promise<ProbeFinding | undefined> {
  const space = await statfs(directory).catch(() => undefined);
  if (space === undefined) return undefined;
  const { bavail, bsize, files, ffree } = space;
  const seen = `${(bavail * bsize / GIB).toFixed(1)} GiB free at ${directory}`;
  // Some file systems count none.
  if (files > 0 && ffree < 1000) return { result: 'warning', seen: `${seen}, and ${ffree} of ${files} inodes`, nextStep: 'Remove small files there: each object of a vault takes an inode.' };
  return bavail * bsize >= WANTED_ROOM ? { result: 'ok', seen } : { result: 'warning', seen, nextStep: 'Free space there, or remove backups and prune, before the next backup fails.' };
}

/** What may not be written can be verified and restored. */
async function writable(directory: string): Promise<ProbeFinding | undefined> {
  const refusal = await access(directory, constants.W_OK).then(() => undefined, (error: NodeJS.ErrnoException) => error.code ?? 'unknown');
  if (refusal === undefined) return undefined;
  return { result: 'warning', seen: `this user may not write to ${directory} (${refusal}): it can be verified and restored from, and takes no backup`, nextStep: 'For backups run as the owner of the vault, or mount it for writing.' };
}

/** Of one disk that dies, neither the data nor its backup is left. */
async function apart(directory: string, sources: readonly string[]): Promise<ProbeFinding | undefined> {
  const device = (path: string) => stat(path).then(({ dev }) => dev, () => undefined);
  const here = await device(directory);
  if (here === undefined || sources.length === 0) return undefined;
  const devices = await Promise.all(sources.map(device));
  const same = sources.filter((_, index) => devices[index] === here);
  if (same.length === 0) return { result: 'ok', seen: `on another file system than the ${sources.length === 1 ? 'source' : `${sources.length} sources`} of its plans` };
  return { result: 'warning', seen: `on the same file system as ${same.slice(0, 3).join(', ')}${same.length > 3 ? ` and ${same.length - 3} more` : ''}: if that disk dies, both are gone`, nextStep: 'Keep the vault, or a second one, on another disk or machine, or in a bucket.' };
}

export interface OpenedVault {
  readonly choice: VaultChoice;
  readonly store: Store;
  readonly config: RepositoryConfig;
  readonly keys: OpenedKeys;
  readonly clock: Clock;
}

/** What the vault itself says of its state; one listing, and a few small objects are read. */
export async function contentChecks({ choice, store, config, keys, clock }: OpenedVault): Promise<readonly DoctorCheck[]> {
  const repository = openRepository(store, config, keys);
  const [packs, damaged, condemned] = await Promise.all(['packs/', 'damaged/', 'condemned/'].map((folder) => Array.fromAsync(store.list(folder)))) as [ObjectInfo[], ObjectInfo[], ObjectInfo[]];
  return [
    { check: 'was read again', run: () => coverage(repository, { choice, packs, damaged, clock }) },
    { check: 'is free of known damage', run: () => damage(damaged) },
    { check: 'keeps WAL without gaps', run: async () => walFinding(repository, await lookingOnly(store, clock).now()) },
    { check: 'is pruned', run: async () => pruning(condemned, await lookingOnly(store, clock).now()) },
  ];
}

async function coverage(repository: Repository, { choice, packs, damaged, clock }: Pick<OpenedVault, 'choice' | 'clock'> & { readonly packs: readonly ObjectInfo[]; readonly damaged: readonly ObjectInfo[] }): Promise<ProbeFinding | undefined> {
  const known = new Set(damaged.map(({ name }) => packIdOf(name)));
  const withinDays = choice.coverage?.withinDays ?? WANTED_DAYS;
  const { oldest, overdue, unread } = await lookAtCoverage(repository, packs.filter(({ name }) => !known.has(packIdOf(name))), { clock, withinDays });
  if (oldest === undefined) return undefined;
  const seen = `the longest unread pack was ${unread.packs > 0 ? 'stored or read' : 'read'} ${oldest.days.toFixed(1)} days ago${unread.packs > 0 ? `; ${unread.packs} of ${packs.length} were never read since they were stored` : ''}`;
  if (overdue === undefined || overdue.packs === 0) return { result: 'ok', seen };
  return { result: 'warning', seen: `${seen}; ${overdue.packs} for more than ${withinDays} days`, nextStep: choice.coverage === undefined ? 'Run `holdfast verify --within 30` from cron every day.' : 'Run `holdfast verify`, and from cron every day.' };
}

function damage(damaged: readonly ObjectInfo[]): ProbeFinding | undefined {
  if (damaged.length === 0) return undefined;
  return { result: 'warning', seen: `${damaged.length === 1 ? '1 pack is' : `${damaged.length} packs are`} recorded as damaged`, nextStep: 'Run `holdfast backup`, which stores anew what the sources still have, then `holdfast verify --level full`.' };
}

/** Marks wait a day for their ruling; what waits for much longer takes space that nobody frees. */
function pruning(condemned: readonly ObjectInfo[], now: number): ProbeFinding | undefined {
  const marks = condemned.filter(({ name }) => !name.endsWith('.ruling'));
  const waiting = marks.filter(({ storedAt }) => now - storedAt >= RULING_AGE_MS);
  if (waiting.length === 0) return undefined;
  const oldest = Math.max(...waiting.map(({ storedAt }) => now - storedAt));
  const seen = `${waiting.length === 1 ? '1 condemned pack has' : `${waiting.length} condemned packs have`} waited for a second look for up to ${(oldest / DAY).toFixed(1)} days`;
  return oldest < PATIENCE ? { result: 'ok', seen: `${seen}: the next \`holdfast prune\` takes it` } : { result: 'warning', seen, nextStep: 'Run `holdfast prune`, and from cron every week.' };
}
