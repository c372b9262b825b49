import type { ResolvedStackVault } from './resolved-aws.ts';
import type { VaultFields } from './schema.ts';
import { DEFAULT_LOCK_DAYS } from './vault-checks.ts';

const DEFAULT_TIERS = { 'warm-after-days': 30, 'cold-after-days': 30 } as const;

/** A vault that `cdk deploy` makes, with its defaults: locked for 30 days in governance mode. */
export function resolveStackVault(name: string, fields: NonNullable<VaultFields['aws']>): ResolvedStackVault {
  const { 'existing-bucket': existingBucket, 'existing-key': existingKey, tiers = DEFAULT_TIERS } = fields;
  return {
    kind: 'aws',
    name,
    ...(existingBucket !== undefined && { existingBucket }),
    ...(existingKey !== undefined && { existingKey }),
    lock: lockOf(fields),
    warmAfterDays: tiers['warm-after-days'],
    coldAfterDays: tiers['cold-after-days'],
    maxConcurrentRuns: fields['max-concurrent-runs'],
  };
}

function lockOf({ 'existing-bucket': existing, 'object-lock': lock }: NonNullable<VaultFields['aws']>): ResolvedStackVault['lock'] {
  const mode = existing === undefined ? (lock?.mode ?? 'governance') : 'none';
  return { mode, days: mode === 'none' ? 0 : (lock?.days ?? DEFAULT_LOCK_DAYS) };
}
