import type { LedgerRun } from '../../catalog/ledger-records.ts';
import type { BackupRecord } from '../../catalog/records.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import type { RunId } from '../../model/ids.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_CODE_OF } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { seenNow } from '../known-runs.ts';
import { Progress } from '../progress.ts';
import type { ProgressState } from '../progress.ts';
import { standing } from '../run-words.ts';
import type { StackRuntime } from '../runtime.ts';
import { stoppedWatching } from '../stopped-watching.ts';
import { bytesInWords, counted, durationInWords } from '../words.ts';

/** Options that say how this machine works, not what a stack does with its plan. */
const ELSEWHERE = ['command', 'stdinName', 'exclude', 'include', 'oneFileSystem', 'compression', 'level', 'class', 'threads', 'verify', 'limitUpload', 'trustWriter'];

/** `holdfast backup PLAN --aws STACK`: asks the stack for a run, now, and watches it to its end. */
export async function backUpInStack(context: CommandContext, stack: StackRuntime, targets: readonly string[]): Promise<ExitCode> {
  const [plan, ...more] = targets;
  const stranger = ELSEWHERE.find((name) => context.options[name] !== undefined);
  if (stranger !== undefined) throw new HoldfastError('usage', `--${stranger.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} cannot be used with --aws: a stack runs its plans as they were deployed.`, { nextStep: 'Change the plan in holdfast.yaml and deploy.' });
  if (plan === undefined || more.length > 0) throw new HoldfastError('usage', `${targets.length} plans were named, wanted one plan of the stack ${stack.stackName}.`, { nextStep: `holdfast backup PLAN --aws ${stack.stackName}` });
  const runId = await stack.requestRun(plan, { isFull: context.options['full'] === true });
  context.output.note(`Run ${runId} of ${plan} was asked for. It goes on when this command is stopped.`);
  return finish(context, stack, await watch(context, stack, runId));
}

/** Somebody who stops watching must not take the run for stopped: it would be asked for again. */
async function watch({ surroundings, options }: CommandContext, stack: StackRuntime, runId: RunId): Promise<LedgerRun> {
  const progress = new Progress(surroundings, options['progress'] === true);
  let isWaiting = false;
  const showQueued = async (run: LedgerRun): Promise<void> => {
    const phase = await whyQueued(stack, run, surroundings.clock.now());
    if (isWaiting) progress.show({ phase });
  };
  const onState = (run: LedgerRun): void => {
    isWaiting = run.state === 'queued';
    if (!isWaiting) progress.show(shown(run));
    else if (progress.isShown) void showQueued(run);
  };
  try {
    return await stack.followRun(runId, { signal: surroundings.signal, onState });
  } catch (error) {
    throw stoppedWatching(error, `run ${runId}`, `holdfast runs show ${runId} --aws ${stack.stackName}`);
  } finally {
    isWaiting = false;
    progress.clear();
  }
}

/** As `runs` says it. Never fails: not knowing the reason does not end the watching. */
async function whyQueued(stack: StackRuntime, run: LedgerRun, now: number): Promise<string> {
  try {
    return `queued: ${standing(run, await seenNow([run], stack, now)) ?? ''}`;
  } catch (error) {
    return `queued: what for could not be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function shown({ state, progress }: LedgerRun): ProgressState {
  return { phase: progress?.stage ?? state, bytes: progress?.doneBytes, totalBytes: progress?.totalBytes };
}

async function finish({ output }: CommandContext, stack: StackRuntime, run: LedgerRun): Promise<ExitCode> {
  const { runId, planName, state, backupId, error } = run;
  if (state !== 'completed' && state !== 'warnings') {
    const nextStep = error?.nextStep ?? `\`holdfast runs show ${runId} --aws ${stack.stackName}\` says where its log is.`;
    throw new HoldfastError(codeOf(error?.code), `Run ${runId} of ${planName} ended ${state}: ${error?.message ?? 'no reason was recorded'}`, { nextStep });
  }
  const backup = await recordOf(output, stack, backupId);
  output.result({ type: 'backup', run: runId, plan: planName, backup: backupId, state, ...(backup && figures(backup)) }, () => [
    `${output.paint('green', 'Backup')} ${output.paint('bold', backupId ?? '')} of ${planName}${state === 'warnings' ? ', with warnings' : ''}`,
    ...(backup === undefined ? [] : summary(backup, stack.stackName)),
  ]);
  return state === 'warnings' ? 3 : 0;
}

/** The backup is made: that its figures cannot be read is told and fails nothing. */
async function recordOf(output: CommandContext['output'], stack: StackRuntime, backupId: string | undefined): Promise<BackupRecord | undefined> {
  if (backupId === undefined) return undefined;
  try {
    return await (await stack.catalog()).getBackup(backupId);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    output.warn(`The figures of the backup could not be read: ${error.message}`);
    return undefined;
  }
}

function figures({ files, bytes, addedBytes, startedAt, finishedAt, warnings, statistics }: BackupRecord): object {
  return { files, bytes, addedBytes, durationMilliseconds: finishedAt - startedAt, warnings, startedAt: new Date(startedAt).toISOString(), finishedAt: new Date(finishedAt).toISOString(), statistics };
}

function summary({ backupId, files, bytes, addedBytes, startedAt, finishedAt, warnings }: BackupRecord, stackName: string): string[] {
  return [
    `  ${counted(files, 'file')}, ${bytesInWords(bytes)}: added ${bytesInWords(addedBytes)}, in ${durationInWords(finishedAt - startedAt)}`,
    ...(warnings === 0 ? [] : [`  ${counted(warnings, 'warning')}: \`holdfast show ${backupId} --aws ${stackName}\` has ${warnings === 1 ? 'it' : 'them'}`]),
  ];
}

function codeOf(code: string | undefined): ErrorCode {
  return code !== undefined && Object.hasOwn(EXIT_CODE_OF, code) ? (code as ErrorCode) : 'unavailable';
}
