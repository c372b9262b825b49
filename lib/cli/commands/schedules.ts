import { newestGood } from '../../monitoring/newest-good.ts';
import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { planJson, planLines } from '../schedule-words.ts';
import { stackOf } from '../with-catalog.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  const { output, surroundings } = context;
  const stack = stackOf(context, 'schedules');
  const [plans, catalog, ledger] = await Promise.all([stack.deployedPlans(), stack.catalog(), stack.ledger()]);
  const [pauses, lastGood] = await Promise.all([ledger.pauses(), Promise.all(plans.map((plan) => newestGood(catalog, plan, surroundings.clock.now())))]);
  const now = surroundings.clock.now();
  const standings = plans.map((plan, index) => ({ plan, lastGood: lastGood[index], pause: pauses.find(({ planName }) => planName === plan.name) }));
  if (output.isJson) for (const standing of standings) output.result(planJson(standing, now), () => []);
  else output.result({}, () => (plans.length === 0 ? `The stack ${stack.stackName} has no plan.` : standings.flatMap((standing) => planLines(standing, now, output))));
  for (const { planName } of pauses) {
    if (!plans.some(({ name }) => name === planName)) output.warn(`The plan ${planName} is paused and not deployed any more; it stays paused when it comes back. \`holdfast schedules resume ${planName} --aws ${stack.stackName}\` forgets that.`);
  }
  return 0;
}
