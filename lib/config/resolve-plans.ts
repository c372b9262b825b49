import { resolve } from 'node:path';
import { invariant } from '../model/errors.ts';
import type { Config } from './load-config.ts';
import type { ResolvedPolicy } from './resolve-policy.ts';
import { resolvePolicy } from './resolve-policy.ts';
import type { PlanFields, VaultFields } from './schema.ts';
import type { SecretReference } from './secret-reference.ts';

/** One plan with every default and absolute path filled in: what a run needs to know, and nothing secret. */
export interface ResolvedPlan {
  readonly name: string;
  readonly vault: ResolvedVault;
  readonly source: ResolvedSource;
  readonly policy: ResolvedPolicy;
}

export interface ResolvedVault {
  readonly name: string;
  readonly directory: string;
  readonly key: ResolvedKey;
  /** Writers whose packs are reused besides one's own. */
  readonly trustedWriters?: readonly string[];
}

export type ResolvedKey =
  | { readonly kind: 'key-file' | 'passphrase-file'; readonly path: string }
  | { readonly kind: 'passphrase'; readonly secret: SecretReference };

export type ResolvedSource = ResolvedFiles | ResolvedSqlite | ResolvedCommand;

export interface ResolvedFiles {
  readonly type: 'files';
  readonly paths: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly oneFileSystem: boolean;
  readonly followSymlinks: boolean;
  readonly changeDetection: 'auto' | 'ctime+inode' | 'ctime' | 'mtime' | 'content';
  readonly xattrs: boolean;
}

export interface ResolvedSqlite {
  readonly type: 'sqlite';
  readonly path: string;
}

export interface ResolvedCommand {
  readonly type: 'command';
  /** A line for the shell, or a program and its arguments. */
  readonly command: string | readonly string[];
  readonly stdinName: string;
  readonly endMarker?: string;
  readonly minimumSizeBytes: number;
}

/** All plans in the order of the file. */
export function resolvePlans(config: Config): ResolvedPlan[] {
  return Object.entries(config.fields.plans).map(([name, plan]) => ({
    name,
    vault: resolveVault(config, plan.vault ?? Object.keys(config.fields.vaults)[0] ?? ''),
    source: resolveSource(config, plan),
    policy: resolvePolicy(config, plan.policy),
  }));
}

/** All vaults in the order of the file, whether a plan uses them or not. */
export function resolveVaults(config: Config): ResolvedVault[] {
  return Object.keys(config.fields.vaults).map((name) => resolveVault(config, name));
}

function resolveVault(config: Config, name: string): ResolvedVault {
  const fields = config.fields.vaults[name];
  invariant(fields !== undefined, `vault ${name} was checked and is not there`);
  const trustedWriters = fields['trusted-writers'];
  return { name, directory: absolute(config, fields.directory), key: resolveKey(config, fields), ...(trustedWriters && { trustedWriters }) };
}

function resolveKey(config: Config, fields: VaultFields): ResolvedKey {
  if (fields['key-file'] !== undefined) return { kind: 'key-file', path: absolute(config, fields['key-file']) };
  if (fields['passphrase-file'] !== undefined) return { kind: 'passphrase-file', path: absolute(config, fields['passphrase-file']) };
  invariant(fields.passphrase !== undefined, 'a vault was checked and has no key');
  const secret = fields.passphrase;
  return { kind: 'passphrase', secret: secret.kind === 'file' ? { kind: 'file', name: absolute(config, secret.name) } : secret };
}

function resolveSource(config: Config, { source }: PlanFields): ResolvedSource {
  if (source.type === 'sqlite') return { type: 'sqlite', path: absolute(config, source.path) };
  if (source.type === 'command') {
    const endMarker = source['end-marker'];
    return { type: 'command', command: source.command, stdinName: source['stdin-name'], minimumSizeBytes: source['minimum-size'], ...(endMarker === undefined ? {} : { endMarker }) };
  }
  return {
    type: 'files',
    paths: source.paths.map((path) => absolute(config, path)),
    include: source.include ?? [],
    exclude: source.exclude ?? [],
    oneFileSystem: source['one-file-system'],
    followSymlinks: source['follow-symlinks'],
    changeDetection: source['change-detection'],
    xattrs: source.xattrs,
  };
}

/** Relative paths start at the folder of the file, `~/` at the home directory, so that cron and a person mean the same. */
function absolute(config: Config, written: string): string {
  if (written === '~' || written.startsWith('~/')) {
    invariant(config.home !== undefined, `${written} was checked and no home directory is known`);
    return resolve(config.home, written.slice(2));
  }
  return resolve(config.directory, written);
}
