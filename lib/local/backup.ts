import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { withHooks } from '../backup/hooks.ts';
import type { HookReport } from '../backup/hook-report.ts';
import { runBackup } from '../backup/run-backup.ts';
import type { BackupOutcome } from '../backup/run-backup.ts';
import type { BackupProgress } from '../backup/run-progress.ts';
import { CommandStandstill } from '../backup/standstill.ts';
import type { RunState } from '../catalog/records.ts';
import type { ResolvedStandstill } from '../config/resolved-source.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId, PlanId, RunId } from '../model/ids.ts';
import type { BackupOrder } from './backup-order.ts';
import { names } from '../repository/index.ts';
import type { Writer } from '../repository/index.ts';
import type { HealingOutcome } from '../validation/healing/after-backup.ts';
import { backupRecordOf } from '../validation/rebuild-catalog.ts';
import { commandVariables, secretValues } from './command-variables.ts';
import { bringKit } from './kit.ts';
import { planIdOf } from './plan-id.ts';
import { coverRecipients } from './recipients.ts';
import { RunRecorder } from './run-recorder.ts';
import { takeRunLock } from './run-lock.ts';
import { sourceOf } from './source-of.ts';
import type { SourceContext } from './source-of.ts';
import { startWorker } from '../engine/start-thread.ts';
import type { WorkerEntries } from '../engine/start-thread.ts';
import { knownNewest } from './verify.ts';
import { refuseMetaOnly } from './vault.ts';
import type { LocalContext, LocalVault } from './vault.ts';
import { machineId, writerIdentity } from './writer-identity.ts';
import { placesOf } from './places.ts';

export interface BackupOptions {
  readonly isFull: boolean;
  /** As many as the machine has processors, at most 4, when absent. */
  readonly threads?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Told of each command around the run that has ended. */
  readonly onHook?: ((report: HookReport) => void) | undefined;
}

export interface BackupResult extends BackupOutcome {
  /** What went wrong beside the backup itself, such as a catalog that could not be written. */
  readonly notes: readonly string[];
  /** Good to know; nothing went wrong. */
  readonly hints: readonly string[];
  /** Commands around the run, in the order in which they ended. */
  readonly hooks: readonly HookReport[];
}

/** Packs in flight are memory: more threads than this help only on machines that say so. */
const DEFAULT_THREADS = 4;

/**
 * Carries out one order: locks the plan, runs, and records in the catalog after the vault, so that a catalog that fails
 * costs a note and never a backup. Fails as `busy`, and as `runBackup` does.
 */
export async function performBackup(order: BackupOrder, vault: LocalVault, options: BackupOptions, context: LocalContext & { readonly workers: WorkerEntries }): Promise<BackupResult> {
  refuseOldKey(vault, order);
  const { clock, environment } = context;
  const plan = { id: planIdOf(vault.repository.keys.keys.chunker, order.planParts), name: order.planName };
  const writer = await writerIdentity(placesOf(environment).stateFolder, { chunkerSecret: vault.repository.keys.keys.chunker, machine: await machineId(), uid: process.getuid?.() ?? 0 });
  const lock = takeRunLock(join(vault.stateFolder, 'locks', plan.id), order.planName);
  const run = newUlid<RunId>(clock.now());
  const type = options.isFull ? 'full' : 'incremental';
  const recorder = new RunRecorder(() => vault.catalog(), clock);
  try {
    await vault.sweep();
    const rolledBack = await noteIfRolledBack(vault, plan.id);
    const recipients = await coverRecipients(vault, order.vault);
    await recorder.begin({ runId: run, planId: plan.id, planName: plan.name, type, host: writer.host });
    const hooks: HookReport[] = [];
    const onHook = (report: HookReport) => (hooks.push(report), options.onHook?.(report));
    const hookPorts = { environment: commandVariables(environment, order.vault), folder: environment.workingFolder, secrets: secretValues(environment, order.vault), clock, signal: options.signal, onHook };
    const about = { plan: plan.name, run, type, hooks: order.hooks };
    const standstill = (wanted: ResolvedStandstill) => new CommandStandstill(wanted, about, hookPorts);
    const outcome = await withHooks(about, hookPorts, async () => runOrder({ order, vault, writer, plan, run, type }, options, { ...context, standstill }));
    const state: RunState = outcome.manifest.warnings.length > 0 || outcome.afterwards !== undefined ? 'warnings' : 'completed';
    await recorder.end(state, backupRecordOf(outcome.manifest, 'completed'), outcome.manifest.backup as BackupId);
    const note = await bringKit(vault.repository.store, context.kit);
    return { ...outcome, hooks, notes: [...(outcome.afterwards ?? []), ...rolledBack, ...recipients.notes, ...recorder.notes, ...(note === undefined ? [] : [note])], hints: [...recipients.hints, ...hintsOn(outcome.strangers), ...hintsOnHealing(outcome.healing)] };
  } catch (error) {
    await recorder.fail(error);
    throw error;
  } finally {
    lock.release();
  }
}

