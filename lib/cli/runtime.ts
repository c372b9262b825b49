import type { HookReport } from '../backup/hook-report.ts';
import type { BackupProgress } from '../backup/run-progress.ts';
import type { Shipped } from '../backup/wal/ship-wal.ts';
import type { KeptUpLimits, KeptUpState } from '../backup/wal/kept-up.ts';
import type { WalStatus } from '../backup/wal/receive-wal.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { RestoreRecord } from '../catalog/records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { KeySlot, KeyWrapper } from '../keyring/key-slot.ts';
import type { Clock } from '../model/clock.ts';
import type { HoldfastError } from '../model/errors.ts';
import type { RunId } from '../model/ids.ts';
import type { Kit } from '../recovery/kit.ts';
import type { DataDirectoryOptions, DataDirectoryPlan, DataDirectoryRequest } from '../recovery/data-directory/plan.ts';
import type { DataDirectoryReport } from '../recovery/data-directory/restore.ts';
import type { RestorePlan, RestoreProgress, RestoreReport } from '../recovery/restore.ts';
import type { ObjectTarget } from '../recovery/objects/object-target.ts';
import type { ObjectRestorePlan, ObjectRestoreRequest, PlannedObject } from '../recovery/objects/plan-objects.ts';
import type { ObjectRestoreOptions, ObjectRestoreReport } from '../recovery/objects/restore-objects.ts';
import type { ValueRestoreOptions, ValueRestorePlan, ValueRestoreReport, ValueRestoreRequest } from '../recovery/values/restore-values.ts';
import type { ValueTarget } from '../recovery/values/value-target.ts';
import type { DatabaseRestorePlan, DatabaseRestoreReport } from '../recovery/restore-database.ts';
import type { DeployedPlan } from '../settings/deployed.ts';
import type { NamedRepository } from '../validation/rebuild-catalog.ts';
import type { HeadReport, VerifyLevel, VerifyProgress, VerifyReport } from '../validation/verify.ts';
import type { BackupStatistics, Manifest, Repository, SnapshotFile, SnapshotReader } from '../repository/index.ts';

/**
 * What the command line asks of the runtime below it; `lib/local` is handed in by the program's entry. Commands work
 * on the repository and the catalog through use cases; what needs this machine (places, keys, locks, threads) is here.
 */
export interface Runtime {
  chooseVault(options: VaultOptions): Promise<VaultChoice>;
  openVault(options: VaultOptions): Promise<Vault>;
  openChosen(choice: VaultChoice, limits?: { readonly uploadBytesPerSecond?: number | undefined; readonly stop?: AbortSignal | undefined }): Promise<Vault>;
  /** A plan by its name, and the vault that holdfast.yaml or the options name for it. */
  openPlan(options: VaultOptions, planName: string, limits?: { readonly patienceMs?: number }): Promise<OpenedPlan>;
  /** Plans of holdfast.yaml that keep their WAL in this vault and say how late it may be. */
  watchedPlans(options: VaultOptions, vault: Vault): Promise<readonly WatchedPlan[]>;
  receiveWal(plan: OpenedPlan, options: WalReceiveOptions): Promise<Shipped>;
  makeVault(choice: VaultChoice): Promise<{ readonly directory: string; readonly config: { readonly repository: string }; readonly key: string; readonly newKeyFile: string | undefined; readonly notes: readonly string[] }>;
  isVaultAt(directory: string): boolean;
  planOrders(request: BackupRequest): Promise<BackupOrder[]>;
  /** Fails as a backup would where the source is not there or may not be read; touches nothing else. */
  checkSource(order: BackupOrder): Promise<void>;
  backup(order: BackupOrder, vault: Vault, options: BackupOptions): Promise<BackupResult>;
  /** `passedOver`: of `latest`, in words, when newer backups are not good. */
  findBackup(vault: Vault, wanted: string): Promise<{ readonly name: string; readonly backup: string; readonly plan: string; readonly passedOver?: string }>;
  synchroniseCatalog(vault: Vault): Promise<{ readonly added: number; readonly expired: number; readonly vanished: readonly string[]; readonly unreadable: readonly string[] }>;
  content(reader: SnapshotReader, file: SnapshotFile): AsyncGenerator<Uint8Array>;
  restore(vault: Vault, reader: SnapshotReader, plan: RestorePlan, options: RestoreOptions): Promise<{ readonly report: RestoreReport; readonly notes: readonly string[] }>;
  planDatabaseRestore(vault: Vault, reader: SnapshotReader, request: DatabaseRequest): Promise<DatabaseRestorePlan>;
  restoreDatabase(vault: Vault, plan: DatabaseRestorePlan, options: DatabaseOptions): Promise<{ readonly reports: readonly DatabaseRestoreReport[]; readonly notes: readonly string[] }>;
  planValuesRestore(vault: Vault, reader: SnapshotReader, request: ValuesRequest): Promise<PlannedValuesRestore>;
  restoreValues(vault: Vault, reader: SnapshotReader, planned: PlannedValuesRestore, options: ValueRestoreOptions): Promise<{ readonly report: ValueRestoreReport; readonly notes: readonly string[] }>;
  planBucketRestore(vault: Vault, reader: SnapshotReader, request: BucketRequest): Promise<PlannedBucketRestore>;
  restoreBucket(vault: Vault, reader: SnapshotReader, planned: PlannedBucketRestore, options: BucketOptions): Promise<{ readonly report: ObjectRestoreReport; readonly notes: readonly string[] }>;
  planDataDirectoryRestore(vault: Vault, reader: SnapshotReader, wish: DataDirectoryWish, run: DataDirectoryRun): Promise<DataDirectoryPlan>;
  restoreDataDirectory(vault: Vault, reader: SnapshotReader, plan: DataDirectoryPlan, run: DataDirectoryRun): Promise<{ readonly report: DataDirectoryReport; readonly notes: readonly string[] }>;
  verify(vault: Vault, request: VerifyRequest): Promise<{ readonly report: VerifyReport; readonly notes: readonly string[] }>;
  /** Whether this machine, the configuration, vault, key and store are fit. */
  examineAll(options: VaultOptions, asked: { readonly isProbing: boolean; readonly signal: AbortSignal; readonly onRow: (row: DoctorRow) => void }): Promise<readonly DoctorRow[]>;
  /** The recovery kit of this installation. */
  recoveryKit(): Promise<Kit>;
  /** What is damaged of that which a vault is opened with; for when opening fails. */
  examineVault(options: VaultOptions): Promise<HeadReport>;
}

