import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import type { BackupRecord } from '../../lib/catalog/records.ts';
import { eventually } from '../support/aws-rig/waiting.ts';
import type { World } from '../support/aws-rig/world.ts';

const ENDED: readonly string[] = ['completed', 'warnings', 'failed', 'cancelled'];

/** The first run of a plan that was queued after a moment, once it has ended; with the newest logs when it does not. */
export function endedRun(world: World, plan: string, { after, withinMs = 150_000 }: { readonly after: number; readonly withinMs?: number }): Promise<LedgerRun> {
  return eventually(`a run of ${plan} queued after ${new Date(after).toISOString()} to end`, async () => {
    const runs = (await world.catalog.listRuns({ plan })).filter(({ queuedAt }) => queuedAt > after);
    const first = runs.at(-1);
    const run = first && ENDED.includes(first.state) ? await world.ledger.getLedgerRun(first.runId) : undefined;
    return run;
  }, { withinMs, explain: () => world.logs() });
}

/** The backup of a run that succeeded; the failure of one that did not, with the newest logs. */
export async function backupOf(world: World, run: LedgerRun): Promise<BackupRecord> {
  if (run.state !== 'completed' || run.backupId === undefined) throw new Error(`run ${run.runId} ended ${run.state}: ${JSON.stringify(run.error)}\n${await world.logs()}`);
  return world.catalog.getBackup(run.backupId);
}
