const MINUTE = 60_000;

export interface FreshPlan {
  readonly name: string;
  readonly freshnessHours: number;
  readonly policy: { readonly serviceLevel?: { readonly rpoMinutes: number } };
}

/** By when the plan should have its next good backup (M1): its freshness or its RPO after the last one, whichever is less. */
export function freshUntil(plan: FreshPlan, since: number): number {
  return since + Math.min(plan.freshnessHours * 60, plan.policy.serviceLevel?.rpoMinutes ?? Infinity) * MINUTE;
}

/**
 * The time by which a good backup was due and did not come; undefined while all is well. A plan that never had one
 * counts from the moment it was deployed.
 */
export function overdueSince(plan: FreshPlan, seen: { readonly lastSuccessAt?: number; readonly deployedAt: number; readonly now: number }): number | undefined {
  const dueAt = freshUntil(plan, seen.lastSuccessAt ?? seen.deployedAt);
  return dueAt < seen.now ? dueAt : undefined;
}

/** Kinds of alerts that the next good backup of the same plan answers. */
const ANSWERED_BY_SUCCESS: ReadonlySet<string> = new Set(['backup-delayed', 'backup-failed', 'storage-full']);

/** True when a good backup of its plan ended after the alert was opened. */
export function isAnswered(alert: { readonly kind: string; readonly openedAt: number }, lastSuccessAt: number | undefined): boolean {
  return lastSuccessAt !== undefined && lastSuccessAt > alert.openedAt && ANSWERED_BY_SUCCESS.has(alert.kind);
}
