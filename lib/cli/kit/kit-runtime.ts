import { HoldfastError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import { readContent } from '../../recovery/read-content.ts';
import { executeRestore } from '../../recovery/restore.ts';
import type { RestorePlan } from '../../recovery/restore.ts';
import { openRepository, readConfig } from '../../repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../../repository/index.ts';
import type { Store } from '../../stores/store.ts';
import { examineHead, verify } from '../../validation/verify.ts';
import type { HeadReport, VerifyReport } from '../../validation/verify.ts';
import type { RestoreOptions, Runtime, Vault, VaultOptions, VerifyRequest } from '../runtime.ts';
import { findBackup } from './find-backup.ts';
import { firstUnlocker, openWith, unlockersOf } from './kit-keys.ts';
import type { KeyOptions } from './kit-keys.ts';

export interface KitPorts {
  readonly clock: Clock;
  /** The vault's folder when none is named. */
  readonly vaultFolder: string;
  /** For reading alone. */
  openStore(folder: string): Store;
  /** Undefined when there is no terminal. */
  askPassphrase(): Promise<string | undefined>;
}

type KitOptions = VaultOptions & KeyOptions;

const absent = (what: string) => (): never => {
  throw new HoldfastError('unsupported', `The recovery kit reads backups; ${what} is done by Holdfast itself.`, { nextStep: 'Install Holdfast and run the same command there.' });
};

/** A vault without the machine that it was made on: no catalog, no configuration, no state, and nothing is written to it. */
export class KitRuntime implements Runtime {
  readonly #ports: KitPorts;
  readonly chooseVault = absent('choosing vaults by a configuration');
  readonly openChosen = absent('opening vaults of a configuration');
  readonly openPlan = absent('keeping WAL');
  readonly watchedPlans = absent('keeping WAL');
  readonly receiveWal = absent('keeping WAL');
  readonly makeVault = absent('making vaults');
  readonly isVaultAt = absent('making vaults');
  readonly planOrders = absent('making backups');
  readonly checkSource = absent('making backups');
  readonly backup = absent('making backups');
  readonly synchroniseCatalog = absent('keeping a catalog');
  readonly planValuesRestore = absent('restoring into services of AWS');
  readonly restoreValues = absent('restoring into services of AWS');
  readonly planBucketRestore = absent('restoring into a bucket');
  readonly restoreBucket = absent('restoring into a bucket');
  readonly planDatabaseRestore = absent('restoring into a database');
  readonly restoreDatabase = absent('restoring into a database');
  readonly planDataDirectoryRestore = absent('restoring a data directory');
  readonly restoreDataDirectory = absent('restoring a data directory');
  readonly examineAll = absent('examining a machine');
  readonly recoveryKit = absent('writing the kit out');

  constructor(ports: KitPorts) {
    this.#ports = ports;
  }

  /** Fails as `vault-not-found`, `missing-key`, `wrong-key`, `unsupported-version`, `damaged`. */
  async openVault(options: KitOptions): Promise<Vault> {
    const store = this.openStore(options);
    const config = await readConfig(store);
    const keys = await openWith(store, config.repository, await unlockersOf(options, () => this.#ports.askPassphrase()));
    const repository = openRepository(store, config, keys);
    const noCatalog = absent('keeping a catalog');
    return {
      directory: store.description, repository, opened: keys.slots, stateFolder: '', mayWrite: false, warnings: keys.problems.map(({ message }) => message),
      wrappers: absent('adding keys'), catalog: noCatalog, discardCatalog: noCatalog, passOverCatalog: noCatalog,
      sweep: async () => undefined, close: async () => undefined,
    };
  }

  /** Also for commands that need no key. Fails as `usage` for a place that is no folder. */
  openStore({ vault }: Pick<VaultOptions, 'vault'>): Store {
    if (vault?.startsWith('s3://')) throw new HoldfastError('usage', `The recovery kit reads a vault in a folder, and ${vault} is a bucket.`, { nextStep: `Copy it first: \`aws s3 sync ${vault} DIR\`, then --vault DIR.` });
    return this.#ports.openStore(vault ?? this.#ports.vaultFolder);
  }

  findBackup({ repository }: Vault, wanted: string): Promise<{ readonly name: string; readonly backup: string; readonly plan: string }> {
    return findBackup(repository, wanted);
  }

  content(reader: SnapshotReader, file: SnapshotFile): AsyncGenerator<Uint8Array> {
    return readContent(reader, file);
  }

  async restore({ repository }: Vault, reader: SnapshotReader, plan: RestorePlan, options: RestoreOptions): Promise<Awaited<ReturnType<Runtime['restore']>>> {
    if (process.platform !== 'linux') throw new HoldfastError('unsupported', `Restoring needs /proc/self/fd, which ${process.platform} does not have, wanted Linux.`, { nextStep: 'Run it on Linux, for example in a container of the image `node` with this folder and the target mounted. `cat` writes single files anywhere.' });
    repository.keys.subkey('frame');
    // No native module: it would be looked for beside the script, where whoever writes into the vault could have put one.
    return { report: await executeRestore(reader, plan, { ...options, clock: this.#ports.clock, setXattrs: undefined }), notes: [] };
  }

  async verify({ repository }: Vault, { backups, level, signal, onProgress }: VerifyRequest): Promise<{ readonly report: VerifyReport; readonly notes: readonly string[] }> {
    const report = await verify(repository, { level, signal, clock: this.#ports.clock, isRecording: false, ...(backups && { backups }), ...(onProgress && { onProgress }) });
    return { report, notes: [] };
  }

  async examineVault(options: KitOptions): Promise<HeadReport> {
    return examineHead(this.openStore(options), await firstUnlocker(options));
  }
}

