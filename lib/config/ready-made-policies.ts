import type { PolicyInput } from './policy-schema.ts';

/**
 * Policies by name (requirement P3). Only what differs from the defaults of the schema stands here; encryption is
 * always on. *Verified* means that every byte is read back from the store before the backup counts as good.
 */
export const READY_MADE_POLICIES = {
  database: { frequency: 'daily', retention: { days: 30 }, class: 'hot', compression: { algorithm: 'zstd' }, verification: 'full' },
  media: { frequency: 'weekly', retention: { days: 90 }, class: 'warm' },
  configs: { frequency: 'daily', retention: { days: 365 }, class: 'cold', verification: 'full' },
  logs: { frequency: 'daily', retention: { days: 7 }, class: 'hot' },
} as const satisfies Record<string, PolicyInput>;

export type ReadyMadePolicyName = keyof typeof READY_MADE_POLICIES;

export function isReadyMade(name: string): name is ReadyMadePolicyName {
  return Object.hasOwn(READY_MADE_POLICIES, name);
}
