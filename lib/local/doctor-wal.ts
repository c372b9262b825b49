import { readLedgers } from '../recovery/pitr/read-ledger.ts';
import type { WalLedger } from '../recovery/pitr/read-ledger.ts';
import { archivedPlans } from '../recovery/pitr/wal-plans.ts';
import type { Repository } from '../repository/index.ts';
import { readFacts } from '../sources/postgres/base-backup-facts.ts';
import type { ProbeFinding } from '../stores/probe.ts';

/** Whether PostgreSQL plans can be restored to the last of their WAL. Undefined: the vault has none. `now`: the store's time. */
export async function walFinding(repository: Repository, now: number): Promise<ProbeFinding | undefined> {
  const seen: string[] = [];
  let isSound = true;
  for (const { plan, planName } of await archivedPlans(repository)) {
    for (const ledger of await readLedgers(repository, plan, readFacts)) {
      const problem = problemOf(ledger);
      if (problem !== undefined) isSound = false;
      seen.push(`${planName}: ${problem ?? 'can be restored to the end of its WAL'}${ageOf(ledger, now)}`);
    }
  }
  if (seen.length === 0) return undefined;
  const shown = `${seen.slice(0, 5).join('; ')}${seen.length > 5 ? ` and ${seen.length - 5} more` : ''}`;
  return isSound ? { result: 'ok', seen: shown } : { result: 'warning', seen: shown, nextStep: 'Run `holdfast pitr windows`, which says for each what is missing and what to do.' };
}

/** Of the newest line of timelines alone: what an older one lacks is history. */
function problemOf({ lines: [newest], divergences: [diverged], newest: last, notes }: WalLedger): string | undefined {
  if (newest === undefined || newest.windows.length === 0) return 'nothing can be restored from its WAL, because no base backup goes with it';
  if (diverged !== undefined) return `timelines ${diverged.older} and ${diverged.newer} both went on, as of two servers in one plan, and a restore must be told which to follow`;
  if (newest.waiting !== undefined) return 'WAL is missing, and no base backup was taken since';
  if (newest.gaps.length > 0) return `it has ${newest.gaps.length === 1 ? 'a gap' : `${newest.gaps.length} gaps`} that no moment in it can be restored to`;
  if (newest.stranded.length > 0) return `WAL is missing that ${newest.stranded.length === 1 ? 'a base backup needs' : `${newest.stranded.length} base backups need`}`;
  return notes[0] === undefined || last === undefined ? undefined : notes[0];
}

function ageOf({ newest }: WalLedger, now: number): string {
  if (newest === undefined) return ', and has none beside its base backups';
  const minutes = Math.max(0, Math.round((now - newest.storedAt) / 60_000));
  return `, the last stored ${minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`} ago`;
}
