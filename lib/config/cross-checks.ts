import type { Config } from './load-config.ts';
import type { ConfigPath, Problem } from './problems.ts';
import { unknownName, wrongValue } from './problems.ts';
import { policyNames, resolvePolicy } from './resolve-policy.ts';
import { isReadyMade } from './ready-made-policies.ts';
import type { PlanFields, VaultFields } from './schema.ts';
import { FREQUENCIES } from './service-levels.ts';

/** What one field alone cannot show: names that must exist, paths that must be known, promises that cannot be met. */
export function crossProblems(config: Config): Problem[] {
  const { vaults, policies, plans } = config.fields;
  return [
    ...(Object.keys(vaults).length === 0 ? [wrongValue(['vaults'], null, 'at least one vault')] : []),
    ...Object.keys(policies).filter(isReadyMade).map((name) => ({ path: ['policies', name], text: `policies.${name} is the name of a ready-made policy, wanted another name` })),
    ...homeProblems(config),
    ...Object.entries(plans).flatMap(([name, plan]) => planProblems(config, name, plan)),
  ];
}

function planProblems(config: Config, name: string, plan: PlanFields): Problem[] {
  const at: ConfigPath = ['plans', name];
  const named = typeof plan.policy === 'string' ? plan.policy : plan.policy?.['based-on'];
  if (named !== undefined && !policyNames(config).includes(named)) {
    return [unknownName([...at, 'policy', ...(typeof plan.policy === 'string' ? [] : ['based-on'])], named, policyNames(config))];
  }
  return [...vaultProblems(config, at, plan), ...serviceLevelProblems(config, at, plan)];
}

function vaultProblems(config: Config, at: ConfigPath, plan: PlanFields): Problem[] {
  const known = Object.keys(config.fields.vaults);
  if (plan.vault === undefined) return known.length > 1 ? [wrongValue([...at, 'vault'], undefined, `one of ${known.join(', ')}`)] : [];
  return known.includes(plan.vault) ? [] : [unknownName([...at, 'vault'], plan.vault, known)];
}

/** Requirement P5: a plan that cannot keep its promise is refused before it runs, not noticed after a loss. */
function serviceLevelProblems(config: Config, at: ConfigPath, plan: PlanFields): Problem[] {
  const { frequency, serviceLevel } = resolvePolicy(config, plan.policy);
  if (serviceLevel === undefined) return [];
  const path = [...at, 'policy'];
  if (frequency === undefined) return [{ path, text: `${path.join('.')} has a service level and no frequency, wanted one that runs at least every ${serviceLevel.rpoMinutes} minutes` }];
  if (typeof frequency !== 'string' || FREQUENCIES[frequency] <= serviceLevel.rpoMinutes) return [];
  return [{ path, text: `${path.join('.')} runs ${frequency} and can lose ${FREQUENCIES[frequency]} minutes, wanted at most ${serviceLevel.rpoMinutes} (RPO of its service level)` }];
}

function homeProblems(config: Config): Problem[] {
  if (config.home !== undefined) return [];
  return [...Object.entries(config.fields.vaults).flatMap(([name, vault]) => vaultPaths(['vaults', name], vault)), ...Object.entries(config.fields.plans).flatMap(([name, plan]) => sourcePaths(['plans', name, 'source'], plan))]
    .filter(([, written]) => written === '~' || written.startsWith('~/'))
    .map(([path, written]) => wrongValue(path, written, 'an absolute path: the home directory is not known here'));
}

type WrittenPath = readonly [at: ConfigPath, written: string];

function vaultPaths(at: ConfigPath, vault: VaultFields): WrittenPath[] {
  return (['directory', 'key-file', 'passphrase-file'] as const).flatMap((key) => (vault[key] === undefined ? [] : [[[...at, key], vault[key]] as const]));
}

function sourcePaths(at: ConfigPath, { source }: PlanFields): WrittenPath[] {
  if (source.type === 'files') return source.paths.map((written, index) => [[...at, 'paths', index], written] as const);
  return source.type === 'sqlite' ? [[[...at, 'path'], source.path]] : [];
}
