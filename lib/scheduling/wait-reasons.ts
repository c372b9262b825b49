import type { LedgerRun } from '../catalog/ledger-records.ts';
import { HoldfastError } from '../model/errors.ts';

const MINUTE = 60_000;

/** What ECS says when there is no task now, and what to do when that lasts. The first row that matches. */
const WAITS = [
  { seen: /throttl|rate exceeded|TooManyRequests|RequestLimitExceeded/i, what: 'ECS throttled the requests to start a task', nextStep: 'Spread the schedules of the plans; if it lasts, ask for a higher "Rate of Fargate On-Demand task launches" in Service Quotas, AWS Fargate.' },
  { seen: /vCPU|number of tasks|concurrent(ly)?\b|LimitExceeded|reached the limit/i, what: 'the quota of Fargate ("Fargate On-Demand vCPU resource count") is used up', nextStep: 'Ask for a higher quota in Service Quotas, AWS Fargate, "Fargate On-Demand vCPU resource count", or spread the schedules of the plans.' },
  { seen: /\bENI\b|network interface|free (private )?(IP|addresses)|InsufficientFreeAddresses/i, what: 'the subnets have no free network interface or address', nextStep: 'Give the network larger or more subnets, or raise "Network interfaces per Region" in Service Quotas, Amazon VPC.' },
  { seen: /capacity|insufficient|RESOURCE:/i, what: 'Fargate had no capacity in the zones of the subnets', nextStep: 'Add subnets in other availability zones to the network of the plan, or let it start at another time.' },
] as const;

const FULL = {
  what: 'other runs held every place in the vault, or an earlier run of the plan had not ended',
  nextStep: 'Raise `max-concurrent-runs` of the vault, spread the schedules, or widen `start-window-minutes` of the plan.',
} as const;

/** Why a run was not started within its window, in words that name the quota. */
export function windowEnded(run: Pick<LedgerRun, 'planName' | 'vault' | 'queuedAt' | 'startBy' | 'attempts' | 'waitingFor'>): HoldfastError {
  const minutes = Math.round((run.startBy - run.queuedAt) / MINUTE);
  const wait = run.waitingFor === undefined ? FULL : (WAITS.find((row) => row.seen.test(run.waitingFor ?? '')) ?? { what: 'no task could be started', nextStep: 'See what ECS said, and start the plan again when that is mended.' });
  const said = run.waitingFor === undefined ? '' : ` ECS said last, at attempt ${run.attempts}: ${run.waitingFor}`;
  return new HoldfastError('unavailable', `Plan ${run.planName} was not started within its window of ${minutes} minutes: ${wait.what}.${said}`, { nextStep: wait.nextStep, retryable: false });
}

/** True when waiting may help a task that never ran. */
export function isLackOfCapacity(reason: string): boolean {
  return WAITS.some((row) => row.seen.test(reason));
}
