import { removeDeadIndexes } from '../../retention/dead-indexes.ts';
import { executePrune } from '../../retention/prune.ts';
import { removeSpentNotes } from '../../retention/spent-notes.ts';
import { planPrune } from '../../retention/prune-plan.ts';
import type { PrunePlan } from '../../retention/prune-plan.ts';
import { readPruneState } from '../../retention/prune-state.ts';
import { executeWalPrune, readWalState } from '../../retention/wal.ts';
import { planWalPrune } from '../../retention/wal-plan.ts';
import type { WalPrunePlan } from '../../retention/wal-plan.ts';
import { readFacts } from '../../sources/postgres/base-backup-facts.ts';
import { lookingOnly } from '../../stores/read-only.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import { isoTime } from '../entry-words.ts';
import type { ExitCode } from '../exit-codes.ts';
import { bytesInWords, counted, timeInWords } from '../words.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  const { options, output, surroundings } = context;
  return withVault(context, async (vault) => {
    const { store } = vault.repository;
    const isDryRun = options['dryRun'] === true;
    if (!isDryRun) await vault.sweep();
    const looked = isDryRun ? lookingOnly(store, surroundings.clock) : store;
    const seen = { ...vault.repository, store: looked };
    const plan = planPrune(await readPruneState(looked, seen));
    const wal = planWalPrune(await readWalState(seen, plan.at, readFacts));
    if (isDryRun) {
      output.result({ type: 'prune-plan', ...plan, at: isoTime(plan.at), waiting: waitingJson(plan), wal }, () => [...walLines(wal), ...planLines(plan, wal)]);
      return plan.blockers.length > 0 ? 3 : 0;
    }
    const budget = { clock: surroundings.clock, signal: surroundings.signal };
    const done = await executePrune(plan, store, budget);
    if (done.deletedPacks > 0) await removeDeadIndexes(vault.repository, budget);
    await removeSpentNotes(vault.repository);
    const doneWal = await executeWalPrune(wal, store, budget);
    output.result({ type: 'prune', ...done, bytesWaiting: plan.bytesWaiting, waiting: waitingJson(plan), wal: doneWal }, () => [
      `Freed ${bytesInWords(done.bytesFreed)} (${counted(done.deletedPacks, 'pack')}); marked ${counted(done.marked, 'pack')}, spared ${done.spared}.`,
      ...(doneWal.deletedFiles > 0 ? [`Freed ${bytesInWords(doneWal.bytesFreed)} of WAL that no base backup needs (${counted(doneWal.deletedFiles, 'file')}).`] : []),
      ...wal.kept,
      ...(plan.marks.length > 0 ? [`What was marked now waits for a second look: run \`holdfast prune\` again in 24 hours.`] : []),
      ...waitingLines(plan),
    ]);
    return 0;
  });
}

function walLines({ deletions, kept }: WalPrunePlan): string[] {
  return [...deletions.map(({ file, sizeBytes, reason }) => `delete WAL ${file} (${bytesInWords(sizeBytes)}): ${reason}`), ...kept];
}

function planLines(plan: PrunePlan, wal: WalPrunePlan): string[] {
  const lines = [
    ...plan.blockers.map(({ name, reason, nextStep }) => `stopped by ${name}: ${reason}. ${nextStep}`),
    ...plan.expired.map(({ name, reason }) => `delete ${name}: ${reason}`),
    ...plan.deletions.map(({ pack, sizeBytes, reason }) => `delete ${pack} (${bytesInWords(sizeBytes)}): ${reason}`),
    ...plan.rulings.filter(({ ruling }) => ruling === 'spared').map(({ mark, reason }) => `spare ${mark}: ${reason}`),
    ...plan.cleared.map(({ mark, reason }) => `clear ${mark}: ${reason}`),
    ...plan.marks.map(({ pack, sizeBytes, reason }) => `mark ${pack} (${bytesInWords(sizeBytes)}): ${reason}`),
  ];
  const wait = plan.bytesWaiting === 0 ? '' : `; ${bytesInWords(plan.bytesWaiting)} wait for a second look`;
  const isIdle = lines.length === 0 && wal.deletions.length === 0;
  return [...(isIdle ? ['There is nothing to do yet.'] : lines), ...waitingLines(plan), `Nothing was done. This would free ${bytesInWords(plan.bytesFreed + wal.bytesFreed)}${wait}.`];
}

function waitingJson({ waiting }: PrunePlan): object[] {
  return waiting.map((group) => ({ ...group, until: isoTime(group.until) }));
}

/** Who removed a backup and sees no space freed must learn when it will be. */
function waitingLines({ waiting }: PrunePlan): string[] {
  return waiting.map(({ packs, sizeBytes, reason, until }) => `${counted(packs, 'pack')} that no backup needs, ${bytesInWords(sizeBytes)}, ${packs === 1 ? 'is' : 'are'} ${reason}: run \`holdfast prune\` again after ${timeInWords(until)}.`);
}
