import type { Config } from './load-config.ts';
import { sourcesAt } from './parts.ts';
import type { ConfigPath, Problem } from './problems.ts';
import { pathText, unknownName, wrongValue } from './problems.ts';
import { clockShiftMinutes } from './longest-gap.ts';
import { policyNames, resolvePolicy } from './resolve-policy.ts';
import type { ResolvedPolicy } from './resolve-policy.ts';
import { isReadyMade } from './ready-made-policies.ts';
import { listedPaths } from './listed-paths.ts';
import { longestGap } from './schedule.ts';
import type { PlanFields, VaultFields } from './schema.ts';
import type { SourceFields } from './source-schema.ts';
import { stackProblems } from './stack-checks.ts';
import { vaultProblems } from './vault-checks.ts';

/** What one field alone cannot show: names that must exist, paths that must be known, promises that cannot be met. */
export function crossProblems(config: Config): Problem[] {
  const { vaults, policies, plans } = config.fields;
  return [
    ...(Object.keys(vaults).length === 0 ? [wrongValue(['vaults'], null, 'at least one vault')] : []),
    ...Object.keys(policies).filter(isReadyMade).map((name) => ({ path: ['policies', name], text: `policies.${name} is the name of a ready-made policy, wanted another name` })),
    ...Object.entries(vaults).flatMap(([name, vault]) => vaultProblems(name, vault)),
    ...homeProblems(config),
    ...Object.entries(plans).flatMap(([name, plan]) => planProblems(config, name, plan)),
    ...stackProblems(config),
  ];
}

function planProblems(config: Config, name: string, plan: PlanFields): Problem[] {
  const at: ConfigPath = ['plans', name];
  const named = typeof plan.policy === 'string' ? plan.policy : plan.policy?.['based-on'];
  if (named !== undefined && !policyNames(config).includes(named)) {
    return [unknownName([...at, 'policy', ...(typeof plan.policy === 'string' ? [] : ['based-on'])], named, policyNames(config))];
  }
  const never = neverComes(config, at, plan);
  return [...vaultNameProblems(config, at, plan), ...sourcesAt([...at, 'source'], plan.source).flatMap((one) => ownVaultProblems(config, one, plan)), ...(never.length > 0 ? never : serviceLevelProblems(config, at, plan))];
}

function vaultNameProblems(config: Config, at: ConfigPath, plan: PlanFields): Problem[] {
  const known = Object.keys(config.fields.vaults);
  if (plan.vault === undefined) return known.length > 1 ? [wrongValue([...at, 'vault'], undefined, `one of ${known.join(', ')}`)] : [];
  return known.includes(plan.vault) ? [] : [unknownName([...at, 'vault'], plan.vault, known)];
}

/** A vault that is backed up into itself grows with every run by what it grew before. */
function ownVaultProblems(config: Config, { at, source }: { readonly at: ConfigPath; readonly source: SourceFields }, { vault: name }: PlanFields): Problem[] {
  if (source.type !== 's3') return [];
  const vault = config.fields.vaults[name ?? Object.keys(config.fields.vaults)[0] ?? ''];
  const place = vault?.s3 ?? { bucket: vault?.aws?.['existing-bucket'], prefix: undefined, endpoint: undefined };
  if (place.bucket !== source.bucket || place.endpoint?.replace(/\/$/, '') !== source.endpoint?.replace(/\/$/, '')) return [];
  const [root, prefix] = [place.prefix === undefined ? '' : `${place.prefix}/`, source.prefix ?? ''];
  if (!root.startsWith(prefix) && !prefix.startsWith(root)) return [];
  return [{ path: [...at, 'prefix'], text: `${pathText(at)} has objects of its own vault in it (s3://${source.bucket}/${root}), wanted another bucket or a prefix beside the vault` }];
}

