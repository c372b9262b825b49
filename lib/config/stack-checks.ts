import { eventPatternProblems } from './event-pattern.ts';
import type { Config } from './load-config.ts';
import type { MongodbFields } from './mongodb-schema.ts';
import { sourcesAt } from './parts.ts';
import type { ConfigPath, Problem } from './problems.ts';
import { pathText, refused, unknownName, wrongValue } from './problems.ts';
import type { ConfigFields, PlanFields } from './schema.ts';
import type { SearchFields } from './search-schema.ts';
import type { S3SourceFields } from './s3-source-schema.ts';
import type { SecretReference } from './secret-reference.ts';
import type { SourceFields } from './source-schema.ts';
import { isRemote, secretText } from './secret-reference.ts';
import { listedPaths } from './listed-paths.ts';
import { vaultKind } from './vault-checks.ts';

type Target = NonNullable<ConfigFields['restore-targets']>[string];

/** Fields of a plan that no other runtime carries out. */
const STACK_PLAN_FIELDS = ['network', 'task', 'mounts', 'wal-receiver', 'events', 'freshness-hours', 'start-window-minutes', 'max-duration-minutes'] as const;
const STACK_FIELDS = ['networks', 'notifications'] as const;

/** What the aws runtime can and cannot carry out. */
export function stackProblems(config: Config): Problem[] {
  const { vaults, plans, notifications, 'restore-targets': targets = {} } = config.fields;
  const isStack = Object.values(vaults).some((vault) => vaultKind(vault) === 'aws');
  const unused = isStack ? [] : STACK_FIELDS.filter((field) => config.fields[field] !== undefined);
  return [
    ...unused.map((field) => refused([field], 'the aws runtime alone knows them, and no vault of this file is of kind aws')),
    ...Object.entries(plans).flatMap(([name, plan]) => (isStackPlan(config, plan) ? stackPlanProblems(config, name, plan) : localPlanProblems(name, plan))),
    ...Object.entries(targets).flatMap(([name, target]) => (isStack ? targetProblems(config, name, target) : localTargetProblems(name, target))),
    ...sameFamily('plans', Object.keys(plans).filter((name) => isStackPlan(config, plans[name] as PlanFields))),
    ...(isStack ? sameFamily('restore-targets', Object.keys(targets)) : []),
    ...secretProblems(['notifications', 'slack'], notifications?.slack),
  ];
}

/** True when its vault is made by `cdk deploy`. */
export function isStackPlan({ fields: { vaults } }: Config, plan: PlanFields): boolean {
  const vault = vaults[plan.vault ?? Object.keys(vaults)[0] ?? ''];
  return vault !== undefined && vaultKind(vault) === 'aws';
}

function localPlanProblems(name: string, plan: PlanFields): Problem[] {
  return STACK_PLAN_FIELDS.filter((field) => plan[field] !== undefined)
    .map((field) => refused(['plans', name, field], 'the aws runtime alone carries it out, and the vault of this plan is not of kind aws'));
}

/** A database can be restored into from anywhere; a directory is named on the command line. */
function localTargetProblems(name: string, target: Target): Problem[] {
  const why = 'the aws runtime alone knows it, and no vault of this file is of kind aws';
  if (target.type !== 'postgres') return [refused(['restore-targets', name], `${why}: restore into a directory with --to`)];
  return (['network', 'task'] as const).filter((field) => target[field] !== undefined).map((field) => refused(['restore-targets', name, field], why));
}

function stackPlanProblems(config: Config, name: string, plan: PlanFields): Problem[] {
  const at: ConfigPath = ['plans', name];
  return [
    ...sourcesAt([...at, 'source'], plan.source).flatMap((one) => sourceProblems(one.at, one.source, plan.mounts ?? [])),
    ...containerProblems([...at, 'source'], plan.source),
    ...networkProblems(config, [...at, 'network'], plan.network),
    ...(plan.events ?? []).flatMap(({ pattern }, index) => eventPatternProblems([...at, 'events', index, 'pattern'], pattern)),
    ...mountProblems([...at, 'mounts'], plan.mounts ?? []),
    ...walProblems(at, plan),
  ];
}

