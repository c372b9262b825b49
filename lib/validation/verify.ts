import type { Clock } from '../model/clock.ts';
import type { Unlocker } from '../keyring/key-slot.ts';
import { names, packIdOf } from '../repository/index.ts';
import type { Refs, Repository } from '../repository/index.ts';
import { isUnwritable, readOnly } from '../stores/read-only.ts';
import { backupOf } from './backup-name.ts';
import { checkChains } from './chain.ts';
import type { KnownNewest } from './chain.ts';
import { inlineCheckPool, threadCheckPool } from './check-pool.ts';
import type { CheckPool, StartCheckThread } from './check-pool.ts';
import type { Context } from './context.ts';
import { Findings } from './findings.ts';
import { openBackups } from './open-backups.ts';
import type { OpenedBackup } from './open-backups.ts';
import { surveyPacks } from './pack-survey.ts';
import type { PackSurvey, SurveyedPack } from './pack-survey.ts';
import { readPacks } from './read-packs.ts';
import type { VerifyProgress } from './read-packs.ts';
import { recordFindings } from './record-verdicts.ts';
import { nextTurn, packsOfTurn } from './sample.ts';
import type { SampleTurn } from './sample.ts';
import { TreeCheck } from './tree-check.ts';
import { checkCounterparts, checkFacts, noteOrphans } from './vault-facts.ts';
import { findHeadDamage } from './vault-head.ts';
import { VaultListing } from './vault-listing.ts';
import type { VerifiedBackup, VerifyLevel, VerifyReport } from './verify-report.ts';

export { examineHead } from './vault-head.ts';
export type { HeadReport } from './vault-head.ts';
export { outcomeOf } from './verify-report.ts';
export type { DamagedObject, PathRange, TouchedBackup, VerifiedBackup, VerifyLevel, VerifyNote, VerifyReport } from './verify-report.ts';
export type { VerifyProgress } from './read-packs.ts';
export type { CheckSettings } from './check-pool.ts';

export interface VerifyOptions {
  /** Names of snapshots; all of the vault, and everything else in it, when not given. */
  readonly backups?: readonly string[];
  readonly level: VerifyLevel;
  readonly clock: Pick<Clock, 'now'>;
  /** Threads that read packs; 2 when not given. Small vaults use none. */
  readonly threads?: number;
  /** Starts `lib/validation/worker.ts` or its bundle; without it everything runs on this thread. */
  readonly startThread?: StartCheckThread;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** False: nothing is written to the vault, verdicts neither. */
  readonly isRecording?: boolean;
  /** Which part of the rotation a sample reads; the one after the newest verdict's when not given. */
  readonly sampleTurn?: SampleTurn;
  /** Opens key slots too; without it they are parsed only. */
  readonly unlocker?: Unlocker;
  /** Newest backups as somebody outside the vault knows them. */
  readonly knownNewest?: readonly KnownNewest[];
}

/** Below this, starting threads takes longer than the work. */
const INLINE_BYTES = 16 << 20;

/**
 * Proves backups against what was written, without restoring. Damage is reported, never thrown, and what is not touched by
 * it is verified all the same; verdicts and damaged packs are recorded in the vault. Throws `vault-not-found`,
 * `not-found` (no such snapshot), `wrong-key` (contents cannot be read with the keys at hand), `interrupted`, and what
 * the store says.
 */
export async function verify(repository: Repository, options: VerifyOptions): Promise<VerifyReport> {
  const startedAt = options.clock.now();
  if (options.level !== 'structure') repository.keys.subkey('frame');
  const context = await startContext(repository, options);
  const { listing, findings } = context;
  const isWhole = options.backups === undefined;
  const opened = await openBackups(context, listing.snapshots(options.backups));
  const judged = opened.filter((backup) => !backup.isVoid);
  checkChains(context, opened, isWhole, options.knownNewest ?? []);
  const survey = await surveyPacks(context, judged.flatMap(({ refs }) => refs ?? []));
  touchNamedPacks(context, judged);
  if (isWhole) await checkRest(context, opened, survey);
  const sample = options.level === 'sample' ? (options.sampleTurn ?? (await nextTurn(context.repository, opened.map(({ snapshot }) => backupOf(snapshot.name))))) : undefined;
  const readable = [...survey.packs.values()].filter((pack) => !pack.isLost);
  const selected = options.level === 'structure' ? [] : sample ? packsOfTurn(readable, sample) : readable;
  const readBytes = await proveContents(context, { judged, survey, selected, options });
  touchNamedPacks(context, judged);
  noteEarlierDamage(context, survey, new Set(selected));
  const backups = opened.map((backup) => resultOf(context, backup));
  const damage = findings.report();
  if (options.isRecording !== false) await recordFindings(context, backups, { damage, level: options.level, sample }).catch((error: unknown) => noteUnrecorded(findings, error));
  const packs = { listed: listing.in('packs').length, needed: survey.packs.size, read: selected.length, readBytes };
  return { level: options.level, backups, damage, notes: findings.notes, packs, sample, durationMilliseconds: options.clock.now() - startedAt };
}