interface OrderedRun {
  readonly order: BackupOrder;
  readonly vault: LocalVault;
  readonly writer: Writer;
  readonly plan: { readonly id: PlanId; readonly name: string };
  readonly run: RunId;
  readonly type: 'full' | 'incremental';
}

async function runOrder({ order, vault, writer, plan, run, type }: OrderedRun, options: BackupOptions, context: SourceContext & { readonly workers: WorkerEntries }): Promise<BackupOutcome> {
  const { policy } = order;
  return runBackup(
    {
      repository: { ...vault.repository, cipher: policy.encryption },
      writer, plan, run, type,
      trustedWriters: order.vault.trustedWriters ?? [],
      source: await sourceOf(order, vault.stateFolder, context),
      packClass: policy.class,
      compression: policy.compression,
      threads: options.threads ?? Math.min(availableParallelism(), DEFAULT_THREADS),
      minimumBytes: policy.minimumSizeBytes,
      policy: { verification: policy.verification, warningsAreGood: policy.warningsAreGood },
    },
    { clock: context.clock, signal: options.signal, startThread: (settings) => startWorker(context.workers.crunch, settings), ...(options.onProgress && { onProgress: options.onProgress }) },
  );
}

/** Deduplication stops at writers, by design (design, Trust): whoever wonders where the space goes is told once. */
function hintsOn(strangers: readonly string[]): string[] {
  if (strangers.length === 0) return [];
  return [`Packs of ${strangers.length} other ${strangers.length === 1 ? 'writer' : 'writers'} are not reused (${strangers.join(', ')}): \`--trust-writer ID\` or \`trusted-writers\` in holdfast.yaml reuses those of machines that you trust like this one.`];
}

/** The new backup is whole whatever became of this: told, and no reason to call it anything but good. */
function hintsOnHealing(healing: HealingOutcome | undefined): string[] {
  if (!healing || 'isLeft' in healing) return [];
  if ('problem' in healing) return [`Older backups have damage that was not healed: ${healing.problem.message} \`holdfast repair packs\` tries again.`];
  const { packs, backups, unhealed } = healing.report;
  const healed = packs === 0 ? [] : [`Healed ${packs === 1 ? 'a pack' : `${packs} packs`} of ${backups.length === 1 ? 'an older backup' : `${backups.length} older backups`}. \`holdfast verify --level full\` proves them and calls them good again.`];
  const left = unhealed.length === 0 ? [] : [`${unhealed.length === 1 ? 'A damaged pack' : `${unhealed.length} damaged packs`} of older backups could not be healed: \`holdfast repair packs --dry-run\` says what is lost and what to do.`];
  return [...healed, ...left];
}

/** An old state of a vault takes a new backup as any other; that newer ones were there must not go unsaid. */
async function noteIfRolledBack(vault: LocalVault, planId: string): Promise<string[]> {
  const newest = (await knownNewest(vault)).find(({ plan }) => plan === planId);
  if (newest === undefined) return [];
  const { store } = vault.repository;
  for (const name of [names.snapshot(planId, newest.backup), names.removed(planId, newest.backup)]) {
    const isThere = await store.stat(name).then(() => true, (error: unknown) => {
      if (isHoldfastError(error, 'not-found')) return false;
      throw error;
    });
    if (isThere) return [];
  }
  return [`Backup ${newest.backup} of this plan was made from this machine, is not in the vault, and no removal is recorded: this is an old state of the vault, or somebody deleted there.`];
}

function refuseOldKey(vault: LocalVault, order: BackupOrder): void {
  // A slot for a recipient can be made by whoever knows its public half; what is backed up now must not be sealed with his keys (threat model).
  if (order.vault.key.kind === 'recipient-key') throw new HoldfastError('refused', 'The key of a recipient is for getting data back; it makes no backups.', { nextStep: 'Make a key file: holdfast keys add --new-key-file FILE with this key, then holdfast keys rotate --key-file FILE.' });
  if (!vault.mayWrite) throw new HoldfastError('wrong-key', 'This key was left out when the keys of this vault were changed: it reads older backups and may not write.', { nextStep: 'Use a key that `holdfast keys list` shows for the greatest key number.' });
  refuseMetaOnly(vault, 'a backup writes content');
}
