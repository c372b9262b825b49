import { availableParallelism } from 'node:os';
import type { Catalog } from '../catalog/catalog.ts';
import { isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId } from '../model/ids.ts';
import { readVerdicts, standingVerdict } from '../repository/index.ts';
import type { KnownNewest } from '../validation/chain.ts';
import { verify } from '../validation/verify.ts';
import type { CheckSettings, VerifiedBackup, VerifyLevel, VerifyProgress, VerifyReport } from '../validation/verify.ts';
import { verifyWithin } from '../validation/verify-within.ts';
import { stateOf } from '../validation/rebuild-catalog.ts';
import { RunRecorder } from './run-recorder.ts';
import { startWorker } from '../engine/start-thread.ts';
import type { WorkerEntries } from '../engine/start-thread.ts';
import type { LocalContext, LocalVault } from './vault.ts';

export interface WithinRequest {
  readonly withinDays: number;
  readonly maxDurationMs?: number | undefined;
}

export interface VerifyRequest {
  /** Names of snapshots; the whole vault when absent. */
  readonly backups?: readonly string[] | undefined;
  readonly level: VerifyLevel;
  /** A run of the coverage clock over the whole vault instead: `backups` and `level` do not count. */
  readonly within?: WithinRequest | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

export interface VerifyResult {
  readonly report: VerifyReport;
  readonly notes: readonly string[];
}

const MAX_THREADS = 4;

/** Verifies, with what this machine remembers as the newest backups as a witness, and records what was found. */
export async function performVerify(vault: LocalVault, request: VerifyRequest, context: LocalContext & { readonly workers: WorkerEntries }): Promise<VerifyResult> {
  const { clock } = context;
  const recorder = new RunRecorder(() => vault.catalog(), clock);
  const startedAt = clock.now();
  const common = {
    clock,
    threads: Math.min(availableParallelism(), MAX_THREADS),
    startThread: (settings: CheckSettings) => startWorker(context.workers.verify, settings),
    signal: request.signal,
    unlocker: vault.unlocker,
    knownNewest: await knownNewest(vault),
    ...(request.onProgress && { onProgress: request.onProgress }),
  };
  const { within, level, backups } = request;
  const report = within ? await verifyWithin(vault.repository, { ...common, ...within }) : await verify(vault.repository, { ...common, level, ...(backups && { backups }) });
  // The clock proves packs: of backups it says only which are corrupted.
  for (const backup of report.backups.filter(({ result }) => !within || result === 'corrupted')) {
    const isKnown = await recorder.record((catalog) => recordOne(catalog, vault, backup, { report, startedAt, finishedAt: clock.now() }));
    if (!isKnown) break;
  }
  return { report, notes: recorder.notes };
}

/** What no catalog knows yet is taken from the vault, verdicts included, by whoever lists next. */
async function recordOne(catalog: Catalog, { repository }: LocalVault, verified: VerifiedBackup, found: { readonly report: VerifyReport; readonly startedAt: number; readonly finishedAt: number }): Promise<void> {
  const backupId = verified.backup as BackupId;
  const isKnown = await catalog.getBackup(backupId).then(() => true, () => false);
  if (!isKnown) return;
  const { report, ...times } = found;
  const problems = report.damage.filter(({ name }) => verified.damaged.includes(name)).map(({ name, problems: seen }) => `${name}: ${seen[0] ?? 'damaged'}`);
  const result = verified.result === 'good' ? 'good' : 'corrupted';
  await catalog.recordValidation({ validationId: newUlid(times.finishedAt), backupId, level: report.level === 'coverage' ? 'sample' : report.level, result, ...times, bytesRead: report.packs.readBytes, problems });
  // Not this result alone: a lighter look does not lift what a deeper one found.
  await catalog.setBackupState(backupId, stateOf(standingVerdict(await readVerdicts(repository, backupId))));
}

/** A vault that shows less than this machine has seen in it was rolled back, or lost backups. No catalog, no witness. */
export async function knownNewest(vault: LocalVault): Promise<KnownNewest[]> {
  try {
    const newest = new Map<string, KnownNewest>();
    const { backups } = await (await vault.catalog()).listBackups({ limit: 10_000 });
    for (const { planId, backupId, sequence } of backups) if (sequence > (newest.get(planId)?.sequence ?? 0)) newest.set(planId, { plan: planId, backup: backupId, sequence });
    return [...newest.values()];
  } catch (error) {
    if (isHoldfastError(error)) return [];
    throw error;
  }
}
