import { join } from 'node:path';
import type { Catalog } from '../catalog/catalog.ts';
import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { RestoreRecord } from '../catalog/records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { AskedRestore, EndedRestore } from '../aws/start-restore.ts';
import type { Stack } from '../aws/stack.ts';
import type { TaskLog } from '../aws/task-log.ts';
import type { KeyWrapper } from '../keyring/key-slot.ts';
import { recipientWrapper } from '../keyring/recipient.ts';
import { parseRecipient } from '../keyring/recipient/public-half.ts';
import { HoldfastError } from '../model/errors.ts';
import type { RunId } from '../model/ids.ts';
import { names } from '../repository/index.ts';
import type { DeployedConfig, DeployedPlan } from '../settings/deployed.ts';
import { backupFamily } from '../settings/ids.ts';
import type { NamedRepository } from '../validation/rebuild-catalog.ts';
import type { FoundBackup } from './find-backup.ts';
import type { Synchronised } from './catalog-sync.ts';
import { wrappersOf } from './key-choice.ts';
import { placesOf } from './places.ts';
import { LocalRuntime } from './runtime.ts';
import type { LocalOptions } from './runtime.ts';
import type { LocalVault, MadeVault } from './vault.ts';
import type { OpenedPlan } from './wal.ts';
import type { WatchedPlan } from './watched-plans.ts';
import type { VaultChoice, VaultOptions } from './vault-choice.ts';

/**
 * A deployed stack as the command line sees it: its vaults are opened from here with the caller's own rights, its
 * catalog is asked, and what runs runs there (`--aws STACK`).
 */
export class StackRuntime extends LocalRuntime {
  readonly stackName: string;
  readonly #options: LocalOptions;
  #stack: Promise<Stack> | undefined;

  constructor(options: LocalOptions, stackName: string) {
    super(options);
    this.#options = options;
    this.stackName = stackName;
  }

