import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { isUnwritable, lookingOnly } from '../../stores/read-only.ts';
import { healVault } from '../../validation/healing/heal-vault.ts';
import type { HealingReport } from '../../validation/healing/heal-vault.ts';
import { planHealing } from '../../validation/healing/healing-plan.ts';
import type { HealingPlan, UnhealedPack } from '../../validation/healing/healing-plan.ts';
import { readHealingState } from '../../validation/healing/healing-state.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import { confirm } from '../confirm.ts';
import type { ExitCode } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import type { Vault } from '../runtime.ts';
import { bytesInWords, counted } from '../words.ts';
import { tellingHead } from './tell-head.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  const { options, output, surroundings } = context;
  return tellingHead(context, () => withVault(context, async (vault) => {
    if (options['dryRun'] === true) {
      const { store } = vault.repository;
      const plan = planHealing(await readHealingState({ ...vault.repository, store: lookingOnly(store, surroundings.clock) }, surroundings.signal));
      output.result({ type: 'repair-packs-plan', ...planJson(plan), dryRun: true }, () => planLines(plan));
      return plan.unhealed.length > 0 ? 12 : 0;
    }
    refuseToRepair(vault);
    const progress = new Progress(surroundings, options['progress'] === true);
    const report = await healVault(vault.repository, { signal: surroundings.signal, onProgress: (state) => progress.show(state) }).finally(() => progress.clear());
    output.result({ type: 'repair-packs', ...report, unhealed: report.unhealed.map(unhealedJson) }, () => reportLines(report));
    await takeNotesBack(context, vault, report);
    return report.unhealed.length > 0 || report.lostChunks > 0 ? 12 : 0;
  }));
}

export function refuseToRepair(vault: Vault): void {
  if (!vault.mayWrite) throw new HoldfastError('wrong-key', 'This key was left out when the keys of this vault were changed: it reads older backups and may not write.', { nextStep: 'Use a key that `holdfast keys list` shows for the greatest key number.' });
}

/** A note about a pack that is whole keeps new backups from building on it; it is deleted, so somebody is asked. */
async function takeNotesBack(context: CommandContext, { repository }: Vault, { cleared }: HealingReport): Promise<void> {
  if (cleared.length === 0) return;
  const { output } = context;
  const many = cleared.length === 1 ? 'A note about a damaged pack is wrong: the pack' : `${cleared.length} notes about damaged packs are wrong: each pack`;
  await confirm(context, `${many} was read again and is whole. ${cleared.length === 1 ? 'The note' : 'The notes'} will be deleted, and new backups build on ${cleared.length === 1 ? 'it' : 'them'} again.`, cleared.map(({ name, reason }) => `${name}: ${reason}`));
  try {
    for (const { name } of cleared) await repository.store.remove(name);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    output.warn(`The notes stay, because this role may not delete: ${error.message}`);
    return;
  }
  output.result({ type: 'notes-deleted', names: cleared.map(({ name }) => name) }, () => `Deleted ${counted(cleared.length, 'note')}.`);
}

function planJson({ steps, revisions, cleared, unhealed, isFirstOfTwo }: HealingPlan): object {
  return {
    steps: steps.map(({ pack, how, reason, chunks, lost, examples }) => ({ pack, how, reason, chunks, lost, examples: examples.map(display) })),
    lists: revisions.map(({ snapshot, reason }) => ({ snapshot, reason })),
    cleared, unhealed: unhealed.map(unhealedJson), isFirstOfTwo,
  };
}

function unhealedJson(pack: UnhealedPack): object {
  return { ...pack, examples: pack.examples.map(display) };
}

function planLines(plan: HealingPlan): string[] {
  const lines = [
    ...plan.steps.flatMap(({ pack, how, reason, examples }) => [`${HOW[how]} ${pack}: ${reason}`, ...examples.map((path) => `    lost for now: ${display(path)}`)]),
    ...plan.revisions.map(({ snapshot, reason }) => `write the list of packs of backup ${idOf(snapshot)} anew: ${reason}`),
    ...plan.cleared.map(({ name, reason }) => `delete ${name}: ${reason}`),
    ...(plan.isFirstOfTwo ? ['Entry trees come first: what else can be healed is known when they are.'] : []),
    ...plan.unhealed.flatMap(unhealedLines),
  ];
  return [...(lines.length > 0 ? lines : [NOTHING]), 'Nothing was done.'];
}

const HOW: Readonly<Record<HealingPlan['steps'][number]['how'], string>> = { copy: 'copy', 'stand-in': 'replace', drop: 'forget' };
const NOTHING = 'No backup names a pack that is missing or that somebody found damaged. `holdfast verify --level full` reads every byte and finds what nobody has found yet.';

function reportLines({ packs, storedBytes, backups, lostChunks, unhealed, cleared }: HealingReport): string[] {
  if (backups.length === 0 && unhealed.length === 0 && cleared.length === 0) return [NOTHING];
  return [
    ...(backups.length > 0 ? [packs === 0 ? `Wrote the list of packs of ${counted(backups.length, 'backup')} anew.` : `Healed ${counted(packs, 'pack')} of ${counted(backups.length, 'backup')}; ${bytesInWords(storedBytes)} stored.`, '`holdfast verify --level full` proves them and calls them good again.'] : []),
    ...(lostChunks > 0 ? [`${counted(lostChunks, 'chunk')} of them ${lostChunks === 1 ? 'is' : 'are'} in no pack any more: verify names the entries. A backup heals them too, if its source still has them as they were.`] : []),
    ...unhealed.flatMap(unhealedLines),
  ];
}

function unhealedLines({ pack, reason, nextStep, examples, backups }: UnhealedPack): string[] {
  return [`not healed ${pack}: ${reason}`, ...examples.slice(0, 10).map((path) => `    ${display(path)}`), `  in ${counted(backups.length, 'backup')}: ${backups.slice(0, 5).map(idOf).join(', ')}${backups.length > 5 ? ', …' : ''}`, `  ${nextStep}`];
}

function idOf(snapshot: string): string {
  return snapshot.slice(snapshot.lastIndexOf('/') + 1);
}
