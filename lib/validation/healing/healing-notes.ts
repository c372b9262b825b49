import type { HealingNote } from '../../catalog/ledger-records.ts';
import type { HealingAttempt } from './after-backup.ts';

export interface RepairCommand {
  /** How a person heals this vault by hand, such as `holdfast repair packs --aws shop --vault main`. */
  readonly command: string;
}

/** What a run writes down whose role may not read content: it stored anew what its source had, and goes no further. */
export function noteOfLeft({ command, isReadBack }: RepairCommand & { readonly isReadBack: boolean }): HealingNote {
  const stored = 'Older backups in this vault have damage. What the source of this run still has of it was stored anew';
  if (isReadBack) return { state: 'due', message: `${stored}; the task that reads this backup back gives it to them.` };
  return { state: 'open', message: `${stored}; nobody gives it to them, because backups of this plan are not read back.`, nextStep: `Run \`${command}\`, which heals them with your own rights; or set \`verification\` in the policy of the plan, and deploy.` };
}

/** What whoever read the backup back made of it. `good`: backups that got new lists of packs and were then read in full. */
export function noteOfAttempt(attempt: HealingAttempt, { command, good }: RepairCommand & { readonly good: number }): HealingNote {
  if ('problem' in attempt) return { state: 'open', message: `Older backups have damage, and healing them failed: ${attempt.problem.message}`, nextStep: `${attempt.problem.nextStep ?? ''} Run \`${command}\` with your own rights.`.trim() };
  const { packs, backups, lostChunks, unhealed } = attempt.report;
  const healed = packs === 0 ? [] : [`${count(packs, 'pack')} of ${count(backups.length, 'older backup')} healed; read again in full, ${good} of ${backups.length} ${backups.length === 1 ? 'is' : 'are'} good.`];
  const left = [...(unhealed.length > 0 ? [`${count(unhealed.length, 'damaged pack')} could not be healed: ${unhealed[0]?.pack}: ${unhealed[0]?.reason}.`] : []), ...(lostChunks > 0 ? [`${count(lostChunks, 'chunk')} of what was healed ${lostChunks === 1 ? 'is' : 'are'} lost: the source has it no more.`] : [])];
  const isOpen = left.length > 0 || good < backups.length;
  if (!isOpen) return { state: 'healed', message: healed[0] ?? 'Nothing is left to heal.' };
  return { state: 'open', message: [...healed, ...left].join(' '), nextStep: `${unhealed[0]?.nextStep ?? 'If the source gets back what is lost, back it up.'} \`${command} --dry-run\` says what is lost.` };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
