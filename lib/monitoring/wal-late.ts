import type { AlertRecord } from '../catalog/ledger-records.ts';

/** Begins the ids of alerts about WAL of a plan that does not arrive; since when it does not follows. */
export function walAlerts(planName: string): string {
  return `wal-late/${planName}/`;
}

/** WAL that does not arrive; once for each time since which it does not (R4). `keptAt`: absent where it never did. */
export function walLateAlert({ planName, limitMs, keptAt, since, now }: { readonly planName: string; readonly limitMs: number; readonly keptAt?: number; readonly since: number; readonly now: number }): AlertRecord {
  const minutes = Math.round(limitMs / 60_000);
  const seen = keptAt === undefined ? `It was never seen to be kept since the deploy of ${new Date(since).toISOString()}` : `The last time all of it was known to be kept was ${new Date(keptAt).toISOString()}`;
  return {
    alertId: `${walAlerts(planName)}${keptAt === undefined ? 'never since ' : ''}${new Date(keptAt ?? since).toISOString()}`,
    kind: 'wal-late',
    severity: 'critical',
    state: 'open',
    title: `WAL of ${planName} does not reach the vault`,
    message: `${seen}, wanted once in ${minutes} minutes. What the server writes now is lost if it is lost; and the server keeps WAL that is not received, until its disk is full.`,
    nextStep: `Read the log of the receiver: in the log group of the stack's tasks, the newest stream that begins with STACK-wal-${planName.replaceAll('.', '_')}/. It says what the server or the vault refused and what to do. Is the server down, start it. Afterwards run \`holdfast pitr windows ${planName} --aws STACK\`: a gap needs a base backup at once. This alert resolves itself when all is kept again.`,
    planName,
    openedAt: now,
  };
}
