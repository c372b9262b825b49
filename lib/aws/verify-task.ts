import { availableParallelism } from 'node:os';
import type { Catalog } from '../catalog/catalog.ts';
import type { HealingNote } from '../catalog/ledger-records.ts';
import type { BackupState } from '../catalog/records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { startWorker } from '../engine/start-thread.ts';
import type { Clock } from '../model/clock.ts';
import { isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId } from '../model/ids.ts';
import { names, readVerdicts, standingVerdict } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import type { VaultPlaces } from '../settings/variables.ts';
import type { VerifyOrder } from '../settings/verify-order.ts';
import { healAfterReadBack } from '../validation/healing/heal-after-read-back.ts';
import { stateOf } from '../validation/rebuild-catalog.ts';
import { verify } from '../validation/verify.ts';
import type { CheckSettings, VerifyProgress, VerifyReport } from '../validation/verify.ts';
import { repairCommand } from './repair-command.ts';
import { tellHealing } from './tell-healing.ts';
import type { HealingTold } from './tell-healing.ts';
import { openStackVault, placeOf } from './stack-vault.ts';
import type { VaultClients } from './stack-vault.ts';

export interface VerifyTaskContext extends VaultClients {
  readonly stackName: string;
  readonly vaults: VaultPlaces;
  readonly catalog: Pick<Catalog, 'getBackup' | 'recordValidation' | 'setBackupState'>;
  readonly ledger: Pick<RunLedger, 'getLedgerRun'> & HealingTold['ledger'];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Where the verify worker's bundle lies. */
  readonly verifyEntry: URL;
  readonly onProgress: (progress: VerifyProgress) => void;
}

export interface VerifiedOrder {
  readonly state: BackupState;
  readonly report: VerifyReport;
  /** What became of older backups that the run of this one left to be healed. */
  readonly healing?: HealingNote;
}

const MAX_THREADS = 4;

/**
 * Reads a backup back as another role than the one that wrote it (V4): the verdict goes into the vault first, then the
 * catalog follows it. Then, when its run stored anew what older backups lack, gives it to them: the writer may not read
 * content (decision 0021). Throws what kept it from an answer; the backup then is neither good nor bad.
 */
export async function performVerifyTask(order: VerifyOrder, context: VerifyTaskContext): Promise<VerifiedOrder> {
  const { clock, signal, onProgress, verifyEntry } = context;
  const { repository, unlocker } = await openStackVault(placeOf(order.vault, context.vaults), context);
  const reading = {
    clock, signal, onProgress, unlocker,
    threads: Math.min(availableParallelism(), MAX_THREADS),
    startThread: (settings: CheckSettings) => startWorker(verifyEntry, settings),
  };
  const startedAt = clock.now();
  const report = await verify(repository, { ...reading, backups: [names.snapshot(order.planId, order.backupId)], level: order.level });
  const state = await recordValidation(order.backupId, { repository, report, startedAt }, context);
  const { runId } = await context.catalog.getBackup(order.backupId);
  const isDue = (await context.ledger.getLedgerRun(runId))?.healing?.state === 'due';
  // Damage is told at once. A good answer waits for the healing: whoever dies in it leaves a backup without an answer, and that is read back again.
  if (!isDue || state === 'corrupted') await context.catalog.setBackupState(order.backupId, state);
  if (!isDue) return { state, report };
  const healed = await healAfterReadBack(repository, { ...reading, command: repairCommand(context.stackName, order.vault) });
  if (healed.again) await recordHealed(healed.again, { repository, startedAt }, context);
  await tellHealing(healed.note, { ...order, runId }, context);
  await context.catalog.setBackupState(order.backupId, state);
  return { state, report, healing: healed.note };
}

interface Judged {
  readonly repository: Repository;
  readonly report: VerifyReport;
  readonly startedAt: number;
}

/** Returns the state that follows: the standing verdict's, not this report's alone, because a lighter look does not lift what a deeper one found. */
async function recordValidation(backupId: BackupId, { repository, report, startedAt }: Judged, { catalog, clock }: VerifyTaskContext): Promise<BackupState> {
  const damaged = report.backups.find(({ backup }) => backup === backupId)?.damaged ?? [];
  const isAlone = report.backups.length === 1;
  const problems = report.damage.filter(({ name }) => isAlone || damaged.includes(name)).map(({ name, problems: seen }) => `${name}: ${seen[0] ?? 'damaged'}`);
  await catalog.recordValidation({
    validationId: newUlid(clock.now()), backupId, level: report.level === 'coverage' ? 'sample' : report.level, result: problems.length > 0 ? 'corrupted' : 'good',
    startedAt, finishedAt: clock.now(), bytesRead: report.packs.readBytes, problems,
  });
  return stateOf(standingVerdict(await readVerdicts(repository, backupId)));
}

/** Backups of the vault that the catalog does not know, such as those of another stack, have their verdict in the vault. */
async function recordHealed(report: VerifyReport, at: Omit<Judged, 'report'>, context: VerifyTaskContext): Promise<void> {
  for (const backup of report.backups.map((each) => each.backup as BackupId)) {
    try {
      await context.catalog.setBackupState(backup, await recordValidation(backup, { ...at, report }, context));
    } catch (error) {
      if (!isHoldfastError(error, 'not-found')) throw error;
    }
  }
}
