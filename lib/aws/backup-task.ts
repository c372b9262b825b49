import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { withHooks } from '../backup/hooks.ts';
import type { HookReport } from '../backup/hook-report.ts';
import { performLeasedRun } from '../backup/perform-leased-run.ts';
import type { LeasedRunEvent } from '../backup/perform-leased-run.ts';
import { runBackup } from '../backup/run-backup.ts';
import type { BackupOutcome, BackupPorts } from '../backup/run-backup.ts';
import type { BackupProgress } from '../backup/run-progress.ts';
import { CommandStandstill } from '../backup/standstill.ts';
import type { HealingNote, LedgerRun } from '../catalog/ledger-records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { ResolvedStandstill } from '../config/resolved-source.ts';
import { startWorker } from '../engine/start-thread.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { PlanId, RunId } from '../model/ids.ts';
import type { DeployedPlan } from '../settings/deployed.ts';
import { parseDeployedPlan } from '../settings/parse-deployed.ts';
import { stackWriterId } from '../settings/ids.ts';
import type { VaultPlaces } from '../settings/variables.ts';
import { noteOfLeft } from '../validation/healing/healing-notes.ts';
import { repairCommand } from './repair-command.ts';
import { sourceOf } from './source-of.ts';
import { tellHealing } from './tell-healing.ts';
import { ToldStandstill } from './told-standstill.ts';
import type { SourcePlaces, TaskPlaces } from './source-of.ts';
import { openStackVault, placeOf } from './stack-vault.ts';
import type { VaultClients } from './stack-vault.ts';

export interface BackupTaskContext extends TaskPlaces, VaultClients {
  readonly stackName: string;
  readonly vaults: VaultPlaces;
  readonly ledger: RunLedger;
  /** Where the worker thread's bundle lies. */
  readonly crunchEntry: URL;
  readonly signal: AbortSignal;
  readonly onEvent: (event: LeasedRunEvent) => void;
  readonly onProgress: (progress: BackupProgress) => void;
  /** Older backups of the vault are not whole; this role may not read content, so what can be done is noted and left. */
  readonly onHealing?: (note: HealingNote, problem?: HoldfastError) => void;
  /** Told of each command around the run that has ended. */
  readonly onHook: (report: HookReport) => void;
  readonly heartbeatMs?: number;
  readonly leaseMs?: number;
}

/** Packs in flight are memory, and a task pays for it: more threads than this are for machines that say so. */
const MAX_THREADS = 4;

/** The run that this task was started for; undefined when another task has it or it has ended. */
export function performBackupTask(runId: RunId, context: BackupTaskContext): Promise<BackupOutcome | undefined> {
  const { ledger, clock, signal, onEvent, onProgress, heartbeatMs, leaseMs } = context;
  return performLeasedRun(runId, {
    ledger, clock, signal, onEvent, onProgress, holder: randomUUID(),
    ...(heartbeatMs !== undefined && { heartbeatMs }),
    ...(leaseMs !== undefined && { leaseMs }),
    maxDurationMs: (run) => parseDeployedPlan(run.order).maxDurationMinutes * 60_000,
    backUp: (run, ports) => backUp(run, ports, context),
  });
}

async function backUp(run: LedgerRun, ports: Pick<BackupPorts, 'signal' | 'beforeCommit' | 'onProgress'>, context: BackupTaskContext): Promise<BackupOutcome> {
  const plan: DeployedPlan = parseDeployedPlan(run.order);
  const { commandEnvironment, scratchFolder, clock, onHook } = context;
  const hookPorts = { environment: commandEnvironment, folder: scratchFolder, secrets: [], clock, signal: ports.signal, onHook };
  const about = { plan: plan.name, run: run.runId, type: run.type, hooks: plan.hooks };
  const standstill = (wanted: ResolvedStandstill) => new ToldStandstill(new CommandStandstill(wanted, about, hookPorts), run, context);
  return withHooks(about, hookPorts, () => backUpPlan({ run, plan }, ports, { ...context, standstill }));
}

async function backUpPlan({ run, plan }: { readonly run: LedgerRun; readonly plan: DeployedPlan }, ports: Pick<BackupPorts, 'signal' | 'beforeCommit' | 'onProgress'>, context: BackupTaskContext & SourcePlaces): Promise<BackupOutcome> {
  const { policy } = plan;
  const { repository, mayWrite } = await openStackVault(placeOf(plan.vault, context.vaults), context);
  if (!mayWrite) throw new HoldfastError('wrong-key', `The KMS key of the vault ${plan.vault} was left out when its keys were changed: it reads older backups and may not write.`, { nextStep: 'Rotate again with this key named, or point the vault at the newer key and deploy.' });
  const outcome = await runBackup(
    {
      repository: { ...repository, cipher: policy.encryption },
      writer: { id: stackWriterId(context.stackName), host: context.stackName },
      plan: { id: plan.planId as PlanId, name: plan.name },
      run: run.runId,
      source: await sourceOf(plan, context),
      type: run.type === 'full' ? 'full' : 'incremental',
      packClass: policy.class,
      compression: policy.compression,
      threads: Math.min(availableParallelism(), MAX_THREADS),
      minimumBytes: policy.minimumSizeBytes,
      policy: { verification: policy.verification, warningsAreGood: policy.warningsAreGood },
      leavesHealing: true,
    },
    { clock: context.clock, startThread: (settings) => startWorker(context.crunchEntry, settings), ...ports },
  );
  // Before the run ends: whoever reads the backup back looks into its run.
  if (outcome.healing) await noteHealing(run, noteOfLeft({ command: repairCommand(context.stackName, plan.vault), isReadBack: policy.verification !== 'none' }), context);
  return outcome;
}

/** The backup is made: that older ones wait for their healing is told in the log as well, so that a silent ledger costs no run. */
async function noteHealing(run: LedgerRun, note: HealingNote, context: BackupTaskContext): Promise<void> {
  const { onHealing } = context;
  try {
    await tellHealing(note, run, context);
    onHealing?.(note);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    onHealing?.(note, error);
  }
}