/** A deployed stack: besides what every runtime does, it runs plans and restores itself. */
export interface StackRuntime extends Runtime {
  readonly stackName: string;
  /** Of all its vaults; opens none of them. */
  catalog(): Promise<Catalog>;
  ledger(): Promise<StackLedger>;
  /** As the newest deploy has them. */
  deployedPlans(): Promise<readonly DeployedPlan[]>;
  /** Where the task of a run writes its log. */
  taskLog(planName: string, taskArn: string): Promise<TaskLog>;
  /** Answers the id of the run. */
  requestRun(plan: string, options: { readonly isFull: boolean }): Promise<RunId>;
  followRun(runId: RunId, options: { readonly signal: AbortSignal; readonly onState: (run: LedgerRun) => void }): Promise<LedgerRun>;
  /** Answers the ARN of the execution. */
  startRestore(asked: { readonly backup: string; readonly target: string; readonly confirm: string; readonly part?: string; readonly select?: readonly string[] }): Promise<string>;
  followRestore(execution: string, options: { readonly signal: AbortSignal; readonly onProgress: (record: RestoreRecord) => void }): Promise<{ readonly isSuccess: boolean; readonly record?: RestoreRecord; readonly failure?: { readonly code: string; readonly message: string; readonly nextStep?: string } }>;
}

export type StackLedger = Pick<RunLedger, 'getLedgerRun' | 'getOccurrence' | 'activeRuns' | 'listAlerts' | 'setPaused' | 'pauses'>;

export interface TaskLog {
  readonly logStream: string;
  /** Absent: `problem` says why it is not known. */
  readonly logGroup?: string;
  readonly problem?: string;
}

export function isStack(runtime: Runtime): runtime is StackRuntime {
  return 'stackName' in runtime;
}

export interface DoctorRow {
  readonly area: string;
  readonly check: string;
  readonly result: 'ok' | 'warning' | 'failed';
  /** What was seen, and what it means. */
  readonly seen: string;
  readonly nextStep?: string;
}

/** Every stored byte is read again within so many days, by runs that take no longer than told. */
export interface Coverage {
  readonly withinDays: number;
  readonly maxDurationMs?: number | undefined;
}

