import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config/load-config.ts';
import { singlesOf } from '../config/parts.ts';
import { listSlots, openSlots } from '../keyring/open-slots.ts';
import type { OpenedKeys } from '../keyring/open-slots.ts';
import { isHoldfastError } from '../model/errors.ts';
import { CONFIG_NAME, readConfig } from '../repository/index.ts';
import type { RepositoryConfig } from '../repository/index.ts';
import { PROBE_FOLDER, probeStore } from '../stores/probe.ts';
import type { ProbeFinding, ProbeResult } from '../stores/probe.ts';
import { findConfig } from './configuration.ts';
import { recipientFinding } from './doctor-recipients.ts';
import { keyChecks } from './doctor-key.ts';
import { machineChecks, sourcesFinding, numbered } from './doctor-machine.ts';
import { programChecks } from './doctor-programs.ts';
import { contentChecks, placeChecks } from './doctor-vault.ts';
import type { DoctorCheck } from './doctor-vault.ts';
import { keyInWords, unlockerOf } from './key-choice.ts';
import { openPlace } from './open-place.ts';
import type { OpenedPlace } from './open-place.ts';
import type { VaultChoice, VaultOptions } from './vault-choice.ts';
import type { LocalContext } from './vault.ts';

export type DoctorArea = 'machine' | 'configuration' | 'vault' | 'key' | 'store';

export interface DoctorRow extends ProbeFinding {
  readonly area: DoctorArea;
  readonly check: string;
}

export interface DoctorOptions {
  /** As the runtime chooses it; asked once the configuration was found valid. */
  readonly chooseVault: () => Promise<VaultChoice>;
  /** Writes below `probe/` in the store, and removes it again. */
  readonly isProbing: boolean;
  readonly signal: AbortSignal;
  /** Called as each check ends. */
  readonly onRow: (row: DoctorRow) => void;
}

/**
 * Asks whether this machine, its configuration, the vault, the key and the store are fit. Each answer is a row; nothing
 * is thrown but what is wrong with the request itself, and an interruption.
 */
export async function examineAll(options: VaultOptions, context: LocalContext, { chooseVault, isProbing, signal, onRow }: DoctorOptions): Promise<readonly DoctorRow[]> {
  const rows: DoctorRow[] = [];
  const tell = (area: DoctorArea, check: string, finding: ProbeFinding) => {
    const row = { area, check, ...finding };
    rows.push(row);
    onRow(row);
  };
  await tellAll('machine', machineChecks(context.environment), tell);
  const configured = await configuration(options, context, tell);
  if (!configured.isValid) return rows;
  const choice = await chooseVault();
  const place = await openPlace(choice, context);
  const missing = choice.s3 === undefined ? missingFolders(choice.directory) : [];
  try {
    const config = await vault(choice, place, tell);
    if (config === 'out of reach') return rows;
    if (choice.s3 === undefined && config !== undefined) await tellAll('vault', placeChecks(choice.directory, await sourcePaths(configured.config, choice.directory)), tell);
    await openedRows({ choice, place, context }, config, tell);
    if (config !== undefined) for (const path of choice.recipients ?? []) tell('key', 'offline recipient', await outcomeOf(() => recipientFinding(path, place.opening, config)));
    if (isProbing) await probe({ choice, place, context }, { signal, onRow: (row) => tell('store', row.check, row) });
  } finally {
    await removeEmpty(choice, missing);
    place.close();
  }
  return rows;
}

type Tell = (area: DoctorArea, check: string, finding: ProbeFinding) => void;

async function tellAll(area: DoctorArea, checks: readonly DoctorCheck[], tell: Tell): Promise<void> {
  for (const { check, run } of checks) {
    const finding = await outcomeOf(run);
    if (finding !== undefined) tell(area, check, finding);
  }
}

async function configuration(options: VaultOptions, { environment }: LocalContext, tell: Tell): Promise<{ readonly isValid: boolean; readonly config: Config | undefined }> {
  let config: Config | undefined;
  const finding = await outcomeOf(async () => {
    config = await findConfig(environment, options.config);
    if (config === undefined) return ok('no holdfast.yaml: options, environment and defaults count');
    return ok(`${config.file}: ${numbered(Object.keys(config.fields.vaults).length, 'vault')}, ${numbered(Object.keys(config.fields.plans).length, 'plan')}`);
  });
  tell('configuration', 'is valid', finding);
  if (finding.result === 'failed') return { isValid: false, config: undefined };
  const found = config;
  if (found !== undefined) await tellAll('configuration', [{ check: 'sources are there', run: () => sourcesFinding(found) }, ...(await programChecks(found, environment))], tell);
  return { isValid: true, config: found };
}

/** Undefined: there is none yet, and the store can be asked all the same. */
async function vault({ directory }: VaultChoice, { opening }: OpenedPlace, tell: Tell): Promise<RepositoryConfig | 'out of reach' | undefined> {
  let config: RepositoryConfig | undefined;
  let isAbsent = false;
  const finding = await outcomeOf(async () => {
    // Read, not looked at: the answer to a look does not tell a missing object from a missing bucket.
    isAbsent = await opening.get(CONFIG_NAME).then(() => false, isAbsence);
    if (isAbsent) return { result: 'warning', seen: `no vault is at ${directory} yet`, nextStep: 'Check --vault, or make one with `holdfast init`.' };
    config = await readConfig(opening);
    return ok(`${directory}, repository ${config.repository}`);
  });
  tell('vault', 'is there', finding);
  return config ?? (isAbsent ? undefined : 'out of reach');
}

