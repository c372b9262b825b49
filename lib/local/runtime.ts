import type { Shipped } from '../backup/wal/ship-wal.ts';
import { fromText } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import type { Kit } from '../recovery/kit.ts';
import type { SnapshotFile, SnapshotReader } from '../repository/index.ts';
import type { RestorePlan } from '../recovery/restore.ts';
import type { DatabaseRestorePlan } from '../recovery/restore-database.ts';
import type { DataDirectoryPlan } from '../recovery/data-directory/plan.ts';
import type { DataDirectoryReport } from '../recovery/data-directory/restore.ts';
import type { BackupOptions, BackupResult } from './backup.ts';
import type { BackupOrder, BackupRequest } from './backup-order.ts';
import type { Synchronised } from './catalog-sync.ts';
import { findConfig } from './configuration.ts';
import type { DoctorOptions, DoctorRow } from './doctor.ts';
import type { FoundBackup } from './find-backup.ts';
import { planIdOf } from './plan-id.ts';
import { walFreshnessOf, watchedPlansOf } from './watched-plans.ts';
import type { WatchedPlan } from './watched-plans.ts';
import type { RestoreOptions, RestoreResult } from './restore.ts';
import type { DataDirectoryRun, DataDirectoryWish } from './restore-data-directory.ts';
import type { DatabaseOptions, DatabaseRequest, DatabaseResult } from './restore-database.ts';
import type { ValueRestoreOptions, ValueRestoreReport } from '../recovery/values/restore-values.ts';
import type { PlannedValuesRestore, ValuesRequest } from './restore-values.ts';
import type { BucketOptions, BucketRequest, BucketRestoreResult, PlannedBucketRestore } from './restore-objects.ts';
import type { HeadReport } from '../validation/verify.ts';
import type { VerifyRequest, VerifyResult } from './verify.ts';
import type { WorkerEntries } from '../engine/start-thread.ts';
import type { LocalContext, LocalVault, MadeVault, StoreLimits } from './vault.ts';
import { examineVault, isVaultAt, makeVault, openVault } from './vault.ts';
import type { OpenedPlan, ReceiveOptions } from './wal.ts';
import { chooseVault } from './vault-choice.ts';
import type { VaultChoice, VaultOptions } from './vault-choice.ts';

export interface LocalOptions extends LocalContext {
  readonly workers: WorkerEntries;
}

/**
 * The local runtime as faces see it. Heavy parts are loaded by the call that needs them, so that a command starts with
 * no more than it uses.
 */
export class LocalRuntime {
  readonly #context: LocalOptions;

  constructor(options: LocalOptions) {
    this.#context = options;
  }

