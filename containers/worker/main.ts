import pino from 'pino';
import type { Logger } from 'pino';
import { performBackupTask } from '../../lib/aws/backup-task.ts';
import { dynamoClient, kmsClient, s3Client, secretsClient, ssmClient, stepFunctionsClient } from '../../lib/aws/clients.ts';
import { logEvent } from '../../lib/aws/log-event.ts';
import { openCatalog, openLedger } from '../../lib/aws/open-catalog.ts';
import { performReceiveTask } from '../../lib/aws/receive-task.ts';
import { performRestoreTask } from '../../lib/aws/restore-task.ts';
import { secretResolver } from '../../lib/aws/secrets.ts';
import { taskToken } from '../../lib/aws/task-token.ts';
import { performVerifyTask } from '../../lib/aws/verify-task.ts';
import { hookInWords } from '../../lib/backup/hook-report.ts';
import type { HealingNote } from '../../lib/catalog/ledger-records.ts';
import { EXIT_CODE_OF } from '../../lib/cli/exit-codes.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../lib/model/errors.ts';
import type { RunId } from '../../lib/model/ids.ts';
import type { DeployedPlan } from '../../lib/settings/deployed.ts';
import type { VerifyOrder } from '../../lib/settings/verify-order.ts';
import { backupMetrics, writeMetrics } from '../../lib/monitoring/emf.ts';
import { readWorkerSettings } from '../../lib/settings/worker.ts';
import type { WorkerSettings } from '../../lib/settings/worker.ts';
import { formatLsn } from '../../lib/sources/postgres/wal/lsn.ts';

// The worker's process: one backup or one restore, then it ends with the exit code that the command line would give. WAL it receives until it is stopped.
const SCRATCH = '/scratch';
/** Of this process, a command of a plan sees no more: the rest names credentials. */
const COMMAND_VARIABLES = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TZ'];
const PROGRESS_MILLISECONDS = 30_000;

const log = pino({ base: {}, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } }, pino.destination({ fd: 1, sync: true }));
process.exit(await main(log));

async function main(logger: Logger): Promise<number> {
  try {
    const settings = readWorkerSettings(process.env);
    const { task } = settings;
    if (task.kind === 'backup') return await backUp(settings, task.runId, logger);
    if (task.kind === 'wal') return await receiveWal(settings, task.plan, logger);
    return task.kind === 'verify' ? await verifyBackup(settings, task.order, logger) : await restore(settings, task, logger);
  } catch (error) {
    const known = isHoldfastError(error) ? error : new HoldfastError('broken-invariant', error instanceof Error ? error.message : String(error), { cause: error });
    const { code, message, nextStep } = known;
    // Stacks say nothing to whoever has to act; a bug's is wanted.
    logger.error({ event: 'failed', code, nextStep, ...(code === 'broken-invariant' && error instanceof Error && { stack: error.stack }) }, message);
    return EXIT_CODE_OF[code];
  }
}

async function backUp(settings: WorkerSettings, runId: string, logger: Logger): Promise<number> {
  const outcome = await performBackupTask(runId as RunId, {
    ...common(settings, logger),
    stackName: settings.stackName,
    ledger: openLedger(dynamoClient({ maxAttempts: 1 }), settings.table),
    crunchEntry: new URL('./worker.mjs', import.meta.url),
    onEvent: (event) => {
      logEvent(logger, event);
      // Counted where it ended; runs whose worker died are counted by whoever ends them (M5).
      if (event.event === 'ended') writeMetrics(backupMetrics(event.run, event.backup), { stackName: settings.stackName, planName: event.run.planName, at: Date.now() }, (line) => process.stdout.write(`${line}\n`));
    },
    onProgress: everyHalfMinute((progress: object) => logger.info({ event: 'progress', ...progress }, 'backing up')),
    onHealing: (note, problem) => {
      tellHealing(note, logger);
      if (problem) logger.warn({ event: 'healing-not-recorded', code: problem.code }, `it was not written into the record of the run: ${problem.message}`);
    },
    onHook: (report) => (report.complaint === undefined ? logger.info({ event: 'hook', ...report }, hookInWords(report)) : logger.warn({ event: 'hook', ...report }, hookInWords(report))),
  });
  if (outcome === undefined) return 0;
  const { manifest, statistics, evidence, afterwards } = outcome;
  for (const warning of manifest.warnings.slice(0, 100)) logger.warn({ event: 'warning', ...warning }, warning.message);
  logger.info({ event: 'backup', backup: manifest.backup, plan: manifest.planName, statistics, evidence }, 'backup committed');
  return manifest.warnings.length > 0 || afterwards !== undefined ? 3 : 0;
}