/** A receiver is what brings WAL into a stack's vault, and proves in two looks that all is there. */
function walProblems(at: ConfigPath, { source, 'wal-receiver': receiver }: PlanFields): Problem[] {
  const isPhysical = source.type === 'postgres' && source.mode === 'physical';
  if (receiver !== undefined && !isPhysical) return [refused([...at, 'wal-receiver'], 'it receives the WAL of a source with `type: postgres` and `mode: physical`, and this plan has another')];
  const freshness = isPhysical ? source['wal-freshness'] : undefined;
  if (freshness === undefined) return [];
  if (receiver === undefined) return [refused([...at, 'source', 'wal-freshness'], 'without `wal-receiver` beside `source` nothing brings WAL into the vault of a stack')];
  const partialEvery = receiver['partial-every'] ?? 60_000;
  return freshness >= 3 * partialEvery ? [] : [wrongValue([...at, 'wal-receiver', 'partial-every'], `${partialEvery / 1000}s`, `a third of wal-freshness at most, ${Math.floor(freshness / 3000)}s: it takes two looks to know what is kept`)];
}

function containerProblems(at: ConfigPath, source: PlanFields['source']): Problem[] {
  if (source.type !== 'set' || source['stop-containers'] === undefined) return [];
  return [refused([...at, 'stop-containers'], 'a task in AWS sees no other containers; scale the service down with `quiesce` and up with `resume`')];
}

function sourceProblems(at: ConfigPath, source: SourceFields, mounts: NonNullable<PlanFields['mounts']>): Problem[] {
  const below = (path: ConfigPath, written: string): Problem[] => outsideProblems(path, written, mounts);
  if (source.type === 'files') return source.paths.flatMap((written, index) => below([...at, 'paths', index], written));
  if (source.type === 'sqlite') return below([...at, 'path'], source.path);
  if (source.type === 'elasticsearch' || source.type === 'opensearch') return clusterProblems(at, source, mounts);
  if (source.type === 's3') return bucketProblems(at, source, mounts);
  if (source.type === 'mongodb') return mongodbProblems(at, source, mounts);
  if (source.type === 'kafka') return clusterProblems(at, source, mounts);
  if (source.type === 'configs' || source.type === 'logs') return [...listedPaths(at, source).flatMap(([path, written]) => below(path, written)), ...keyProblems(at, source)];
  return 'host' in source ? connectionProblems(at, source, mounts) : [];
}

function bucketProblems(at: ConfigPath, source: S3SourceFields, mounts: NonNullable<PlanFields['mounts']>): Problem[] {
  const caFile = source['ca-file'];
  return [
    ...keyProblems(at, source),
    ...(caFile === undefined ? [] : outsideProblems([...at, 'ca-file'], caFile, mounts)),
  ];
}

function keyProblems(at: ConfigPath, source: Pick<S3SourceFields, 'access-key-id' | 'secret-access-key'>): Problem[] {
  return (['access-key-id', 'secret-access-key'] as const).flatMap((key) => secretProblems([...at, key], source[key]));
}

function mongodbProblems(at: ConfigPath, source: MongodbFields, mounts: NonNullable<PlanFields['mounts']>): Problem[] {
  const caFile = source['ca-file'];
  return [
    ...(['uri', 'user', 'password'] as const).flatMap((key) => (typeof source[key] === 'object' ? secretProblems([...at, key], source[key]) : [])),
    ...(caFile === undefined ? [] : outsideProblems([...at, 'ca-file'], caFile, mounts)),
  ];
}

