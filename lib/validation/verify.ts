import type { Clock } from '../model/clock.ts';
import type { Repository } from '../repository/index.ts';
import { lookingOnly } from '../stores/read-only.ts';
import { backupOf } from './backup-name.ts';
import { checkChains } from './chain.ts';
import type { KnownNewest } from './chain.ts';
import { startCheckPool } from './check-pool.ts';
import type { PoolOptions } from './check-pool.ts';
import type { Context } from './context.ts';
import { CoverageRecorder } from './coverage-recorder.ts';
import { Findings } from './findings.ts';
import { withOutlook } from './healing-outlook.ts';
import { markSpoilt, noteEarlierDamage, resultOf, touchNamedPacks } from './judge-backups.ts';
import { openBackups } from './open-backups.ts';
import type { OpenedBackup } from './open-backups.ts';
import type { PackToCheck } from './pack-check.ts';
import { surveyPacks } from './pack-survey.ts';
import type { PackSurvey } from './pack-survey.ts';
import { readPacks } from './read-packs.ts';
import type { ReadPacks, VerifyProgress } from './read-packs.ts';
import { recordAll } from './record-verdicts.ts';
import { filledTurn, nextTurn, packsOfTurn } from './sample.ts';
import type { SampleTurn } from './sample.ts';
import { startContext } from './start-context.ts';
import type { ContextOptions } from './start-context.ts';
import { checkTrees } from './tree-check.ts';
import { reusablePacks } from './unneeded-packs.ts';
import { checkWal } from './wal-check.ts';
import { checkCounterparts, checkFacts, noteOrphans } from './vault-facts.ts';
import type { VerifyLevel, VerifyReport } from './verify-report.ts';

export { examineHead } from './vault-head.ts';
export type { HeadReport } from './vault-head.ts';
export { outcomeOf } from './verify-report.ts';
export type { CoverageReport, DamagedObject, PathRange, TouchedBackup, VerifiedBackup, VerifyLevel, VerifyNote, VerifyReport } from './verify-report.ts';
export type { VerifyProgress } from './read-packs.ts';
export type { CheckSettings } from './check-pool.ts';

export interface VerifyOptions extends ContextOptions, PoolOptions {
  /** Names of snapshots; all of the vault, and everything else in it, when not given. */
  readonly backups?: readonly string[];
  readonly level: VerifyLevel;
  readonly clock: Pick<Clock, 'now'>;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Which part of the rotation a sample reads; the one after the newest verdict's when not given. */
  readonly sampleTurn?: SampleTurn;
  /** Newest backups as somebody outside the vault knows them. */
  readonly knownNewest?: readonly KnownNewest[];
}

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
  // A read-back of one backup is about that one; who proves the vault proves what the next backup may build on, too.
  const reusable = isWhole && options.level !== 'structure' ? await reusablePacks(context, survey, options.clock) : [];
  const readable = [...[...survey.packs.values()].filter((pack) => !pack.isLost), ...reusable];
  const sample = options.level === 'sample' ? (options.sampleTurn ?? filledTurn(readable, await nextTurn(context.repository, opened.map(({ snapshot }) => backupOf(snapshot.name))))) : undefined;
  const selected = options.level === 'structure' ? [] : sample ? packsOfTurn(readable, sample) : readable;
  if (isWhole && options.level !== 'structure') await checkWal(context, sample);
  const recorder = options.isRecording === false ? undefined : new CoverageRecorder(context.repository, await lookingOnly(context.repository.store, options.clock).now(), options);
  const read = await proveContents(context, { judged, survey, selected, recorder, options });
  touchNamedPacks(context, judged);
  noteEarlierDamage(context, survey, read.names);
  const backups = opened.map((backup) => resultOf(context, backup));
  const damage = withOutlook(findings.report(), opened, listing);
  if (recorder) await recordAll(context, backups, { damage, level: options.level, sample, spoilt: read.spoilt }, recorder);
  const packs = countPacks(context, survey, read);
  return { level: options.level, backups, damage, notes: findings.notes, packs, sample, durationMilliseconds: options.clock.now() - startedAt };
}

/** How many packs there are, and how many were read. */
export function countPacks({ listing }: Context, survey: PackSurvey, read: ReadPacks): VerifyReport['packs'] {
  const unneeded = [...read.names].filter((name) => !survey.packs.has(name)).length;
  return { listed: listing.in('packs').length, needed: survey.packs.size, read: read.names.size, unneeded, readBytes: read.bytes };
}

/** What no single backup needs. */
export async function checkRest(context: Context, opened: readonly OpenedBackup[], survey: PackSurvey): Promise<void> {
  await checkFacts(context, survey);
  await checkCounterparts(context, opened, survey);
  // What an unreadable list names is not known, so nothing may be called unneeded.
  if (opened.every(({ refs }) => refs)) noteOrphans(context, survey);
}

interface Contents {
  readonly judged: readonly OpenedBackup[];
  readonly survey: PackSurvey;
  readonly selected: readonly { readonly ref: PackToCheck }[];
  readonly recorder: CoverageRecorder | undefined;
  readonly options: VerifyOptions;
}

/**
 * Trees are checked while threads read packs. When reading finds damage the trees are walked again, to name the entries:
 * that is rare, and nobody waits for it otherwise.
 */
async function proveContents(context: Context, { judged, survey, selected, recorder, options }: Contents): Promise<ReadPacks> {
  const pool = startCheckPool(context.repository.keys, selected, options);
  const first = new Findings();
  try {
    const [reading, walking] = await Promise.allSettled([
      readPacks(context, selected, { pool, clock: options.clock, onProgress: options.onProgress, recorder }),
      checkTrees({ ...context, findings: first }, judged, survey),
    ]);
    if (reading.status === 'rejected') throw reading.reason;
    if (walking.status === 'rejected') throw walking.reason;
    markSpoilt(survey, reading.value.spoilt);
    if (context.findings.hasContentDamage()) await checkTrees(context, judged, survey);
    else context.findings.absorb(first);
    return reading.value;
  } finally {
    await pool.close();
  }
}