function isAbsence(error: unknown): true {
  if (isHoldfastError(error, 'not-found')) return true;
  throw error;
}

interface Subject {
  readonly choice: VaultChoice;
  readonly place: OpenedPlace;
  readonly context: LocalContext;
}

/** What only an opened vault can tell comes after its key was tried. */
async function openedRows(subject: Subject, config: RepositoryConfig | undefined, tell: Tell): Promise<void> {
  const { choice, place, context } = subject;
  let keys: OpenedKeys | undefined;
  tell('key', 'opens the vault', await outcomeOf(() => key(subject, config, (opened) => (keys = opened))));
  if (config === undefined) return;
  const slots = await listSlots(place.opening, config.repository).then((listed) => listed.slots, () => []);
  if (slots.length > 0) await tellAll('key', keyChecks(choice, slots), tell);
  const opened = keys;
  if (opened === undefined) return;
  let checks: readonly DoctorCheck[] = [];
  const listing = await outcomeOf(async () => void (checks = await contentChecks({ choice, store: place.opening, config, keys: opened, clock: context.clock })));
  if (listing !== undefined) tell('vault', 'can be listed', listing);
  await tellAll('vault', checks, tell);
}

async function key({ choice, place, context }: Subject, config: RepositoryConfig | undefined, onOpened: (keys: OpenedKeys) => void): Promise<ProbeFinding> {
  const words = `${keyInWords(choice.key)}, named by ${choice.keyFrom}`;
  if (config === undefined) {
    const isToBeMade = choice.key.kind === 'key-file' && !existsSync(choice.key.path);
    return isToBeMade ? ok(`${words}: \`holdfast init\` will make it`) : ok(`${words}: there is no vault to try it on`);
  }
  const unlocker = await unlockerOf(choice.key, context.environment, config.repository);
  const opened = await openSlots(place.opening, config.repository, unlocker);
  onOpened(opened);
  const { pairs, newestNumber, problems } = opened;
  if (problems.length > 0) return { result: 'warning', seen: `${words}: ${problems.map(({ message }) => message).join(' ')}`, nextStep: 'Run `holdfast verify --level structure`.' };
  const opens = pairs.some(({ data }) => data) ? 'everything' : 'metadata alone';
  const isOld = Math.max(...pairs.map(({ number }) => number)) < newestNumber;
  if (isOld) return { result: 'warning', seen: `${words}: it opens older backups alone, and must not write`, nextStep: 'Use a key that was not left out of the last rotation.' };
  return ok(`${words}: opens ${opens}`);
}

/** Files, folders and databases that plans of this machine back up into the vault in that directory. */
async function sourcePaths(config: Config | undefined, directory: string): Promise<string[]> {
  if (config === undefined) return [];
  const { resolvePlans } = await import('../config/resolve-plans.ts');
  const here = resolvePlans(config).filter(({ vault }) => vault.kind === 'directory' && vault.directory === directory);
  return here.flatMap(({ source }) => singlesOf(source)).flatMap((source) => (source.type === 'files' ? source.paths : source.type === 'sqlite' ? [source.path] : []));
}

async function probe({ choice, place, context }: Subject, { signal, onRow }: { readonly signal: AbortSignal; readonly onRow: (row: ProbeFinding & { readonly check: string }) => void }): Promise<void> {
  await probeStore(place.bare, { clock: context.clock, signal, onRow, ...(place.probes && { more: place.probes }) });
  if (choice.s3 === undefined) await removeTree(join(choice.directory, PROBE_FOLDER));
}

async function outcomeOf<T extends ProbeFinding | undefined | void>(run: () => Promise<T> | T): Promise<T | ProbeFinding> {
  try {
    return await run();
  } catch (error) {
    if (!isHoldfastError(error) || error.code === 'interrupted') throw error;
    return { result: 'failed', seen: error.message, ...(error.nextStep !== undefined && { nextStep: error.nextStep }) };
  }
}

function ok(seen: string): { readonly result: ProbeResult; readonly seen: string } {
  return { result: 'ok', seen };
}

/** The deepest first. */
function missingFolders(path: string): string[] {
  return existsSync(path) ? [] : [path, ...missingFolders(dirname(path))];
}

/** A look at a place where no vault is leaves nothing there: `holdfast init` wants it as it was. */
async function removeEmpty({ directory }: VaultChoice, missing: readonly string[]): Promise<void> {
  if (missing.length > 0) for (const folder of [join(directory, 'tmp'), ...missing]) await rmdir(folder).catch(unlessInUse);
}

/** Folders alone: objects that could not be removed stay, and were told of. */
async function removeTree(folder: string): Promise<void> {
  const { readdir } = await import('node:fs/promises');
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder).catch(unlessInUse);
}

function unlessInUse(error: NodeJS.ErrnoException): void {
  if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EBUSY'].includes(error.code ?? '')) throw error;
}