/** What was read is no less proved because the vault cannot take a note of it. */
function noteUnrecorded(findings: Findings, error: unknown): void {
  if (!isUnwritable(error)) throw error;
  findings.note(error.code === 'no-space' ? 'vault-full' : 'not-recorded', `The verdict could not be kept in the vault, so nobody else learns of it: ${error.message}`);
}

async function startContext(given: Repository, { isRecording, unlocker, signal }: VerifyOptions): Promise<Context> {
  const repository = isRecording === false ? { ...given, store: readOnly(given.store, 'this verification records nothing') } : given;
  const findings = new Findings();
  const listing = await VaultListing.read(repository.store);
  await findHeadDamage(repository.store, findings, { unlocker, opened: repository.config.repository });
  const held = new Set(repository.keys.keys.pairs.map(({ number }) => number));
  const hasAllKeys = listing.in('keys').every(({ name }) => held.has(Number(name.split('/')[1])));
  return { repository, listing, findings, hasAllKeys, signal };
}

/** What no single backup needs. */
async function checkRest(context: Context, opened: readonly OpenedBackup[], survey: PackSurvey): Promise<void> {
  await checkFacts(context, survey);
  await checkCounterparts(context, opened, survey);
  // What an unreadable list names is not known, so nothing may be called unneeded.
  if (opened.every(({ refs }) => refs)) noteOrphans(context, survey);
}

interface Contents {
  readonly judged: readonly OpenedBackup[];
  readonly survey: PackSurvey;
  readonly selected: readonly SurveyedPack[];
  readonly options: VerifyOptions;
}

/**
 * Trees are checked while threads read packs. When reading finds damage the trees are walked again, to name the entries:
 * that is rare, and nobody waits for it otherwise.
 */
async function proveContents(context: Context, { judged, survey, selected, options }: Contents): Promise<number> {
  const pool = startPool(context, selected, options);
  const first = new Findings();
  try {
    const [reading, walking] = await Promise.allSettled([
      readPacks(context, survey, selected, { pool, clock: options.clock, onProgress: options.onProgress }),
      checkTrees({ ...context, findings: first }, judged, survey),
    ]);
    if (reading.status === 'rejected') throw reading.reason;
    if (walking.status === 'rejected') throw walking.reason;
    if (context.findings.hasContentDamage()) await checkTrees(context, judged, survey);
    else context.findings.absorb(first);
    return reading.value;
  } finally {
    await pool.close();
  }
}

function startPool({ repository }: Context, selected: readonly SurveyedPack[], { threads = 2, startThread }: VerifyOptions): CheckPool {
  const bytes = selected.reduce((sum, { ref }) => sum + ref.size, 0);
  if (!startThread || threads === 0 || bytes < INLINE_BYTES) return inlineCheckPool(repository.keys);
  return threadCheckPool(repository.keys, Math.min(threads, selected.length), startThread);
}

async function checkTrees(context: Context, judged: readonly OpenedBackup[], survey: PackSurvey): Promise<void> {
  const check = new TreeCheck(context, survey);
  for (const { snapshot, manifest, refs } of judged) if (manifest && refs) await check.check(snapshot.name, manifest, refs);
}

/** A damaged pack touches every backup that names it, also when none of its entries needs the damaged part. */
function touchNamedPacks({ findings }: Context, judged: readonly { readonly snapshot: { readonly name: string }; readonly refs?: Refs }[]): void {
  for (const { snapshot, refs } of judged) for (const { name } of refs?.packs ?? []) if (findings.isDamaged(name)) findings.touch(name, snapshot.name);
}

/** What an earlier verification wrote about packs stands until somebody deletes it: writers pass them over. */
function noteEarlierDamage({ listing, findings }: Context, survey: PackSurvey, read: ReadonlySet<SurveyedPack>): void {
  for (const [name, pack] of survey.packs) {
    const record = names.damaged(packIdOf(name));
    if (!listing.has(record) || findings.isDamaged(name)) continue;
    if (read.has(pack)) findings.note('recovered-pack', `${name} was recorded as damaged and is whole now. New backups go on passing it over until ${record} is deleted.`);
    else findings.note('damaged-before', `${name} was recorded as damaged and was not read this time: only level full tells whether it is whole again.`);
  }
}

function resultOf({ findings }: Context, { snapshot, manifest, isVoid }: OpenedBackup): VerifiedBackup {
  const damaged = findings.touching(snapshot.name).map(({ name }) => name);
  const result = isVoid ? 'void' : damaged.length > 0 ? 'corrupted' : 'good';
  return { snapshot: snapshot.name, backup: backupOf(snapshot.name), planName: manifest?.planName, sequence: manifest?.sequence, result, damaged };
}
