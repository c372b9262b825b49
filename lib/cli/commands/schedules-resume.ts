import { HoldfastError } from '../../model/errors.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { closestNames } from '../closest-names.ts';
import { RESUMED_MEANS, pauseJson, pausedInWords } from '../schedule-words.ts';
import { stackOf } from '../with-catalog.ts';

/** Also of a plan that is not deployed any more: its pause would outlive it. */
export async function run(context: CommandContext, [name]: CommandArguments): Promise<ExitCode> {
  const { output, surroundings, options } = context;
  const plan = textOf(name);
  const stack = stackOf(context, 'schedules');
  const ledger = await stack.ledger();
  const pauses = await ledger.pauses();
  const before = pauses.find(({ planName }) => planName === plan);
  if (before === undefined) {
    const known = (await stack.deployedPlans()).map((deployed) => deployed.name);
    if (!known.includes(plan)) throw new HoldfastError('not-found', `The stack ${stack.stackName} has no plan ${plan}; nothing was resumed.`, { nextStep: closestNames(plan, known) });
  }
  const isDryRun = options['dryRun'] === true;
  if (before !== undefined && !isDryRun) await ledger.setPaused(plan, undefined);
  const said = before === undefined ? `${plan} is not paused.` : `${output.paint('green', isDryRun ? 'Would resume' : 'Resumed')} ${plan}, which was paused ${pausedInWords(before, surroundings.clock.now())}.`;
  output.result({ type: 'schedule-resumed', plan, changed: before !== undefined && !isDryRun, wasPaused: pauseJson(before) }, () => [said, ...(before === undefined ? [] : [RESUMED_MEANS])]);
  return 0;
}
