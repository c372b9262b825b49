import { HoldfastError } from '../../model/errors.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { closestNames } from '../closest-names.ts';
import { PAUSED_MEANS, pauseJson, pausedInWords } from '../schedule-words.ts';
import { stackOf } from '../with-catalog.ts';

/** A plan that is paused already keeps since when and by whom. */
export async function run(context: CommandContext, [name]: CommandArguments): Promise<ExitCode> {
  const { output, surroundings, options } = context;
  const plan = textOf(name);
  const stack = stackOf(context, 'schedules');
  const known = (await stack.deployedPlans()).map((deployed) => deployed.name);
  if (!known.includes(plan)) throw new HoldfastError('not-found', `The stack ${stack.stackName} has no plan ${plan}; nothing was paused.`, { nextStep: closestNames(plan, known) });
  const ledger = await stack.ledger();
  const now = surroundings.clock.now();
  const before = (await ledger.pauses()).find(({ planName }) => planName === plan);
  const isDryRun = options['dryRun'] === true;
  const pause = before ?? { planName: plan, at: now, by: surroundings.userName };
  if (before === undefined && !isDryRun) await ledger.setPaused(plan, { at: pause.at, by: pause.by });
  const said = before === undefined ? `${output.paint('yellow', isDryRun ? 'Would pause' : 'Paused')} ${plan}, as ${pause.by}.` : `${plan} is paused already, ${pausedInWords(before, now)}.`;
  output.result({ type: 'schedule-paused', plan, changed: before === undefined && !isDryRun, paused: isDryRun && before === undefined ? null : pauseJson(pause) }, () => [said, PAUSED_MEANS, `Resume it with: holdfast schedules resume ${plan} --aws ${stack.stackName}`]);
  return 0;
}
