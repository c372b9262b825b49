import type { HealingNote } from '../catalog/ledger-records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { Clock } from '../model/clock.ts';
import type { RunId } from '../model/ids.ts';
import { healingAlert, healingAlerts } from '../monitoring/alerts.ts';

export interface HealingTold {
  readonly ledger: Pick<RunLedger, 'noteHealing' | 'openAlert' | 'resolveAlert' | 'listAlerts'>;
  readonly clock: Pick<Clock, 'now'>;
}

const ALERTS_LOOKED_AT = 500;

/**
 * Into the record of the run, and as an alert where somebody has to act; the monitor sends it. When nothing is left to
 * heal in that vault, what was told before ends. Callable again: the last word counts, an alert is opened once.
 */
export async function tellHealing(note: HealingNote, about: { readonly vault: string; readonly planName: string; readonly runId: RunId }, { ledger, clock }: HealingTold): Promise<void> {
  await ledger.noteHealing(about.runId, note);
  if (note.state === 'open') await ledger.openAlert(healingAlert(note, about, clock.now()));
  if (note.state !== 'healed') return;
  const open = await ledger.listAlerts({ state: 'open', limit: ALERTS_LOOKED_AT });
  for (const { alertId } of open) if (alertId.startsWith(healingAlerts(about.vault))) await ledger.resolveAlert(alertId, clock.now());
}
