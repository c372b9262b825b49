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

/** Backups that were read in full after the healing, and how many of them are good. */
export interface Proof {
  readonly proved: number;
  readonly good: number;
}

/** What whoever read the backup back made of it: healed only when whatever stood as damaged was proved good. */
export function noteOfAttempt(attempt: HealingAttempt, { command, proved, good }: RepairCommand & Proof): HealingNote {
  if ('problem' in attempt) return { state: 'open', message: `Older backups have damage, and healing them failed: ${attempt.problem.message}`, nextStep: `${attempt.problem.nextStep ?? ''} Run \`${command}\` with your own rights.`.trim() };
  const { packs, backups, lostChunks, unhealed } = attempt.report;
  const done = [...(packs > 0 ? [`${count(packs, 'pack')} of ${count(backups.length, 'older backup')} healed.`] : []), ...(proved > 0 ? [`Read again in full, ${good} of ${count(proved, 'older backup')} ${proved === 1 ? 'is' : 'are'} good.`] : [])];
  const left = [...(unhealed.length > 0 ? [`${count(unhealed.length, 'damaged pack')} could not be healed: ${unhealed[0]?.pack}: ${unhealed[0]?.reason}.`] : []), ...(lostChunks > 0 ? [`${count(lostChunks, 'chunk')} of what was healed ${lostChunks === 1 ? 'is' : 'are'} lost: the source has it no more.`] : [])];
  if (left.length === 0 && good === proved) return { state: 'healed', message: done.join(' ') || 'Nothing is left to heal.' };
  return { state: 'open', message: [...done, ...left].join(' '), nextStep: `${unhealed[0]?.nextStep ?? 'If the source gets back what is lost, back it up.'} \`${command} --dry-run\` says what is lost.` };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
