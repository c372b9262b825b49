import type { LedgerRun } from '../../catalog/ledger-records.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_CODE_OF } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import type { StackRuntime } from '../runtime.ts';

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
  const progress = new Progress(context.surroundings, context.options['progress'] === true);
  const run = await stack.followRun(runId, { signal: context.surroundings.signal, onState: (state) => progress.show(shown(state)) }).finally(() => progress.clear());
  return finish(context, run, stack.stackName);
}

function shown({ state, waitingFor, progress }: LedgerRun): { phase: string; bytes: number; totalBytes?: number } {
  const phase = state === 'queued' && waitingFor !== undefined ? `queued, waiting for ${waitingFor}` : (progress?.stage ?? state);
  return { phase, bytes: progress?.doneBytes ?? 0, ...(progress?.totalBytes !== undefined && { totalBytes: progress.totalBytes }) };
}

function finish({ output }: CommandContext, run: LedgerRun, stackName: string): ExitCode {
  const { runId, planName, state, backupId, error } = run;
  if (state !== 'completed' && state !== 'warnings') {
    const nextStep = (error as { nextStep?: string } | undefined)?.nextStep ?? `\`holdfast runs show ${runId} --aws ${stackName}\` says where its log is.`;
    throw new HoldfastError(codeOf(error?.code), `Run ${runId} of ${planName} ended ${state}: ${error?.message ?? 'no reason was recorded'}`, { nextStep });
  }
  output.result({ type: 'backup', run: runId, plan: planName, backup: backupId, state }, () => [`${output.paint('green', 'Backup')} ${output.paint('bold', backupId ?? '')} of ${planName}${state === 'warnings' ? ', with warnings' : ''}`]);
  return state === 'warnings' ? 3 : 0;
}

function codeOf(code: string | undefined): ErrorCode {
  return code !== undefined && Object.hasOwn(EXIT_CODE_OF, code) ? (code as ErrorCode) : 'unavailable';
}
