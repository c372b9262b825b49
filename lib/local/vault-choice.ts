import { resolve } from 'node:path';
import type { Config } from '../config/load-config.ts';
import type { ResolvedCoverage, ResolvedVault } from '../config/resolved-vault.ts';
import { HoldfastError } from '../model/errors.ts';
import { isHexId } from '../model/ids.ts';
import type { KeyChoice } from './key-choice.ts';
import { placesOf } from './places.ts';
import type { Environment } from './places.ts';
import { describePlace, parseS3Place, S3_SCHEME } from './s3-place.ts';
import type { S3Place } from './s3-place.ts';

/** What the command line says about the vault; everything may be left out. */
export interface VaultOptions {
  readonly vault?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly passphraseFile?: string | undefined;
  /** The private half of an offline recipient, as `keys read-paper` writes it. */
  readonly recipientKeyFile?: string | undefined;
  /** Files with public halves that a new vault is wrapped for, besides those of the configuration. */
  readonly recipient?: readonly string[] | undefined;
  readonly config?: string | undefined;
  /** Ids of writers whose packs a backup may reuse, besides those of `trusted-writers`. */
  readonly trustWriter?: readonly string[] | undefined;
}

export interface VaultChoice {
  /** Of a vault in S3: its address, for people. */
  readonly directory: string;
  /** The vault is a bucket and no directory. */
  readonly s3?: S3Place;
  readonly key: KeyChoice;
  /** Who named the key, for messages: an option, a variable, the configuration, or nobody. */
  readonly keyFrom: string;
  /** Nobody named a vault: the embedded default, which the first backup makes. */
  readonly isDefault: boolean;
  readonly trustedWriters?: readonly string[];
  /** Files with the public halves of offline recipients. */
  readonly recipients?: readonly string[];
  /** As `holdfast.yaml` wants it of this vault. */
  readonly coverage?: ResolvedCoverage;
  /** Variables that `holdfast.yaml` names as secrets, of all of its vaults, databases and targets: nothing that is started gets to see them. */
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
  const place = placeOf(configured, named, workingFolder) ?? { directory: places.defaultVault };
  const chosen = givenKey(options, { variables, workingFolder }) ?? (configured && { key: configured.key, keyFrom: config?.file ?? 'the configuration' }) ?? { key: { kind: 'key-file' as const, path: places.defaultKeyFile }, keyFrom: 'nobody: it is the default' };
  const trustedWriters = [...(options.trustWriter ?? []).map(checkedWriter), ...(configured?.trustedWriters ?? [])];
  const recipients = [...(options.recipient ?? []).map((path) => resolve(workingFolder, path)), ...(configured?.recipients ?? [])];
  const secretVariables = secretVariablesOf(config);
  return {
    ...place, ...chosen, isDefault: named === undefined && configured === undefined,
    ...(trustedWriters.length > 0 && { trustedWriters }),
    ...(recipients.length > 0 && { recipients: [...new Set(recipients)] }),
    ...(configured?.coverage && { coverage: configured.coverage }),
    ...(secretVariables.length > 0 && { secretVariables }),
  };
}

/** It becomes part of names in the vault. */
function checkedWriter(id: string): string {
  if (isHexId(id)) return id;
  throw new HoldfastError('usage', `--trust-writer is ${JSON.stringify(id)}, wanted a writer id of 32 hexadecimal digits.`, { nextStep: 'A backup from here names the other writers of the vault.' });
}

function secretVariablesOf(config: Config | undefined): string[] {
  const { vaults = {}, plans = {}, 'restore-targets': targets = {} } = config?.fields ?? {};
  const passphrases = Object.values(vaults).map(({ passphrase }) => passphrase);
  const databases = [...Object.values(plans).map(({ source }) => source), ...Object.values(targets)].flatMap((one) => ('user' in one ? [one.user, one.password] : []));
  return [...passphrases, ...databases].flatMap((secret) => (typeof secret === 'object' && secret.kind === 'env' ? [secret.name] : []));
}

type ChosenKey = Pick<VaultChoice, 'key' | 'keyFrom'>;

