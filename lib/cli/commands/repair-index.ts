import { lookingOnly } from '../../stores/read-only.ts';
import { planIndexes, readIndexState } from '../../validation/healing/index-plan.ts';
import type { IndexPlan } from '../../validation/healing/index-plan.ts';
import { executeIndexRepair } from '../../validation/healing/repair-index.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import { counted } from '../words.ts';
import { refuseToRepair } from './repair-packs.ts';
import { tellingHead } from './tell-head.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  const { options, output, surroundings } = context;
  const isDryRun = options['dryRun'] === true;
  return tellingHead(context, () => withVault(context, async (vault) => {
    if (!isDryRun) refuseToRepair(vault);
    const { store } = vault.repository;
    const repository = { ...vault.repository, store: isDryRun ? lookingOnly(store, surroundings.clock) : store };
    const state = await readIndexState(repository, surroundings.signal);
    const plan = planIndexes(state);
    if (isDryRun || plan.objects.length === 0) {
      output.result({ type: 'repair-index-plan', broken: state.broken, ...jsonOf(plan), dryRun: isDryRun }, () => planLines(plan, state.broken, isDryRun));
      return plan.unreadable.length > 0 ? 3 : 0;
    }
    const progress = new Progress(surroundings, options['progress'] === true);
    const done = await executeIndexRepair(plan, repository, { signal: surroundings.signal, onProgress: (given) => progress.show(given) }).finally(() => progress.clear());
    output.result({ type: 'repair-index', ...done, unreadable: plan.unreadable }, () => [
      `Indexed ${counted(done.packs, 'pack')} that no index named, ${counted(done.chunks, 'chunk')}, in ${counted(done.written.length, 'new index', 'new indexes')}.`,
      ...(done.superseded > 0 ? [`${counted(done.superseded, 'index', 'indexes')} that did not open ${done.superseded === 1 ? 'is' : 'are'} stood for; \`holdfast prune\` takes ${done.superseded === 1 ? 'it' : 'them'} away one day.`] : []),
      ...unreadableLines(plan),
    ]);
    return plan.unreadable.length > 0 ? 3 : 0;
  }));
}

function jsonOf({ objects, unreadable }: IndexPlan): object {
  return { objects: objects.map(({ writer, supersedes, packs, chunks, reason }) => ({ writer, supersedes, packs: packs.map(({ pack }) => pack.name), chunks, reason })), unreadable };
}

function planLines(plan: IndexPlan, broken: readonly { readonly name: string; readonly problem: string }[], isDryRun: boolean): string[] {
  if (plan.objects.length === 0) return ['Every pack is indexed, and every index opens. There is nothing to do.', ...unreadableLines(plan)];
  return [
    ...broken.map(({ name, problem }) => `broken ${name}: ${problem}`),
    ...plan.objects.map(({ writer, chunks, reason }) => `write an index of writer ${writer} with ${counted(chunks, 'chunk')}: ${reason}`),
    ...unreadableLines(plan),
    ...(isDryRun ? ['Nothing was done.'] : []),
  ];
}

function unreadableLines({ unreadable }: IndexPlan): string[] {
  return unreadable.map(({ name, reason }) => `not indexed ${name}: ${reason}`);
}
