import type { Clock } from '../model/clock.ts';
import { names, packIdOf, readCoverage } from '../repository/index.ts';
import type { PackRef, Repository } from '../repository/index.ts';
import { lookingOnly } from '../stores/read-only.ts';
import { checkChains } from './chain.ts';
import type { KnownNewest } from './chain.ts';
import { startCheckPool } from './check-pool.ts';
import type { PoolOptions } from './check-pool.ts';
import type { Context } from './context.ts';
import { DAY, coverageState, daysAtThisPace, planCoverage } from './coverage-clock.ts';
import type { ClockedPack } from './coverage-clock.ts';
import { CoverageRecorder } from './coverage-recorder.ts';
import { withOutlook } from './healing-outlook.ts';
import { markSpoilt, noteEarlierDamage, resultOf, touchNamedPacks } from './judge-backups.ts';
import { openBackups } from './open-backups.ts';
import type { OpenedBackup } from './open-backups.ts';
import type { PackToCheck } from './pack-check.ts';
import { surveyListing, surveyPacks } from './pack-survey.ts';
import type { PackSurvey } from './pack-survey.ts';
import { readPacks } from './read-packs.ts';
import type { MayGoOn, ReadPacks, VerifyProgress } from './read-packs.ts';
import { recordAll } from './record-verdicts.ts';
import { startContext } from './start-context.ts';
import type { ContextOptions } from './start-context.ts';
import { checkTrees } from './tree-check.ts';
import { checkRest, countPacks } from './verify.ts';
import type { CoverageReport, VerifyReport } from './verify-report.ts';

export interface WithinOptions extends ContextOptions, PoolOptions {
  /** Every stored byte is to be read again within so many days. */
  readonly withinDays: number;
  /** No pack is begun when it would take the run beyond this. One is read in any case, and damage is told in full. */
  readonly maxDurationMs?: number | undefined;
  readonly clock: Pick<Clock, 'now'>;
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly knownNewest?: readonly KnownNewest[];
}

/**
 * One run of the coverage clock (V2): everything in the vault but packs is looked at, then those packs are read in full
 * that nobody read for longest, also such as no backup needs, because writers may build on them (but for those that are
 * known to be damaged: they wait for prune). What was read is noted in
 * the vault as it goes, so that a run that stops or dies has made progress. Damage is reported, never thrown, and recorded
 * as any verification records it. Throws as `verify` does.
 */
export async function verifyWithin(repository: Repository, options: WithinOptions): Promise<VerifyReport> {
  const startedAt = options.clock.now();
  repository.keys.subkey('frame');
  const context = await startContext(repository, options);
  const { listing, findings } = context;
  const opened = await openBackups(context, listing.snapshots(undefined));
  const judged = opened.filter((backup) => !backup.isVoid);
  checkChains(context, opened, true, options.knownNewest ?? []);
  const survey = surveyListing(context, judged.flatMap(({ refs }) => refs ?? []));
  await checkRest(context, opened, survey);
  const { read, recorder, clockOf } = await runClock(context, survey, { ...options, startedAt });
  if (read.spoilt.length > 0) await nameLosses(context, judged, read);
  touchNamedPacks(context, judged);
  noteEarlierDamage(context, survey, read.names);
  const backups = opened.map((backup) => resultOf(context, backup));
  const damage = withOutlook(findings.report(), opened, listing);
  // Who is good was not proved; who is corrupted was.
  const corrupted = backups.filter(({ result }) => result === 'corrupted');
  if (options.isRecording !== false) await recordAll(context, corrupted, { damage, level: 'sample', sample: undefined, spoilt: read.spoilt }, recorder);
  const coverage = await clockOf(options.isRecording !== false && recorder.problem === undefined);
  const packs = countPacks(context, survey, read);
  return { level: 'coverage', backups, damage, notes: findings.notes, packs, sample: undefined, coverage, durationMilliseconds: options.clock.now() - startedAt };
}

interface ClockRun {
  readonly read: ReadPacks;
  readonly recorder: CoverageRecorder;
  /** How the clock stands after the run, by what is noted in the vault. */
  readonly clockOf: (isRecorded: boolean) => Promise<CoverageReport>;
}

async function runClock(context: Context, survey: PackSurvey, options: WithinOptions & { readonly startedAt: number }): Promise<ClockRun> {
  const { repository, listing } = context;
  const { clock, withinDays } = options;
  const looked = { ...repository, store: lookingOnly(repository.store, clock) };
  const now = await looked.store.now();
  const listed = listing.in('packs').filter(({ name }) => survey.packs.has(name) || !listing.has(names.damaged(packIdOf(name))));
  const facts = await readCoverage(repository, now);
  const before = coverageState(listed, facts, { now, withinDays });
  const plan = planCoverage(listed, facts, { now, withinDays });
  const recorder = new CoverageRecorder(repository, now, { clock, isClockRun: true });
  const read = await readDue(context, toCheck(survey, plan.due), options, options.isRecording === false ? undefined : recorder);
  const { isCutShort } = read;
  return {
    read, recorder,
    clockOf: async (isRecorded) => {
      const end = await looked.store.now();
      const state = coverageState(listed, isRecorded ? await readCoverage(repository, end) : facts, { now: end, withinDays });
      return {
        ...state, withinDays, isCutShort, isRecorded,
        overdue: state.overdue ?? NOTHING,
        overdueBefore: before.overdue ?? NOTHING,
        due: { packs: plan.due.length, bytes: plan.due.reduce((sum, { size }) => sum + size, 0) },
        everyDays: plan.everyMilliseconds / DAY,
        daysAtThisPace: isCutShort ? daysAtThisPace(plan, read.bytes) : undefined,
      };
    },
  };
}

const NOTHING = { packs: 0, bytes: 0 };

async function readDue(context: Context, due: readonly { readonly ref: PackToCheck }[], options: WithinOptions & { readonly startedAt: number }, recorder: CoverageRecorder | undefined): Promise<ReadPacks> {
  const { clock, startedAt, maxDurationMs = Infinity } = options;
  const pool = startCheckPool(context.repository.keys, due, options);
  const mayGoOn: MayGoOn = ({ begun, longest }) => begun === 0 || clock.now() - startedAt + longest < maxDurationMs;
  const onProgress = (progress: VerifyProgress) => options.onProgress?.({ ...progress, etaSeconds: progress.etaSeconds && Math.min(progress.etaSeconds, Math.max(0, (maxDurationMs - (clock.now() - startedAt)) / 1000)) });
  try {
    return await readPacks(context, due, { pool, clock, onProgress, recorder, mayGoOn });
  } finally {
    await pool.close();
  }
}

/** What a backup names is proved against the digest there; missing packs and such of another size are damage already. */
function toCheck({ packs }: PackSurvey, due: readonly ClockedPack[]): { readonly ref: PackToCheck }[] {
  return due.map(({ name, size }) => ({ ref: packs.get(name)?.ref ?? { name, size } })).filter(({ ref }) => !packs.get(ref.name)?.isLost);
}

/** Which entries are lost with what was found: trees of the backups that name such packs are walked, however long it takes. */
async function nameLosses(context: Context, judged: readonly OpenedBackup[], { spoilt }: ReadPacks): Promise<void> {
  const ids = new Set(spoilt.map(({ name }) => packIdOf(name)));
  const touched = judged.filter(({ refs }) => refs?.packs.some(({ name }: PackRef) => ids.has(packIdOf(name))));
  const survey = await surveyPacks(context, touched.flatMap(({ refs }) => refs ?? []));
  markSpoilt(survey, spoilt);
  await checkTrees(context, touched, survey);
}