async function verifyBackup(settings: WorkerSettings, order: VerifyOrder, logger: Logger): Promise<number> {
  const { state, report, healing } = await performVerifyTask(order, {
    ...common(settings, logger),
    stackName: settings.stackName,
    ledger: openLedger(dynamoClient({ maxAttempts: 1 }), settings.table),
    catalog: openCatalog(dynamoClient({ maxAttempts: 1 }), settings.table),
    verifyEntry: new URL('./verify-worker.mjs', import.meta.url),
    onProgress: everyHalfMinute((progress: object) => logger.info({ event: 'progress', ...progress }, 'verifying')),
  });
  for (const { name, lost, problems } of report.damage.slice(0, 100)) logger.error({ event: 'damage', object: name, problems }, lost);
  if (healing) tellHealing(healing, logger);
  logger.info({ event: 'verified', backup: order.backupId, plan: order.planName, state, readBytes: report.packs.readBytes }, `verified at level ${order.level}: ${state}`);
  return report.damage.length > 0 ? 12 : 0;
}

/** Until it is asked to stop; a line of status each time that all was looked at. */
async function receiveWal(settings: WorkerSettings, plan: DeployedPlan, logger: Logger): Promise<number> {
  const done = await performReceiveTask(plan, {
    ...common(settings, logger),
    onStatus: ({ archivedLsn, serverLsn, ...status }) => logger.info({ event: 'wal-status', ...status, archivedLsn: archivedLsn && formatLsn(archivedLsn), serverLsn: formatLsn(serverLsn) }, 'receiving WAL'),
    onKeptUp: ({ isLate, keptAt, limitMs }) => {
      const at = new Date(keptAt).toISOString();
      if (isLate) logger.warn({ event: 'wal-late', limitMs }, `the vault is behind: it is not known to hold what the server wrote after ${at}`);
      else logger.info({ event: 'wal-caught-up' }, `the vault holds all that the server had at ${at}`);
    },
    onWarning: ({ code, message, nextStep }, { waitingFiles, againMs }) => logger.warn({ event: 'trouble', code, nextStep, waitingFiles, againMs }, message),
    onFailure: ({ code, message, nextStep }, againMs) => logger.error({ event: 'failed', code, nextStep, againMs }, message),
  });
  logger.info({ event: 'stopped', archivedFiles: done?.archivedFiles ?? 0 }, 'everything that was received is in the vault');
  return 0;
}

/** What became of older backups of the vault; a person has to act on what is open. */
function tellHealing({ state, message, nextStep }: HealingNote, logger: Logger): void {
  if (state === 'open') logger.warn({ event: 'healing', state, nextStep }, message);
  else logger.info({ event: 'healing', state }, message);
}

async function restore(settings: WorkerSettings, task: Extract<WorkerSettings['task'], { kind: 'restore' }>, logger: Logger): Promise<number> {
  const token = taskToken(stepFunctionsClient(), task.taskToken);
  try {
    const result = await performRestoreTask(task.order, {
      ...common(settings, logger),
      catalog: openCatalog(dynamoClient({ maxAttempts: 1 }), settings.table),
      restoreEntry: new URL('./restore-worker.mjs', import.meta.url),
      heartbeat: () => token.heartbeat(),
      onTables: (tables) => tables.forEach(({ schema, table, rows }) => logger.info({ event: 'table', schema, table, rows }, `${schema}.${table}: ${rows} rows`)),
      onTrouble: (error) => logger.warn({ event: 'trouble', code: error.code }, error.message),
    });
    logger.info({ event: 'restored', restore: task.order.restoreId, ...result }, 'restore done');
    if (!(await token.succeed(result))) logger.warn({ event: 'nobody-waits' }, 'the restore is done, and the execution that asked for it has ended');
    return result.state === 'warnings' ? 3 : 0;
  } catch (error) {
    // The restore failed whether or not this answer arrives: without it the heartbeat's time limit tells.
    await token.fail(error).catch((cause: unknown) => logger.error({ event: 'answer-failed' }, cause instanceof Error ? cause.message : String(cause)));
    throw error;
  }
}

function everyHalfMinute<T>(tell: (progress: T) => void): (progress: T) => void {
  let toldAt = Date.now();
  return (progress) => {
    if (Date.now() - toldAt < PROGRESS_MILLISECONDS) return;
    toldAt = Date.now();
    tell(progress);
  };
}

function common(settings: WorkerSettings, logger: Logger) {
  return {
    vaults: settings.vaults,
    s3: s3Client({ maxAttempts: 1 }),
    kms: kmsClient(),
    clock: systemClock,
    signal: stopSignal(logger),
    scratchFolder: SCRATCH,
    commandEnvironment: Object.fromEntries(COMMAND_VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))),
    resolveSecret: secretResolver({ secrets: () => secretsClient(), ssm: () => ssmClient() }),
    onRetry: ({ operation, name, attempt, delayMs, error }: { operation: string; name: string; attempt: number; delayMs: number; error: HoldfastError }) =>
      logger.warn({ event: 'retry', operation, object: name, attempt, delayMs: Math.round(delayMs) }, error.message),
  };
}

/** ECS sends SIGTERM and gives the stop timeout (120 s) for what is stored to be made reusable. */
function stopSignal(logger: Logger): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      logger.warn({ event: 'stopping', signal: name }, `asked to stop by ${name}`);
      controller.abort(new HoldfastError('interrupted', `The task was asked to stop (${name}).`, { nextStep: 'Look at the stop reason of the task in ECS; the next run reuses what is stored.' }));
    });
  }
  return controller.signal;
}
