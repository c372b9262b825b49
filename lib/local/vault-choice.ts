import { resolve } from 'node:path';
import type { Config } from '../config/load-config.ts';
import type { ResolvedVault } from '../config/resolve-plans.ts';
import { HoldfastError } from '../model/errors.ts';
import { isHexId } from '../model/ids.ts';
import type { KeyChoice } from './key-choice.ts';
import { placesOf } from './places.ts';
import type { Environment } from './places.ts';

/** What the command line says about the vault; everything may be left out. */
export interface VaultOptions {
  readonly vault?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly config?: string | undefined;
  /** Ids of writers whose packs a backup may reuse, besides those of `trusted-writers`. */
  readonly trustWriter?: readonly string[] | undefined;
}

export interface VaultChoice {
  readonly directory: string;
  readonly key: KeyChoice;
  /** Who named the key, for messages: an option, a variable, the configuration, or nobody. */
  readonly keyFrom: string;
  /** Nobody named a vault: the embedded default, which the first backup makes. */
  readonly isDefault: boolean;
  readonly trustedWriters?: readonly string[];
  /** Variables that `holdfast.yaml` names as secrets, of all of its vaults: nothing that is started gets to see them. */
  readonly secretVariables?: readonly string[];
}

/**
 * Command line, then environment, then `holdfast.yaml`, then the embedded default; for vault and key by themselves. What
 * the environment says is a default: it does not send a plan to another vault than the one that is written for it.
 */
export async function chooseVault(options: VaultOptions, environment: Environment, config: Config | undefined, planVault?: ResolvedVault): Promise<VaultChoice> {
  const { workingFolder } = environment;
  const variables = planVault === undefined ? environment.variables : {};
  const named = options.vault ?? nonEmpty(variables['HOLDFAST_VAULT']);
  const configured = await configuredVault(config, named, planVault, workingFolder);
  const places = placesOf(environment);
  const directory = configured?.directory ?? (named === undefined ? places.defaultVault : resolve(workingFolder, named));
  const chosen = givenKey(options, { variables, workingFolder }) ?? (configured && { key: configured.key, keyFrom: config?.file ?? 'the configuration' }) ?? { key: { kind: 'key-file' as const, path: places.defaultKeyFile }, keyFrom: 'nobody: it is the default' };
  const trustedWriters = [...(options.trustWriter ?? []).map(checkedWriter), ...(configured?.trustedWriters ?? [])];
  const secretVariables = secretVariablesOf(config);
  return {
    directory, ...chosen, isDefault: named === undefined && configured === undefined,
    ...(trustedWriters.length > 0 && { trustedWriters }),
    ...(secretVariables.length > 0 && { secretVariables }),
  };
}

/** It becomes part of names in the vault. */
function checkedWriter(id: string): string {
  if (isHexId(id)) return id;
  throw new HoldfastError('usage', `--trust-writer is ${JSON.stringify(id)}, wanted a writer id of 32 hexadecimal digits.`, { nextStep: 'A backup from here names the other writers of the vault.' });
}

function secretVariablesOf(config: Config | undefined): string[] {
  return Object.values(config?.fields.vaults ?? {}).flatMap(({ passphrase }) => (passphrase?.kind === 'env' ? [passphrase.name] : []));
}

type ChosenKey = Pick<VaultChoice, 'key' | 'keyFrom'>;

function givenKey(options: VaultOptions, { variables, workingFolder }: Pick<Environment, 'variables' | 'workingFolder'>): ChosenKey | undefined {
  if (options.keyFile !== undefined && options.passphraseFile !== undefined) {
    throw new HoldfastError('usage', 'Both --key-file and --passphrase-file were given, wanted one of them.');
  }
  const places: readonly (readonly [kind: 'key-file' | 'passphrase-file', path: string | undefined, keyFrom: string])[] = [
    ['key-file', options.keyFile, '--key-file'],
    ['passphrase-file', options.passphraseFile, '--passphrase-file'],
    ['key-file', nonEmpty(variables['HOLDFAST_KEY_FILE']), 'HOLDFAST_KEY_FILE'],
    ['passphrase-file', nonEmpty(variables['HOLDFAST_PASSPHRASE_FILE']), 'HOLDFAST_PASSPHRASE_FILE'],
  ];
  for (const [kind, path, keyFrom] of places) if (path !== undefined) return { key: { kind, path: resolve(workingFolder, path) }, keyFrom };
  return undefined;
}

/** A vault of the configuration: by its name or directory when one was named, the plan's, or the only one. */
async function configuredVault(config: Config | undefined, named: string | undefined, planVault: ResolvedVault | undefined, workingFolder: string): Promise<ResolvedVault | undefined> {
  if (config === undefined) return undefined;
  const { resolveVaults } = await import('../config/resolve-plans.ts');
  const vaults = resolveVaults(config);
  if (named !== undefined) return vaults.find((vault) => vault.name === named) ?? vaults.find((vault) => vault.directory === resolve(workingFolder, named));
  return planVault ?? (vaults.length === 1 ? vaults[0] : severalVaults(config.file, vaults));
}

function severalVaults(file: string, vaults: readonly ResolvedVault[]): never {
  throw new HoldfastError('usage', `${file} has ${vaults.length} vaults (${vaults.map(({ name }) => name).join(', ')}), wanted one of them by name.`, { nextStep: `Add --vault ${vaults[0]?.name ?? 'NAME'}.` });
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