  async chooseVault(options: VaultOptions): Promise<VaultChoice> {
    return chooseVault(options, this.#context.environment, await findConfig(this.#context.environment, options.config));
  }

  async openVault(options: VaultOptions): Promise<LocalVault> {
    return openVault(await this.chooseVault(options), this.#context);
  }

  openChosen(choice: VaultChoice, limits: StoreLimits = {}): Promise<LocalVault> {
    return openVault(choice, this.#context, limits);
  }

  /**
   * A plan by its name in holdfast.yaml, and the vault that this names; where there is no holdfast.yaml, any name and the
   * vault of the options. Fails as `usage` when there is one and it has no such plan.
   */
  async openPlan(options: VaultOptions, planName: string, limits: StoreLimits = {}): Promise<OpenedPlan> {
    const { environment } = this.#context;
    const config = await findConfig(environment, options.config);
    const found = config === undefined ? undefined : (await import('../config/resolve-plans.ts')).resolvePlans(config).find(({ name }) => name === planName);
    if (config !== undefined && found === undefined) throw new HoldfastError('usage', `${planName} is no plan of ${config.file}.`, { nextStep: `Plans: ${Object.keys(config.fields.plans).join(', ') || 'none'}.` });
    const vault = await openVault(await chooseVault(options, environment, config, found?.vault), this.#context, limits);
    return { vault, planName, plan: planIdOf(vault.repository.keys.keys.chunker, [fromText(planName)]), ...(found && { source: found.source, ...walFreshnessOf(found.source) }), ...(config && { configFile: config.file }) };
  }

  async watchedPlans(options: VaultOptions, vault: Pick<LocalVault, 'directory' | 'repository'>): Promise<readonly WatchedPlan[]> {
    const config = await findConfig(this.#context.environment, options.config);
    return config === undefined ? [] : watchedPlansOf(config, vault);
  }

  async receiveWal(plan: OpenedPlan, options: ReceiveOptions): Promise<Shipped> {
    const { performReceive } = await import('./wal.ts');
    return performReceive(plan, options, this.#context);
  }

  makeVault(choice: VaultChoice): Promise<MadeVault> {
    return makeVault(choice, this.#context);
  }

  isVaultAt(directory: string): boolean {
    return isVaultAt(directory);
  }

  async planOrders(request: BackupRequest): Promise<BackupOrder[]> {
    const { planOrders } = await import('./backup-order.ts');
    return planOrders(request, this.#context.environment, await findConfig(this.#context.environment, request.config));
  }

  async checkSource(order: BackupOrder): Promise<void> {
    const [{ sourceOf }, { placesOf }] = await Promise.all([import('./source-of.ts'), import('./places.ts')]);
    const source = await sourceOf(order, placesOf(this.#context.environment).stateFolder, this.#context);
    await source.check();
  }

  async backup(order: BackupOrder, vault: LocalVault, options: BackupOptions): Promise<BackupResult> {
    const { performBackup } = await import('./backup.ts');
    return performBackup(order, vault, options, this.#context);
  }

  async findBackup(vault: LocalVault, wanted: string): Promise<FoundBackup> {
    const { findBackup } = await import('./find-backup.ts');
    return findBackup(vault.repository, wanted, this.#context.environment.workingFolder);
  }

  async synchroniseCatalog(vault: LocalVault): Promise<Synchronised> {
    const { synchroniseCatalog } = await import('./catalog-sync.ts');
    return synchroniseCatalog(vault.repository, await vault.catalog());
  }

  async restore(vault: LocalVault, reader: SnapshotReader, plan: RestorePlan, options: RestoreOptions): Promise<RestoreResult> {
    const { performRestore } = await import('./restore.ts');
    return performRestore(vault, reader, plan, options, this.#context);
  }

  /** The bytes of one file of a backup, in order; each piece is lent until the next is asked for. */
  async *content(reader: SnapshotReader, file: SnapshotFile): AsyncGenerator<Uint8Array> {
    const { contentOf } = await import('./content.ts');
    yield* contentOf(reader, file, this.#context);
  }

  async planValuesRestore(vault: LocalVault, reader: SnapshotReader, request: ValuesRequest): Promise<PlannedValuesRestore> {
    const { planRestoreOfValues } = await import('./restore-values.ts');
    return planRestoreOfValues(vault, reader, request, this.#context);
  }

  async restoreValues(vault: LocalVault, reader: SnapshotReader, planned: PlannedValuesRestore, options: ValueRestoreOptions): Promise<{ readonly report: ValueRestoreReport; readonly notes: readonly string[] }> {
    const { performValuesRestore } = await import('./restore-values.ts');
    return performValuesRestore(vault, reader, planned, options, this.#context);
  }

  async planBucketRestore(vault: LocalVault, reader: SnapshotReader, request: BucketRequest): Promise<PlannedBucketRestore> {
    const { planRestoreIntoBucket } = await import('./restore-objects.ts');
    return planRestoreIntoBucket(vault, reader, request, this.#context);
  }

  async restoreBucket(vault: LocalVault, reader: SnapshotReader, planned: PlannedBucketRestore, options: BucketOptions): Promise<BucketRestoreResult> {
    const { performBucketRestore } = await import('./restore-objects.ts');
    return performBucketRestore(vault, reader, planned, options, this.#context);
  }

  async planDatabaseRestore(vault: LocalVault, reader: SnapshotReader, request: DatabaseRequest): Promise<DatabaseRestorePlan> {
    const { planRestoreIntoDatabase } = await import('./restore-database.ts');
    return planRestoreIntoDatabase(vault, reader, request, this.#context);
  }

  async restoreDatabase(vault: LocalVault, plan: DatabaseRestorePlan, options: DatabaseOptions): Promise<DatabaseResult> {
    const { performDatabaseRestore } = await import('./restore-database.ts');
    return performDatabaseRestore(vault, plan, { options, context: this.#context });
  }

  async planDataDirectoryRestore(vault: LocalVault, reader: SnapshotReader, wish: DataDirectoryWish, run: DataDirectoryRun): Promise<DataDirectoryPlan> {
    const { planRestoreIntoDataDirectory } = await import('./restore-data-directory.ts');
    return planRestoreIntoDataDirectory(vault, reader, { wish, run, context: this.#context });
  }

  async restoreDataDirectory(vault: LocalVault, reader: SnapshotReader, plan: DataDirectoryPlan, run: DataDirectoryRun): Promise<{ readonly report: DataDirectoryReport; readonly notes: readonly string[] }> {
    const { performDataDirectoryRestore } = await import('./restore-data-directory.ts');
    return performDataDirectoryRestore(vault, reader, plan, { run, context: this.#context });
  }

  async verify(vault: LocalVault, request: VerifyRequest): Promise<VerifyResult> {
    const { performVerify } = await import('./verify.ts');
    return performVerify(vault, request, this.#context);
  }

  async examineAll(options: VaultOptions, asked: Omit<DoctorOptions, 'chooseVault'>): Promise<readonly DoctorRow[]> {
    const { examineAll } = await import('./doctor.ts');
    return examineAll(options, this.#context, { ...asked, chooseVault: () => this.chooseVault(options) });
  }

  async recoveryKit(): Promise<Kit> {
    const { kit } = this.#context;
    if (kit === undefined) throw new HoldfastError('unsupported', 'Holdfast runs from its sources here, and the recovery kit is made by the build.', { nextStep: 'Run `npm run build`, then `node dist/holdfast.mjs kit --to DIR`.' });
    return (await import('./kit.ts')).readKit(kit);
  }

  async examineVault(options: VaultOptions): Promise<HeadReport> {
    return examineVault(await this.chooseVault(options), this.#context);
  }
}
