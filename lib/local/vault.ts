import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Catalog } from '../catalog/catalog.ts';
import { discardSqliteCatalog } from '../catalog/discard-sqlite-catalog.ts';
import type { ResolvedCoverage } from '../config/resolved-vault.ts';
import { createKeyFile } from '../keyring/key-file.ts';
import { distinctWrappers } from '../keyring/recipient.ts';
import type { KeySlot, KeyWrapper, Unlocker } from '../keyring/key-slot.ts';
import { listSlots, openSettledSlots, openSlots } from '../keyring/open-slots.ts';
import { shownFingerprint } from '../keyring/recipient/public-half.ts';
import { createSlots, writeSlots } from '../keyring/slots.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { RepositoryId } from '../model/ids.ts';
import { CONFIG_NAME, newRepositoryConfig, openRepository, readConfig, writeConfig } from '../repository/index.ts';
import type { Repository, RepositoryConfig } from '../repository/index.ts';
import type { Store } from '../stores/store.ts';
import type { NamedRepository } from '../validation/rebuild-catalog.ts';
import type { HeadReport } from '../validation/verify.ts';
import { keyInWords, unlockerOf, wrappersOf } from './key-choice.ts';
import type { SlotChoice } from './key-choice.ts';
import { bringKit } from './kit.ts';
import type { KitPlaces } from './kit.ts';
import { makeFolders } from './make-folders.ts';
import { openPlace } from './open-place.ts';
import { placesOf } from './places.ts';
import type { Environment } from './places.ts';
import { recipientWrappers } from './recipients.ts';
import type { VaultChoice } from './vault-choice.ts';

/** A vault with opened keys, and what this machine knows of it. */
export interface LocalVault {
  readonly directory: string;
  readonly repository: Repository;
  /** Catalog, locks and scratch copies of this repository. */
  readonly stateFolder: string;
  /** How often every byte is to be read again, as the configuration says. */
  readonly coverage?: ResolvedCoverage;
  /** False when this key was left out of a rotation: it reads old backups and must not write. */
  readonly mayWrite: boolean;
  /** For checks of the key slots. */
  readonly unlocker: Unlocker;
  /** The slots that it opened. */
  readonly opened: readonly KeySlot[];
  /** What new slots are wrapped for: a key that is named, or the one in use and the recipients of the configuration. Under KMS each call makes keys there. */
  wrappers(key?: SlotChoice): Promise<readonly KeyWrapper[]>;
  /** What is wrong with the vault and did not keep it from opening. */
  readonly warnings: readonly string[];
  /** All vaults that the catalog serves; absent: this one. */
  repositories?(): Promise<readonly NamedRepository[]>;
  catalog(): Promise<Catalog>;
  /** Puts a broken catalog aside; the next `catalog()` is a new one. */
  discardCatalog(): Promise<void>;
  /** From now on `catalog()` is an empty one in memory: for reading on, when the file is broken. */
  passOverCatalog(): Promise<void>;
  /** Removes what killed runs left unfinished. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export interface LocalContext {
  readonly environment: Environment;
  readonly clock: Clock;
  /** Absent when the program runs from its sources. */
  readonly kit?: KitPlaces;
}

export interface StoreLimits {
  readonly uploadBytesPerSecond?: number | undefined;
  /** A run that is asked to stop must not first wait for its turn at this rate. */
  readonly stop?: AbortSignal | undefined;
  /** How long one call outlasts failures that pass; ten minutes when not given. */
  readonly patienceMs?: number | undefined;
}

/** Fails as `vault-not-found`, `missing-key`, `wrong-key`, `unsupported-version`, `damaged`; then nothing was written. */
export async function openVault(choice: VaultChoice, context: LocalContext, limits: StoreLimits = {}): Promise<LocalVault> {
  const place = await openPlace(choice, context);
  const config = await readConfig(place.opening);
  const unlocker = await unlockerOf(choice.key, context.environment, config.repository).catch(async (error: unknown) => {
    throw isHoldfastError(error, 'missing-key') ? await namingPapers(error, place.opening, config.repository) : error;
  });
  const keys = await openSettledSlots(place.opening, { repository: config.repository, unlocker, clock: context.clock }).catch((error: unknown) => {
    throw isHoldfastError(error, 'wrong-key') ? namingKey(error, choice) : error;
  });
  const stateFolder = join(placesOf(context.environment).stateFolder, 'repositories', config.repository);
  let catalog: Promise<Catalog> | undefined;
  return {
    directory: choice.directory,
    repository: openRepository(place.patient(limits), config, keys, { reopen: () => openSlots(place.opening, config.repository, unlocker) }),
    unlocker,
    opened: keys.slots,
    wrappers: (key) => (key === undefined ? wrappersOfChoice(choice, context, config.repository) : wrappersOf(key, context.environment, config.repository)),
    ...(choice.coverage && { coverage: choice.coverage }),
    stateFolder,
    mayWrite: keys.newestNumber <= Math.max(...keys.pairs.map(({ number }) => number)),
    warnings: keys.problems.map(({ message }) => message),
    catalog: () => (catalog ??= openCatalog(catalogFile(stateFolder))),
    discardCatalog: async () => {
      await (await catalog)?.close();
      catalog = undefined;
      discardSqliteCatalog(catalogFile(stateFolder));
    },
    passOverCatalog: async () => {
      await (await catalog)?.close();
      catalog = openCatalog(':memory:');
    },
    sweep: place.sweep,
    close: async () => {
      place.close();
      await (await catalog)?.close();
    },
  };
}

