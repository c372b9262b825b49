const MINUTE = 60_000;

export interface FreshPlan {
  readonly name: string;
  readonly freshnessHours: number;
  readonly policy: { readonly serviceLevel?: { readonly rpoMinutes: number } };
}

/** By when the plan should have its next good backup (M1): its freshness or its RPO after the last one, whichever is less. */
export function freshUntil(plan: FreshPlan, since: number): number {
  return since + limitOf(plan);
}

/** No two runs take the same time: one that is being worked on is waited for a little, and no longer. */
const LEAST_PATIENCE = 10 * MINUTE;

/**
 * The time by which a good backup was due and did not come; undefined while all is well. A plan that never had one
 * counts from the moment it was deployed. While a worker is at it, a quarter of the limit more is given, 10 minutes at least.
 */
export function overdueSince(plan: FreshPlan, seen: { readonly lastSuccessAt?: number; readonly deployedAt: number; readonly now: number; readonly isRunning?: boolean }): number | undefined {
  const dueAt = freshUntil(plan, seen.lastSuccessAt ?? seen.deployedAt);
  const patience = seen.isRunning === true ? Math.max(LEAST_PATIENCE, limitOf(plan) / 4) : 0;
  return dueAt + patience < seen.now ? dueAt : undefined;
}

/** Milliseconds. */
function limitOf({ freshnessHours, policy }: FreshPlan): number {
  return Math.min(freshnessHours * 60, policy.serviceLevel?.rpoMinutes ?? Infinity) * MINUTE;
}

/** Kinds of alerts that the next good backup of the same plan answers. */
const ANSWERED_BY_SUCCESS: ReadonlySet<string> = new Set(['backup-delayed', 'backup-failed', 'storage-full']);

/** True when a good backup of its plan ended after the alert was opened. */
export function isAnswered(alert: { readonly kind: string; readonly openedAt: number }, lastSuccessAt: number | undefined): boolean {
  return lastSuccessAt !== undefined && lastSuccessAt > alert.openedAt && ANSWERED_BY_SUCCESS.has(alert.kind);
}