/** Requirement P5: a plan that cannot keep its promise is refused before it runs, not noticed after a loss. */
function neverComes(config: Config, at: ConfigPath, plan: PlanFields): Problem[] {
  const { frequency } = resolvePolicy(config, plan.policy);
  if (frequency === undefined || longestGap(frequency) !== Infinity) return [];
  return [{ path: [...at, 'policy'], text: `${pathText([...at, 'policy'])} has the cron ${JSON.stringify((frequency as { cron: string }).cron)}, which never comes, wanted one that does` }];
}

function serviceLevelProblems(config: Config, at: ConfigPath, plan: PlanFields): Problem[] {
  const { frequency, serviceLevel } = resolvePolicy(config, plan.policy);
  if (serviceLevel === undefined) return [];
  const path = [...at, 'policy'];
  if (frequency === undefined) return [{ path, text: `${path.join('.')} has a service level and no frequency, wanted one that runs at least every ${serviceLevel.rpoMinutes} minutes` }];
  const gap = longestGap(frequency);
  if (gap <= serviceLevel.rpoMinutes) return [];
  const how = typeof frequency === 'string' ? frequency : `at ${JSON.stringify(frequency.cron)} (${frequency.timeZone})`;
  return [{ path, text: `${path.join('.')} runs ${how} and can lose ${gap} minutes, wanted at most ${serviceLevel.rpoMinutes} (RPO of its service level)${clockChange(frequency, serviceLevel.rpoMinutes, gap)}` }];
}

/** Says so when it is the one day with an hour more that breaks the promise. */
function clockChange(frequency: NonNullable<ResolvedPolicy['frequency']>, rpoMinutes: number, gap: number): string {
  const shift = typeof frequency === 'string' ? 0 : clockShiftMinutes(frequency.timeZone);
  return shift > 0 && gap - shift <= rpoMinutes ? `; ${shift} of them when clocks go back, so time-zone UTC would do` : '';
}

function homeProblems(config: Config): Problem[] {
  if (config.home !== undefined) return [];
  const { vaults, plans, 'restore-targets': targets = {} } = config.fields;
  return [
    ...Object.entries(vaults).flatMap(([name, vault]) => vaultPaths(['vaults', name], vault)),
    ...Object.entries(plans).flatMap(([name, { source }]) => sourcesAt(['plans', name, 'source'], source).flatMap((one) => sourcePaths(one.at, one.source))),
    ...Object.entries(targets).flatMap(([name, target]) => connectionPaths(['restore-targets', name], target)),
  ]
    .filter(([, written]) => written === '~' || written.startsWith('~/'))
    .map(([path, written]) => wrongValue(path, written, 'an absolute path: the home directory is not known here'));
}

type WrittenPath = readonly [at: ConfigPath, written: string];

function vaultPaths(at: ConfigPath, vault: VaultFields): WrittenPath[] {
  const caFile = vault.s3?.['ca-file'];
  return [
    ...(['directory', 'key-file', 'passphrase-file'] as const).flatMap((key) => (vault[key] === undefined ? [] : [[[...at, key], vault[key]] as const])),
    ...(vault.recipients ?? []).map((written, index) => [[...at, 'recipients', index], written] as const),
    ...(caFile === undefined ? [] : [[[...at, 's3', 'ca-file'], caFile] as const]),
  ];
}

function sourcePaths(at: ConfigPath, source: SourceFields): WrittenPath[] {
  if (source.type === 'files') return source.paths.map((written, index) => [[...at, 'paths', index], written] as const);
  if (source.type === 'sqlite') return [[[...at, 'path'], source.path]];
  if (source.type === 'configs' || source.type === 'logs') return listedPaths(at, source);
  return connectionPaths(at, source);
}

/** Certificates of what is reached over the network; nothing else has such paths. */
function connectionPaths(at: ConfigPath, fields: { readonly type: string; readonly 'ssl-root-cert'?: string | undefined; readonly 'ca-file'?: string | undefined }): WrittenPath[] {
  return (['ssl-root-cert', 'ca-file'] as const).flatMap((key) => (fields[key] === undefined ? [] : [[[...at, key], fields[key]] as const]));
}