function clusterProblems(at: ConfigPath, { user, password, 'api-key': apiKey, 'ca-file': caFile }: Pick<SearchFields, 'user' | 'password' | 'ca-file'> & Partial<Pick<SearchFields, 'api-key'>>, mounts: NonNullable<PlanFields['mounts']>): Problem[] {
  return [
    ...(typeof user !== 'object' ? [] : secretProblems([...at, 'user'], user)),
    ...secretProblems([...at, 'password'], password),
    ...secretProblems([...at, 'api-key'], apiKey),
    ...(caFile === undefined ? [] : outsideProblems([...at, 'ca-file'], caFile, mounts)),
  ];
}

type Connection = Extract<SourceFields, { type: 'postgres' }>;

function connectionProblems(at: ConfigPath, { user, password, 'ssl-root-cert': cert }: { readonly user?: Connection['user'] | undefined } & Pick<Connection, 'password' | 'ssl-root-cert'>, mounts: NonNullable<PlanFields['mounts']>): Problem[] {
  return [
    ...(typeof user !== 'object' ? [] : secretProblems([...at, 'user'], user)),
    ...secretProblems([...at, 'password'], password),
    ...(cert === undefined || cert === 'system' ? [] : outsideProblems([...at, 'ssl-root-cert'], cert, mounts)),
  ];
}

/** A task has no other files than those of its mounts. */
function outsideProblems(at: ConfigPath, written: string, mounts: NonNullable<PlanFields['mounts']>): Problem[] {
  const isClean = written.startsWith('/') && !/(^|\/)\.{1,2}(\/|$)/.test(written);
  if (isClean && mounts.some(({ path }) => written === path || written.startsWith(`${path}/`))) return [];
  const places = mounts.length === 0 ? 'an absolute path below one of the mounts, and there is no mount' : `an absolute path below one of the mounts: ${mounts.map(({ path }) => path).join(', ')}`;
  return [wrongValue(at, written, places)];
}

function targetProblems(config: Config, name: string, target: Target): Problem[] {
  const at: ConfigPath = ['restore-targets', name];
  const own = target.type === 'postgres' ? connectionProblems(at, target, []) : [...outsideProblems([...at, 'path'], target.path, target.mounts), ...mountProblems([...at, 'mounts'], target.mounts)];
  return [...own, ...networkProblems(config, [...at, 'network'], target.network)];
}

/** The value of such a reference is known on this machine alone: it would have to be written into the template. */
function secretProblems(at: ConfigPath, secret: SecretReference | undefined): Problem[] {
  if (secret === undefined || isRemote(secret)) return [];
  return [{ path: at, text: `${pathText(at)} is ${secretText(secret)}, wanted \${secret:NAME} or \${ssm:/path}: variables and files of this machine are not there in AWS, and what they hold would land in the template` }];
}

function networkProblems(config: Config, at: ConfigPath, name: string | undefined): Problem[] {
  const known = ['default', ...Object.keys(config.fields.networks ?? {}).filter((network) => network !== 'default')];
  return name === undefined || known.includes(name) ? [] : [unknownName(at, name, known)];
}

function mountProblems(at: ConfigPath, mounts: NonNullable<PlanFields['mounts']>): Problem[] {
  return mounts.flatMap(({ path }, index) => {
    const other = mounts.slice(0, index).find((earlier) => earlier.path === path || path.startsWith(`${earlier.path}/`) || earlier.path.startsWith(`${path}/`));
    return other === undefined ? [] : [wrongValue([...at, index, 'path'], path, `a path that is neither that of another mount (${other.path}) nor above or below it`)];
  });
}

/** Names of task definitions have no dots, so "a.b" and "a_b" would share one. */
function sameFamily(section: string, names: readonly string[]): Problem[] {
  return names.flatMap((name, index) => {
    const other = names.slice(0, index).find((earlier) => earlier.replaceAll('.', '_') === name.replaceAll('.', '_'));
    return other === undefined ? [] : [{ path: [section, name], text: `${pathText([section, name])} and ${pathText([section, other])} differ by "." and "_" alone, wanted names that stay apart in AWS, where both are "_"` }];
  });
}