  override async chooseVault(options: VaultOptions): Promise<VaultChoice> {
    const { name, place } = await this.#chosen(options);
    const s3 = { bucket: place.bucket, prefix: place.prefix.replace(/\/$/, '') };
    return { directory: `${this.stackName}/${name}`, s3, key: { kind: 'kms', keyId: (await this.#found()).outputs.vaults[name]?.keyArn ?? '' }, keyFrom: `the stack ${this.stackName}`, isDefault: false };
  }

  override async openVault(options: VaultOptions): Promise<LocalVault> {
    const stack = await this.#found();
    const { name, place } = await this.#chosen(options);
    const { openStackVault } = await import('../aws/stack-vault.ts');
    const { stackWrappers } = await import('../aws/stack-wrappers.ts');
    const { repository, unlocker, opened, mayWrite, warnings } = await openStackVault(place, stack.clients);
    const catalog = vaultCatalog(stack.catalog, name);
    return {
      directory: `${this.stackName}/${name} (${repository.store.description})`,
      repository, unlocker, opened, mayWrite, warnings,
      wrappers: async (key) => (key === undefined ? [...(await stackWrappers(place, repository.config.repository, stack.clients)), ...(await this.#recipientsOf(name))] : wrappersOf(key, this.#options.environment, repository.config.repository)),
      stateFolder: join(placesOf(this.#options.environment).stateFolder, 'repositories', repository.config.repository),
      catalog: async () => catalog,
      repositories: () => this.#allRepositories(stack),
      discardCatalog: () => Promise.reject(notHere('The catalog of a stack is a table and cannot be put aside')),
      passOverCatalog: () => Promise.reject(notHere('The catalog of a stack is a table and cannot be passed over')),
      sweep: async () => undefined,
      close: async () => undefined,
    };
  }

  /** As it was deployed, in the vault that it was deployed with: what its receiver stored can be read from here. */
  override async openPlan(options: VaultOptions, planName: string): Promise<OpenedPlan> {
    const plans = await this.deployedPlans();
    const found = plans.find(({ name }) => name === planName);
    if (found === undefined) throw new HoldfastError('usage', `${planName} is no plan of the stack ${this.stackName}.`, { nextStep: `Plans: ${plans.map(({ name }) => name).join(', ') || 'none'}.` });
    const { planId, vault, source, wal } = found;
    return { vault: await this.openVault({ ...options, vault }), planName, plan: planId, source, ...(wal && { walFreshnessMs: wal.freshnessMs }) };
  }

  override async watchedPlans({ vault }: VaultOptions): Promise<readonly WatchedPlan[]> {
    const { name } = await this.#chosen({ vault });
    return (await this.deployedPlans()).flatMap((plan) => (plan.wal === undefined || plan.vault !== name ? [] : [{ planName: plan.name, plan: plan.planId, walFreshnessMs: plan.wal.freshnessMs }]));
  }

  override receiveWal(): Promise<never> {
    return Promise.reject(new HoldfastError('unsupported', 'In a stack a task receives WAL, and not this machine.', { nextStep: 'Give the plan `wal-receiver: {}` in holdfast.yaml and deploy: docs/point-in-time.md.' }));
  }

  override makeVault(): Promise<MadeVault> {
    return Promise.reject(notHere('The vaults of a stack are made by `cdk deploy`'));
  }

  /** The control plane keeps the catalog of a stack; whoever lists does not write it. */
  override async synchroniseCatalog(): Promise<Synchronised> {
    return { added: 0, expired: 0, vanished: [], unreadable: [] };
  }

  /** By the catalog: ids of plans are made otherwise in a stack, and one lookup is quicker than a listing. */
  override async findBackup(vault: LocalVault, wanted: string): Promise<FoundBackup> {
    const catalog = await vault.catalog();
    const plan = wanted.startsWith('latest:') ? wanted.slice('latest:'.length) : undefined;
    const found = wanted === 'latest' || plan !== undefined ? await catalog.latestBackup(plan) : await catalog.getBackup(wanted);
    if (found === undefined) throw new HoldfastError('not-found', `There is no good backup${plan === undefined ? '' : ` of the plan ${plan}`} in the stack ${this.stackName}.`, { nextStep: `Run \`holdfast list --aws ${this.stackName}\` for the ids.` });
    return { backup: found.backupId, plan: found.planId, name: names.snapshot(found.planId, found.backupId) };
  }

  /** Starts a run of a plan in the stack, at once. */
  async requestRun(plan: string, options: { readonly isFull: boolean }): Promise<RunId> {
    const { outputs, lambda } = await this.#found();
    const { requestRun } = await import('../aws/start-run.ts');
    return requestRun(lambda(), outputs.dispatch, { plan, ...options });
  }

  async followRun(runId: RunId, options: { readonly signal: AbortSignal; readonly onState: (run: LedgerRun) => void }): Promise<LedgerRun> {
    const { ledger } = await this.#found();
    const { followRun } = await import('../aws/start-run.ts');
    return followRun(ledger, runId, { ...options, clock: this.#options.clock });
  }

  /** Starts the stack's restore workflow; answers the ARN of its execution. */
  async startRestore(asked: AskedRestore): Promise<string> {
    const { outputs, workflows } = await this.#found();
    const { startRestore } = await import('../aws/start-restore.ts');
    return startRestore(workflows(), outputs.restoreWorkflow, asked);
  }

  async followRestore(execution: string, options: { readonly signal: AbortSignal; readonly onProgress: (record: RestoreRecord) => void }): Promise<EndedRestore> {
    const { catalog, workflows } = await this.#found();
    const { followRestore } = await import('../aws/start-restore.ts');
    const { restoreIdOf } = await import('../recovery/workflow/restore-id.ts');
    return followRestore(workflows(), execution, { ...options, catalog, restoreId: restoreIdOf(execution), clock: this.#options.clock });
  }

  /** Of all vaults of the stack; needs no key. */
  async catalog(): Promise<Catalog> {
    return (await this.#found()).catalog;
  }

  async ledger(): Promise<RunLedger> {
    return (await this.#found()).ledger;
  }

  async deployedPlans(): Promise<readonly DeployedPlan[]> {
    return (await this.#deployed()).plans;
  }

  async taskLog(planName: string, taskArn: string): Promise<TaskLog> {
    const [{ findTaskLog }, { ecsClient }] = await Promise.all([import('../aws/task-log.ts'), import('../aws/clients.ts')]);
    return findTaskLog(ecsClient(), backupFamily(this.stackName, planName), taskArn);
  }

  /** As the newest deploy has them. */
  async #recipientsOf(vault: string): Promise<KeyWrapper[]> {
    const { recipients = [] } = (await this.#deployed()).vaults.find(({ name }) => name === vault) ?? {};
    return recipients.map(({ label, text }) => recipientWrapper(parseRecipient(text, label, label)));
  }

  async #deployed(): Promise<DeployedConfig> {
    const { outputs } = await this.#found();
    const [{ readDeployedConfig }, { s3Client }] = await Promise.all([import('../aws/deployed-config.ts'), import('../aws/clients.ts')]);
    return (await readDeployedConfig(s3Client({ maxAttempts: 4 }), outputs.configUrl)).config;
  }

  /** A rebuilt catalog replaces that of all vaults. */
  async #allRepositories({ outputs, clients }: Stack): Promise<readonly NamedRepository[]> {
    const { openStackVault } = await import('../aws/stack-vault.ts');
    return Promise.all(Object.entries(outputs.vaults).map(async ([vault, place]) => ({ vault, repository: (await openStackVault(place, clients)).repository })));
  }

  #found(): Promise<Stack> {
    this.#stack ??= import('../aws/stack.ts').then(({ openStack }) => openStack(this.stackName, this.#options.clock));
    return this.#stack;
  }

  async #chosen({ vault }: VaultOptions) {
    const { vaults } = (await this.#found()).outputs;
    const known = Object.keys(vaults);
    const name = vault ?? (known.length === 1 ? known[0] : undefined);
    const place = name === undefined ? undefined : vaults[name];
    if (name !== undefined && place !== undefined) return { name, place };
    const seen = vault === undefined ? `has ${known.length} vaults` : `has no vault ${vault}`;
    throw new HoldfastError('usage', `The stack ${this.stackName} ${seen} (${known.join(', ')}), wanted one of them by name.`, { nextStep: `Add --vault ${known[0] ?? 'NAME'}.` });
  }
}

/** One catalog serves all vaults of a stack; a vault is shown what is its own. */
function vaultCatalog(catalog: Catalog, vault: string): Catalog {
  const listBackups: Catalog['listBackups'] = async (filter) => {
    const page = await catalog.listBackups(filter);
    return { ...page, backups: page.backups.filter((backup) => backup.vault === undefined || backup.vault === vault) };
  };
  return new Proxy(catalog, {
    get: (target, name) => {
      if (name === 'listBackups') return listBackups;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

function notHere(what: string): HoldfastError {
  return new HoldfastError('unsupported', `${what}.`, { nextStep: 'Leave out --aws for a vault of this machine.' });
}
