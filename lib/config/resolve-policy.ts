import type { Config } from './load-config.ts';
import type { PolicyFields } from './policy-schema.ts';
import { policy as policySchema } from './policy-schema.ts';
import { isReadyMade, READY_MADE_POLICIES } from './ready-made-policies.ts';
import type { PlanFields } from './schema.ts';
import type { FrequencyName } from './service-levels.ts';
import { SERVICE_LEVELS } from './service-levels.ts';

/** A policy with every default filled in. */
export interface ResolvedPolicy {
  /** Absent: runs only when asked to. */
  readonly frequency?: FrequencyName | { readonly cron: string; readonly timeZone: string; readonly spreadMinutes?: number };
  /** Empty: everything is kept. */
  readonly retention: Retention;
  readonly class: 'hot' | 'warm' | 'cold';
  readonly encryption: 'aes-256-gcm' | 'chacha20-poly1305';
  /** `level` is 0 for `none`. */
  readonly compression: { readonly algorithm: 'zstd' | 'gzip' | 'none'; readonly level: number };
  readonly verification: 'none' | 'structure' | 'sample' | 'full';
  readonly warningsAreGood: boolean;
  readonly minimumSizeBytes: number;
  readonly priority: number;
  readonly serviceLevel?: { readonly rtoMinutes: number; readonly rpoMinutes: number };
}

/** Whole numbers of days, of backups, or of hours, days, weeks, months, years that each keep one backup. */
export type Retention = { readonly [K in 'days' | 'count' | 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly']?: number };

const DEFAULT_LEVELS = { zstd: 3, gzip: 6, none: 0 } as const;

/** The names that a plan may use, ready-made ones first. */
export function policyNames(config: Config): string[] {
  return [...Object.keys(READY_MADE_POLICIES), ...Object.keys(config.fields.policies)];
}

/**
 * What a plan's `policy` means: nothing (defaults only), a name, or fields on top of the policy in `based-on`. A field
 * replaces the whole field below it: `retention: { count: 3 }` does not inherit `days`.
 */
export function resolvePolicy(config: Config, written: PlanFields['policy']): ResolvedPolicy {
  if (typeof written === 'string') return withDefaults(namedPolicy(config, written));
  const { 'based-on': basedOn, ...fields } = written ?? {};
  return withDefaults({ ...(basedOn === undefined ? {} : namedPolicy(config, basedOn)), ...fields });
}

function namedPolicy(config: Config, name: string): PolicyFields {
  return isReadyMade(name) ? policySchema.parse(READY_MADE_POLICIES[name]) : (config.fields.policies[name] ?? {});
}

function withDefaults(fields: PolicyFields): ResolvedPolicy {
  const algorithm = fields.compression?.algorithm ?? 'zstd';
  return {
    ...frequencyOf(fields),
    retention: withoutAbsent(fields.retention ?? {}),
    class: fields.class ?? 'hot',
    encryption: fields.encryption ?? 'aes-256-gcm',
    compression: { algorithm, level: fields.compression?.level ?? DEFAULT_LEVELS[algorithm] },
    verification: fields.verification ?? 'none',
    warningsAreGood: fields['warnings-are-good'] ?? true,
    minimumSizeBytes: fields['minimum-size'] ?? 0,
    priority: fields.priority ?? 50,
    ...serviceLevelOf(fields),
  };
}

function frequencyOf({ frequency }: PolicyFields): Pick<ResolvedPolicy, 'frequency'> {
  if (frequency === undefined) return {};
  if (typeof frequency === 'string') return { frequency };
  const spreadMinutes = frequency['spread-minutes'];
  return { frequency: { cron: frequency.cron, timeZone: frequency['time-zone'], ...(spreadMinutes !== undefined && { spreadMinutes }) } };
}

function serviceLevelOf({ 'service-level': level }: PolicyFields): Pick<ResolvedPolicy, 'serviceLevel'> {
  if (level === undefined) return {};
  return { serviceLevel: typeof level === 'string' ? SERVICE_LEVELS[level] : { rtoMinutes: level['rto-minutes'], rpoMinutes: level['rpo-minutes'] } };
}

function withoutAbsent(rules: NonNullable<PolicyFields['retention']>): Retention {
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}
