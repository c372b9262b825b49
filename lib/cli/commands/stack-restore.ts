import type { RestoreRecord, RestoreStage } from '../../catalog/records.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { restoreIdOf } from '../../recovery/workflow/restore-id.ts';
import type { CommandContext } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODE_OF } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import type { ProgressState } from '../progress.ts';
import type { StackRuntime } from '../runtime.ts';
import { stoppedWatching } from '../stopped-watching.ts';
import { bytesInWords, counted } from '../words.ts';
import { findWanted } from '../wanted-backup.ts';
import { restoreJson } from './restores.ts';

/** The catalog names stages by what they leave behind. */
const UNDER_WAY: Readonly<Record<RestoreStage['name'], string>> = {
  checked: 'checking', thawed: 'thawing', 'safety-backup': 'safety backup', restored: 'restoring', validated: 'validating', 'rolled-back': 'rolling back', reported: 'reporting',
};

/**
 * `holdfast restore ID --aws STACK --to-target NAME`: starts the stack's restore workflow after a confirmation and watches
 * its stages (R3). The restore goes on when this command is stopped.
 */
export async function restoreInStack(context: CommandContext, stack: StackRuntime, asked: { readonly id: string; readonly target: string; readonly select: readonly string[] }): Promise<ExitCode> {
  const { output, surroundings, options } = context;
  const { backup, notes } = await wantedOf(context, stack, asked.id);
  const input = { backup, target: asked.target, confirm: asked.target, ...(typeof options['part'] === 'string' && { part: options['part'] }), select: asked.select };
  if (options['dryRun'] === true) {
    output.result({ type: 'restore-input', input, notes }, () => [`Nothing was started. The workflow would get ${JSON.stringify(input)}`]);
    return 0;
  }
  await confirm(context, `The backup ${backup} will be restored into ${asked.target} of the stack ${stack.stackName}:`, [asked.target]);
  const execution = await stack.startRestore(input);
  output.note(`Execution ${execution}. It goes on when this command is stopped.`);
  const progress = new Progress(surroundings, options['progress'] === true);
  const ended = await stack.followRestore(execution, { signal: surroundings.signal, onProgress: (record) => progress.show(shown(record)) })
    .catch((error: unknown) => Promise.reject(stoppedWatching(error, `restore ${restoreIdOf(execution)}`, `holdfast restores --aws ${stack.stackName}`)))
    .finally(() => progress.clear());
  const { record, failure } = ended;
  if (!ended.isSuccess) throw new HoldfastError(codeOf(failure?.code), failure?.message ?? `The restore ended without a reason.`, { nextStep: failure?.nextStep ?? `Look at the execution ${execution}.` });
  output.result({ ...(record === undefined ? { type: 'restore', backup, target: asked.target } : restoreJson(record)), execution, notes }, () => [`${output.paint('green', 'Restored')} ${output.paint('bold', backup)} into ${asked.target}: ${counted(record?.files ?? 0, 'file')}, ${bytesInWords(record?.bytes ?? 0)}${record?.state === 'warnings' ? ', with warnings' : ''}`]);
  return record?.state === 'warnings' ? 3 : 0;
}

async function wantedOf({ output, options }: CommandContext, stack: StackRuntime, wanted: string): Promise<{ readonly backup: string; readonly notes: readonly string[] }> {
  const vault = await stack.openVault(options);
  try {
    const { name, notes } = await findWanted({ runtime: stack, output }, vault, wanted);
    return { backup: name.slice(name.lastIndexOf('/') + 1), notes };
  } finally {
    await vault.close();
  }
}

function shown({ stages = [] }: RestoreRecord): ProgressState {
  const last = stages.at(-1);
  if (last === undefined) return { phase: 'starting' };
  const phase = last.state === 'running' ? UNDER_WAY[last.name] : last.state === 'done' ? last.name : `${last.name}: failed`;
  return { phase, bytes: last.doneBytes, totalBytes: last.totalBytes };
}

function codeOf(code: string | undefined): ErrorCode {
  return code !== undefined && Object.hasOwn(EXIT_CODE_OF, code) ? (code as ErrorCode) : 'unavailable';
}