/** The key in use comes first: the first slot of a rotation is its own. */
async function wrappersOfChoice(choice: VaultChoice, { environment }: LocalContext, repository: RepositoryId): Promise<readonly KeyWrapper[]> {
  return distinctWrappers([...(await wrappersOf(choice.key, environment, repository)), ...(await recipientWrappers(choice))]);
}

/** Which key was tried is half of the answer: an environment variable may name another one than somebody thinks. */
function namingKey({ code, message, nextStep }: HoldfastError, { key, keyFrom }: VaultChoice): HoldfastError {
  return new HoldfastError(code, `${message} It was the ${keyInWords(key)}, named by ${keyFrom}.`, nextStep === undefined ? {} : { nextStep });
}

/** Who lost the key may have forgotten that there is a paper in a safe. */
async function namingPapers(error: HoldfastError, store: Store, repository: RepositoryId): Promise<HoldfastError> {
  const { slots } = await listSlots(store, repository);
  const papers = [...new Set(slots.flatMap(({ kdf }) => (kdf?.name === 'x-wing' ? [shownFingerprint(kdf.recipient)] : [])))];
  if (papers.length === 0) return error;
  const nextStep = `${error.nextStep ?? ''} Or open the vault with the paper whose fingerprint is ${papers.join(' or ')}: \`holdfast keys read-paper --to FILE\`, then --recipient-key-file FILE.`.trim();
  return new HoldfastError(error.code, error.message, { nextStep, cause: error });
}

/** Fails as `wrong-key` before anything is begun that a key without the data key cannot end. */
export function refuseMetaOnly({ repository }: Pick<LocalVault, 'repository'>, need: string): void {
  if (repository.keys.keys.pairs.some(({ data }) => data)) return;
  throw new HoldfastError('wrong-key', `This key opens metadata only, and ${need}.`, { nextStep: 'Use a key that was added without --meta-only.' });
}

function catalogFile(stateFolder: string): string {
  return join(stateFolder, 'catalog.sqlite');
}

/**
 * Looks at what a vault is opened with, for `verify` when opening fails: it names the damaged object and not its
 * consequence. Without a readable key the slots are parsed only.
 */
export async function examineVault(choice: VaultChoice, context: LocalContext): Promise<HeadReport> {
  const { examineHead } = await import('../validation/verify.ts');
  const { opening: store } = await openPlace(choice, context);
  const repository = await readConfig(store).then((config) => config.repository, () => undefined);
  const unlocker = await unlockerOf(choice.key, context.environment, repository).catch((error: unknown) => {
    if (!isHoldfastError(error)) throw error;
    return undefined;
  });
  return examineHead(store, unlocker);
}

async function openCatalog(file: string): Promise<Catalog> {
  const { SqliteCatalog } = await import('../catalog/sqlite-catalog.ts');
  makeFolders(dirname(file));
  return new SqliteCatalog(file);
}

export interface MadeVault {
  readonly directory: string;
  readonly config: RepositoryConfig;
  readonly key: string;
  /** The path of a key file that was made for this vault. */
  readonly newKeyFile: string | undefined;
  /** What went wrong and did not keep the vault from being made. */
  readonly notes: readonly string[];
}

/**
 * Makes a vault: key slots first, `holdfast.json` last (format §2), so that a vault is there or not. A key file that is
 * absent is made; one that is there is used. Fails as `vault-exists`, and as `refused` in a directory with other things.
 */
export async function makeVault(choice: VaultChoice, context: LocalContext): Promise<MadeVault> {
  const place = await openPlace(choice, context);
  const { opening: store } = place;
  await refuseOccupied(choice, store);
  const config = newRepositoryConfig();
  const isNewKey = choice.key.kind === 'key-file' && !existsSync(choice.key.path);
  if (isNewKey && choice.key.kind === 'key-file') makeFolders(dirname(choice.key.path));
  const recipients = await recipientWrappers(choice);
  const own = isNewKey && choice.key.kind === 'key-file' ? [await createKeyFile(choice.key.path)] : await wrappersOf(choice.key, context.environment, config.repository);
  const wrappers = distinctWrappers([...own, ...recipients]);
  const { slots } = await createSlots(config.repository, wrappers);
  await writeSlots(store, slots);
  await writeConfig(store, config);
  const note = await bringKit(store, context.kit);
  place.close();
  const newKeyFile = isNewKey && choice.key.kind === 'key-file' ? choice.key.path : undefined;
  return { directory: choice.directory, config, key: keyInWords(choice.key), newKeyFile, notes: note === undefined ? [] : [note] };
}

export function isVaultAt(directory: string): boolean {
  return existsSync(join(directory, CONFIG_NAME));
}

/** A wrong --vault must not scatter a vault over somebody's files; what a killed `init` left is no obstacle. */
async function refuseOccupied({ directory, s3 }: VaultChoice, store: Store): Promise<void> {
  if (s3 !== undefined) return (await import('./s3-vault.ts')).refuseOccupiedPrefix(store, CONFIG_NAME);
  if (isVaultAt(directory)) throw new HoldfastError('vault-exists', `A vault is at ${directory} already.`, { nextStep: 'Use it, or name another directory with --vault.' });
  const { readdir } = await import('node:fs/promises');
  const found = await readdir(directory).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw new HoldfastError('permission', `No vault can be made at ${directory} (${cause.code}).`, { nextStep: 'Name another directory with --vault.', cause });
  });
  const other = found.find((name) => name !== 'tmp' && name !== 'keys');
  if (other !== undefined) throw new HoldfastError('refused', `${directory} holds other things (${other}), wanted an empty directory or none.`, { nextStep: 'Name a new directory with --vault.' });
}
