import type { Catalog, CatalogContents } from '../catalog/catalog.ts';
import type { BackupRecord, BackupState, PlanRecord, ValidationRecord } from '../catalog/records.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { BackupId, PlanId, RunId } from '../model/ids.ts';
import { listSnapshots, readManifest, readVerdicts, standingVerdict } from '../repository/index.ts';
import type { Manifest, Repository, Verdict, Verdicts } from '../repository/index.ts';
import { judgeCommit } from '../retention/void.ts';
import type { ObjectInfo } from '../stores/store.ts';
import { inParallel } from './in-parallel.ts';

export interface RebuildReport {
  readonly plans: number;
  readonly backups: number;
  readonly validations: number;
  /** Backups that the vault records as removed; nothing else is known of them any more. */
  readonly removed: number;
  /** Objects that did not open: `holdfast verify` says what they touch. */
  readonly unreadable: readonly { readonly name: string; readonly problem: string }[];
  /** For people: what a vault cannot give back. */
  readonly notes: readonly string[];
}

const AT_ONCE = 16;

/**
 * Makes the catalog again from its vaults alone, one or several: plans, backups, what was found out about them. The catalog keeps what it
 * had when anything fails. Plans count as retired until somebody finds them in the configuration (`activePlans`).
 */
export async function rebuildCatalog(vaults: Repository | readonly NamedRepository[], catalog: Pick<Catalog, 'replaceAll'>, activePlans: ReadonlySet<string> = new Set()): Promise<RebuildReport> {
  const unreadable: { name: string; problem: string }[] = [];
  const found: Found[] = [];
  let removed = 0;
  for (const { repository, vault } of 'store' in vaults ? [{ repository: vaults, vault: undefined }] : vaults) {
    await inParallel(await listSnapshots(repository.store), AT_ONCE, async (snapshot) => {
      const one = await readOne(repository, snapshot, unreadable);
      if (one) found.push({ ...one, vault });
    });
    removed += (await Array.fromAsync(repository.store.list('removed/'))).length;
  }
  found.sort((left, right) => left.manifest.sequence - right.manifest.sequence || (left.manifest.backup < right.manifest.backup ? -1 : 1));
  const contents = contentsOf(found, activePlans);
  await catalog.replaceAll(contents);
  const { plans, backups, validations } = contents;
  return { plans: plans.length, backups: backups.length, validations: validations.length, removed, unreadable, notes: NOTES };
}

const NOTES = ['The history of runs and restores is gone: it was only in the catalog. Backups, plans and what was verified came back from the vault.'];

/** One of the vaults that a catalog serves. */
export interface NamedRepository {
  readonly vault: string | undefined;
  readonly repository: Repository;
}

interface Found {
  readonly vault: string | undefined;
  readonly manifest: Manifest;
  readonly verdicts: Verdicts;
}

async function readOne(repository: Repository, snapshot: ObjectInfo, unreadable: { name: string; problem: string }[]): Promise<Omit<Found, 'vault'> | undefined> {
  try {
    const { manifest } = await readManifest(repository, snapshot.name);
    await judgeCommit(repository, snapshot, manifest);
    const verdicts = await readVerdicts(repository, manifest.backup);
    for (const name of verdicts.unreadable) unreadable.push({ name, problem: 'this verdict does not open' });
    return { manifest, verdicts };
  } catch (error) {
    if (!(error instanceof HoldfastError) || !(isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found'))) throw error;
    unreadable.push({ name: snapshot.name, problem: error.message });
    return undefined;
  }
}

function contentsOf(found: readonly Found[], activePlans: ReadonlySet<string>): CatalogContents {
  const plans = new Map<string, PlanRecord>();
  // In the order of their sequence: the newest backup's words for its plan stand.
  for (const { manifest } of found) {
    const { type, description } = manifest.source;
    plans.set(manifest.plan, { planId: manifest.plan as PlanId, name: manifest.planName, state: activePlans.has(manifest.plan) ? 'active' : 'retired', source: { type, description } });
  }
  return { plans: [...plans.values()], backups: found.map(({ manifest, verdicts, vault }) => ({ ...backupRecordOf(manifest, stateOf(standingVerdict(verdicts))), ...(vault !== undefined && { vault }) })), validations: found.flatMap(validationRecords) };
}

/** The catalog's row of a backup, from what the vault says. */
export function backupRecordOf(manifest: Manifest, state: BackupState): BackupRecord {
  const { statistics, source } = manifest;
  return {
    backupId: manifest.backup as BackupId,
    planId: manifest.plan as PlanId,
    planName: manifest.planName,
    runId: manifest.run as RunId,
    type: manifest.type,
    state,
    startedAt: Date.parse(manifest.startedAt),
    finishedAt: Date.parse(manifest.finishedAt),
    sequence: manifest.sequence,
    entries: statistics.entries,
    files: statistics.files,
    bytes: statistics.bytes,
    addedBytes: statistics.storedBytes,
    warnings: manifest.warnings.length,
    host: manifest.host,
    source: { type: source.type, description: source.description },
    statistics,
  };
}

/**
 * What a standing verdict makes of a backup; `commit` alone says only that it was stored in time. The catalog has no word
 * for void: such a backup may not be restored from either.
 */
export function stateOf(verdict: Verdict | undefined): BackupState {
  if (verdict && verdict.result !== 'good') return 'corrupted';
  return verdict && verdict.level !== 'commit' ? 'validated' : 'completed';
}

/** A verdict says when it was found, not how long that took nor how much was read. */
function validationRecords({ manifest, verdicts }: Found): ValidationRecord[] {
  return verdicts.verdicts.flatMap((verdict): ValidationRecord[] => {
    if (verdict.level === 'commit' || verdict.result === 'void') return [];
    const problems = verdict.damaged.map(({ name, problem }) => `${name}: ${problem}`);
    const validationId = `${manifest.backup}-${verdict.at}-${verdict.level}`;
    return [{ validationId, backupId: manifest.backup as BackupId, level: verdict.level, result: verdict.result, startedAt: verdict.at, finishedAt: verdict.at, bytesRead: 0, problems }];
  });
}