function givenKey(options: VaultOptions, { variables, workingFolder }: Pick<Environment, 'variables' | 'workingFolder'>): ChosenKey | undefined {
  const given = [options.keyFile, options.passphraseFile, options.recipientKeyFile].filter((path) => path !== undefined);
  if (given.length > 1) throw new HoldfastError('usage', `${given.length} of --key-file, --passphrase-file and --recipient-key-file were given, wanted one of them.`);
  const places: readonly (readonly [kind: 'key-file' | 'passphrase-file' | 'recipient-key', path: string | undefined, keyFrom: string])[] = [
    ['key-file', options.keyFile, '--key-file'],
    ['passphrase-file', options.passphraseFile, '--passphrase-file'],
    ['recipient-key', options.recipientKeyFile, '--recipient-key-file'],
    ['key-file', nonEmpty(variables['HOLDFAST_KEY_FILE']), 'HOLDFAST_KEY_FILE'],
    ['passphrase-file', nonEmpty(variables['HOLDFAST_PASSPHRASE_FILE']), 'HOLDFAST_PASSPHRASE_FILE'],
  ];
  for (const [kind, path, keyFrom] of places) if (path !== undefined) return { key: { kind, path: resolve(workingFolder, path) }, keyFrom };
  return undefined;
}

type LocalVaultFields = Exclude<ResolvedVault, { kind: 'aws' }>;

/** A vault of the configuration: by its name or place when one was named, the plan's, or the only one. */
async function configuredVault(config: Config | undefined, named: string | undefined, planVault: ResolvedVault | undefined, workingFolder: string): Promise<LocalVaultFields | undefined> {
  if (config === undefined) return undefined;
  const { resolveVaults } = await import('../config/resolve-plans.ts');
  const vaults = resolveVaults(config);
  if (named !== undefined) {
    const found = vaults.find((vault) => vault.name === named) ?? vaults.find((vault) => isAt(vault, named, workingFolder));
    return found && openedHere(found);
  }
  if (planVault !== undefined) return openedHere(planVault);
  const here = vaults.filter((vault) => vault.kind !== 'aws');
  if (here.length === 0 && vaults[0] !== undefined) return openedHere(vaults[0]);
  return here.length === 1 ? here[0] : severalVaults(config.file, here);
}

/** A vault of a stack has its keys in KMS and its runs in AWS: fails as `usage`. */
function openedHere(vault: ResolvedVault): LocalVaultFields {
  if (vault.kind !== 'aws') return vault;
  throw new HoldfastError('usage', `The vault ${vault.name} is made by \`cdk deploy\` and is not opened by the local runtime.`, { nextStep: 'Name its stack: add --aws STACK.' });
}

function isAt(vault: ResolvedVault, named: string, workingFolder: string): boolean {
  if (vault.kind === 'directory') return vault.directory === resolve(workingFolder, named);
  return vault.kind === 's3' && named.startsWith(S3_SCHEME) && describePlace(vault) === describePlace(parseS3Place(named, workingFolder));
}

/** What is named in full counts more than what the configuration says of the same bucket: it may be another way to it. */
function placeOf(configured: LocalVaultFields | undefined, named: string | undefined, workingFolder: string): Pick<VaultChoice, 'directory' | 's3'> | undefined {
  if (named?.startsWith(S3_SCHEME)) return inBucket({ ...(configured?.kind === 's3' && placeFields(configured)), ...parseS3Place(named, workingFolder) });
  if (configured?.kind === 's3') return inBucket(placeFields(configured));
  if (configured !== undefined) return { directory: configured.directory };
  return named === undefined ? undefined : { directory: resolve(workingFolder, named) };
}

function inBucket(s3: S3Place): Pick<VaultChoice, 'directory' | 's3'> {
  return { directory: describePlace(s3), s3 };
}

function placeFields({ bucket, prefix, endpoint, region, pathStyle, caFile }: S3Place): S3Place {
  return { bucket, prefix, ...(pathStyle !== undefined && { pathStyle }), ...(endpoint !== undefined && { endpoint }), ...(region !== undefined && { region }), ...(caFile !== undefined && { caFile }) };
}

function severalVaults(file: string, vaults: readonly ResolvedVault[]): never {
  throw new HoldfastError('usage', `${file} has ${vaults.length} vaults (${vaults.map(({ name }) => name).join(', ')}), wanted one of them by name.`, { nextStep: `Add --vault ${vaults[0]?.name ?? 'NAME'}.` });
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