export interface VerifyRequest {
  /** Names of snapshots; the whole vault when absent. */
  readonly backups?: readonly string[] | undefined;
  readonly level: VerifyLevel;
  /** A run of the coverage clock over the whole vault instead: `backups` and `level` do not count. */
  readonly within?: Coverage | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

export interface VaultOptions {
  readonly vault?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly recipientKeyFile?: string | undefined;
  readonly config?: string | undefined;
}

export type KeyChoice =
  | { readonly kind: 'key-file' | 'passphrase-file' | 'recipient-key'; readonly path: string }
  | { readonly kind: 'passphrase'; readonly secret: { readonly kind: 'env' | 'file'; readonly name: string } }
  | { readonly kind: 'kms'; readonly keyId: string };

/** Also the public half of a recipient, which opens nothing. */
export type SlotChoice = KeyChoice | { readonly kind: 'recipient'; readonly path: string };

export interface VaultChoice {
  /** For a vault in a bucket what it is called. */
  readonly directory: string;
  readonly s3?: { readonly bucket: string; readonly prefix: string; readonly endpoint?: string; readonly region?: string; readonly pathStyle?: boolean; readonly caFile?: string };
  readonly key: KeyChoice;
  readonly keyFrom: string;
  readonly isDefault: boolean;
  readonly recipients?: readonly string[];
}

export interface Vault {
  readonly directory: string;
  readonly repository: Repository;
  /** What new slots are wrapped for so that a key opens them; when none is named, the one in use and the recipients of the configuration. */
  wrappers(key?: SlotChoice): Promise<readonly KeyWrapper[]>;
  /** The slots that the key in use opened. */
  readonly opened: readonly KeySlot[];
  readonly coverage?: Coverage;
  readonly stateFolder: string;
  readonly mayWrite: boolean;
  readonly warnings: readonly string[];
  /** All vaults that the catalog serves; absent: this one. */
  repositories?(): Promise<readonly NamedRepository[]>;
  catalog(): Promise<Catalog>;
  discardCatalog(): Promise<void>;
  passOverCatalog(): Promise<void>;
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export type Verification = 'none' | 'structure' | 'sample' | 'full';

export interface BackupRequest extends VaultOptions {
  readonly targets: readonly string[];
  readonly command?: string | undefined;
  readonly stdinName?: string | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly include?: readonly string[] | undefined;
  readonly oneFileSystem?: boolean | undefined;
  readonly endMarker?: string | undefined;
  readonly minimumSizeBytes?: number | undefined;
  readonly compression?: { readonly algorithm?: 'zstd' | 'gzip' | 'none' | undefined; readonly level?: number | undefined } | undefined;
  readonly class?: 'hot' | 'warm' | 'cold' | undefined;
  readonly verification?: Verification | undefined;
}

/** Made by `planOrders` and given back whole; only these parts are read here. */
export interface BackupOrder {
  readonly planName: string;
  readonly vault: VaultChoice;
  readonly policy: { readonly verification: Verification; readonly warningsAreGood: boolean; readonly frequency?: unknown; readonly retention?: object | undefined };
}

export interface BackupOptions {
  readonly isFull: boolean;
  readonly threads?: number | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined;
  readonly onHook?: ((report: HookReport) => void) | undefined;
}

export interface BackupResult {
  readonly manifest: Manifest;
  readonly statistics: BackupStatistics;
  readonly evidence: readonly string[];
  readonly notes: readonly string[];
  readonly hints: readonly string[];
  readonly hooks: readonly HookReport[];
}

export interface DatabaseRequest {
  readonly config?: string | undefined;
  readonly url?: string | undefined;
  readonly target?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly isCreating: boolean;
  readonly isCleaning: boolean;
  readonly isKeeping: boolean;
  readonly isWithoutOwners: boolean;
  readonly entry?: string | undefined;
  readonly tables?: readonly string[] | undefined;
  readonly schemas?: readonly string[] | undefined;
  readonly jobs?: number | undefined;
  readonly signal: AbortSignal;
}

/** `url`: `s3://BUCKET/PREFIX` with parameters. */
export interface BucketRequest extends ObjectRestoreRequest {
  readonly url: string;
}

/** `url`: `ssm:PREFIX` or `secretsmanager:PREFIX` with parameters. */
export interface ValuesRequest extends ValueRestoreRequest {
  readonly url: string;
}

export interface PlannedValuesRestore {
  readonly plan: ValueRestorePlan;
  readonly target: ValueTarget;
}

export interface PlannedBucketRestore {
  readonly plan: ObjectRestorePlan;
  readonly target: ObjectTarget;
  objects(): AsyncIterable<PlannedObject>;
}

export type BucketOptions = Omit<ObjectRestoreOptions, 'clock'>;

export interface DatabaseOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: { readonly bytes: number; readonly totalBytes: number }) => void) | undefined;
}

/** `directory` as it was written: relative to the working folder. */
export type DataDirectoryWish = DataDirectoryRequest & { readonly access: VaultOptions };
export type DataDirectoryRun = Pick<DataDirectoryOptions, 'signal' | 'onProgress'>;

export interface RestoreOptions {
  readonly threads?: number;
  readonly restoreOwner?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

/** A plan whose WAL is looked after. */
export interface WatchedPlan {
  readonly planName: string;
  /** Its opaque id in the vault. */
  readonly plan: string;
  /** Later WAL is told; absent: holdfast.yaml wants nothing of the kind. */
  readonly walFreshnessMs?: number;
}

/** Made by `openPlan` and given back whole; only these parts are read here. */
export interface OpenedPlan extends WatchedPlan {
  readonly vault: Vault;
  /** The holdfast.yaml that was read; absent where there is none. */
  readonly configFile?: string;
}

export interface WalReceiveOptions extends KeptUpLimits {
  readonly slot?: string | undefined;
  readonly partialEveryMs: number;
  readonly signal: AbortSignal;
  readonly onStatus: (status: WalStatus) => void;
  readonly onKeptUp: (state: KeptUpState) => void;
  readonly onWarning: (problem: HoldfastError, seen: { readonly waitingFiles?: number; readonly againMs: number }) => void;
}

/** Everything a command touches of the outside. */
export interface Surroundings {
  readonly version: string;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Words as they were given, the command first. */
  readonly commandLine?: readonly string[];
  readonly workingFolder: string;
  readonly userName: string;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Aborted with a HoldfastError `interrupted` by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Of this machine, or of a deployed stack when one is named. */
  loadRuntime(stackName?: string): Promise<Runtime>;
}
