import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ResolvedHooks } from '../config/hooks-schema.ts';
import type { Config } from '../config/load-config.ts';
import type { ResolvedPlan } from '../config/resolve-plans.ts';
import type { ResolvedPolicy } from '../config/resolve-policy.ts';
import type { ResolvedSource } from '../config/resolved-source.ts';
import { fromText } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import type { Environment } from './places.ts';
import { chooseVault } from './vault-choice.ts';
import type { VaultChoice, VaultOptions } from './vault-choice.ts';

/** What `holdfast backup` was asked for. */
export interface BackupRequest extends VaultOptions {
  /** A plan's name, or paths, or `-` for standard input; none means all plans. */
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
  readonly verification?: ResolvedPolicy['verification'] | undefined;
}

export type OrderedSource = ResolvedSource | { readonly type: 'stdin'; readonly stdinName: string; readonly minimumSizeBytes: number };
export type OrderedPolicy = Pick<ResolvedPolicy, 'class' | 'encryption' | 'compression' | 'verification' | 'warningsAreGood' | 'minimumSizeBytes'> & Partial<Pick<ResolvedPolicy, 'frequency' | 'retention'>>;

/** One run to be: everything decided but the key, which is read when the vault is opened. */
export interface BackupOrder {
  readonly planName: string;
  /** What the plan's id is made of (format §1); byte strings. */
  readonly planParts: readonly string[];
  readonly vault: VaultChoice;
  readonly source: OrderedSource;
  readonly policy: OrderedPolicy;
  /** Of a plan in `holdfast.yaml` alone. */
  readonly hooks?: ResolvedHooks;
}

const DEFAULT_POLICY: OrderedPolicy = {
  class: 'hot', encryption: 'aes-256-gcm', compression: { algorithm: 'zstd', level: 3 }, verification: 'none', warningsAreGood: true, minimumSizeBytes: 0,
};
const DEFAULT_LEVELS = { zstd: 3, gzip: 6, none: 0 } as const;
const DEFAULT_FILES = { include: [], exclude: [], oneFileSystem: false, followSymlinks: false, changeDetection: 'auto', xattrs: true } as const;

/** Plans of the configuration, or one order for what the command line names; options of the command line win. */
export async function planOrders(request: BackupRequest, environment: Environment, config: Config | undefined): Promise<BackupOrder[]> {
  refuseEmpty(request.targets);
  if (request.command !== undefined || request.targets.includes('-')) return [await streamOrder(request, environment, config)];
  const plans = await namedPlans(request, config);
  if (plans.length === 0) return [await pathsOrder(request, environment, config)];
  return Promise.all(plans.map(async (plan) => withOptions(request, await orderOf(plan, request, environment, config))));
}

/** `"$DIR"` with DIR unset would otherwise be the working folder, and a backup of something that nobody meant. */
function refuseEmpty(targets: readonly string[]): void {
  if (targets.every((target) => target.trim() !== '')) return;
  throw new HoldfastError('usage', 'One of the paths is empty (""), wanted a path, a plan, or `-`.', { nextStep: 'Check the variable that it came from; the working folder is `.`.' });
}

async function namedPlans({ targets }: BackupRequest, config: Config | undefined): Promise<ResolvedPlan[]> {
  const { resolvePlans } = await import('../config/resolve-plans.ts');
  const plans = config === undefined ? [] : resolvePlans(config);
  // Plans of a stack run in AWS; when there are no others, what follows says so.
  const here = plans.filter(({ vault }) => vault.kind !== 'aws');
  if (targets.length === 0 && plans.length > 0) return here.length > 0 ? here : plans;
  const chosen = targets.map((target) => plans.find(({ name }) => name === target));
  if (chosen.every((plan) => plan === undefined)) return [];
  const stranger = targets.find((_, index) => chosen[index] === undefined);
  if (stranger !== undefined) throw new HoldfastError('usage', `${stranger} is not a plan of ${config?.file}, and other arguments are.`, { nextStep: 'Name plans or paths, not both; ./NAME is always a path.' });
  return chosen as ResolvedPlan[];
}

async function orderOf(plan: ResolvedPlan, request: BackupRequest, environment: Environment, config: Config | undefined): Promise<BackupOrder> {
  return { planName: plan.name, planParts: [fromText(plan.name)], vault: await chooseVault(request, environment, config, plan.vault), source: plan.source, policy: plan.policy, ...(plan.hooks && { hooks: plan.hooks }) };
}

async function streamOrder(request: BackupRequest, environment: Environment, config: Config | undefined): Promise<BackupOrder> {
  const { command, stdinName, targets } = request;
  const what = command === undefined ? '-' : '--command';
  if (stdinName === undefined) throw new HoldfastError('usage', `${what} needs --stdin-name NAME: the name under which the data is kept.`);
  if (!/^[^/\0]{1,255}$/.test(stdinName) || stdinName === '.' || stdinName === '..') throw new HoldfastError('usage', `--stdin-name is ${JSON.stringify(stdinName)}, wanted a file name without "/".`);
  if (targets.length > (command === undefined ? 1 : 0)) throw new HoldfastError('usage', `${what} stands alone: paths or plans cannot be given with it.`);
  const minimumSizeBytes = request.minimumSizeBytes ?? 1;
  const end = request.endMarker === undefined ? {} : { endMarker: request.endMarker };
  const source: OrderedSource = command === undefined ? { type: 'stdin', stdinName, minimumSizeBytes } : { type: 'command', command, stdinName, minimumSizeBytes, ...end };
  const planName = streamPlanName(source.type, stdinName);
  return withOptions(request, { planName, planParts: [fromText(planName)], vault: await chooseVault(request, environment, config), source, policy: DEFAULT_POLICY });
}

/** Names of plans in `holdfast.yaml` have no colon. */
export function streamPlanName(type: 'stdin' | 'command', name: string): string {
  return `${type}:${name}`;
}

async function pathsOrder(request: BackupRequest, environment: Environment, config: Config | undefined): Promise<BackupOrder> {
  if (request.targets.length === 0) {
    throw new HoldfastError('usage', 'There is nothing to back up: no path was given and no plan is configured.', { nextStep: 'Name a path (`holdfast backup DIR`), or make a holdfast.yaml with `holdfast init`.' });
  }
  const paths = absolutePaths(request.targets, environment.workingFolder);
  if (paths.length === 1 && !existsSync(paths[0] as string) && config !== undefined && !(request.targets[0] as string).includes('/')) {
    throw new HoldfastError('not-found', `${request.targets[0]} is neither a plan of ${config.file} nor a path.`, { nextStep: `Plans: ${Object.keys(config.fields.plans).join(', ') || 'none'}.` });
  }
  return withOptions(request, {
    planName: paths.join(', '),
    planParts: paths.map(fromText),
    vault: await chooseVault(request, environment, config),
    source: { type: 'files', paths, ...DEFAULT_FILES },
    policy: DEFAULT_POLICY,
  });
}

/** Each once, in byte order, so that the same paths are the same plan in whatever order they are written. */
export function absolutePaths(paths: readonly string[], workingFolder: string): string[] {
  return [...new Set(paths.map((path) => resolve(workingFolder, path)))].sort((left, right) => (fromText(left) < fromText(right) ? -1 : 1));
}

function withOptions(request: BackupRequest, order: BackupOrder): BackupOrder {
  const { source, policy } = order;
  if (source.type !== 'files' && (request.exclude?.length || request.include?.length || request.oneFileSystem)) throw new HoldfastError('usage', `--exclude, --include and --one-file-system are for files, and this backup is of type ${source.type}.`);
  const wanted = source.type !== 'files' ? source : {
    ...source,
    include: [...source.include, ...(request.include ?? [])],
    exclude: [...source.exclude, ...(request.exclude ?? [])],
    oneFileSystem: request.oneFileSystem ?? source.oneFileSystem,
  };
  const algorithm = request.compression?.algorithm ?? policy.compression.algorithm;
  const inherited = algorithm === policy.compression.algorithm ? policy.compression.level : DEFAULT_LEVELS[algorithm];
  return {
    ...order,
    source: withoutVault(wanted, order.vault.directory),
    policy: {
      ...policy,
      compression: { algorithm, level: request.compression?.level ?? inherited },
      class: request.class ?? policy.class,
      verification: request.verification ?? policy.verification,
      minimumSizeBytes: request.minimumSizeBytes ?? policy.minimumSizeBytes,
    },
  };
}

/** A vault inside of what it protects would grow by itself with every run: it is left out. */
function withoutVault<S extends OrderedSource>(source: S, vault: string): S {
  if (source.type === 'files') return { ...source, exclude: [...source.exclude, ...vaultPatterns(source.paths, vault)] };
  if (source.type === 'set') return { ...source, parts: source.parts.map((part) => ({ ...part, source: withoutVault(part.source, vault) })) };
  return source;
}

function vaultPatterns(paths: readonly string[], vault: string): string[] {
  const place = real(vault);
  return paths.flatMap((path) => {
    const root = real(path);
    if (!place.startsWith(root === '/' ? '/' : `${root}/`)) return [];
    const below = place.slice(root === '/' ? 1 : root.length + 1);
    const inBackup = paths.length === 1 ? below : `${path.slice(path.lastIndexOf('/') + 1)}/${below}`;
    return [`/${inBackup.replace(/[\\*?[\]{}()!+@|]/g, '\\$&')}`];
  });
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
