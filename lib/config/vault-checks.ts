import type { ConfigPath, Problem } from './problems.ts';
import { pathText, refused, wrongValue } from './problems.ts';
import type { VaultFields } from './schema.ts';
import { isRemote } from './secret-reference.ts';

type KeyField = (typeof KEY_FIELDS)[number];
export type VaultKind = (typeof VAULT_KINDS)[number];

const VAULT_KINDS = ['directory', 's3', 'aws'] as const;
const KEY_FIELDS = ['key-file', 'passphrase-file', 'passphrase', 'kms-key'] as const;

/** What opens a vault of each kind; one of these, or nothing at all. */
const KEYS: Readonly<Record<VaultKind, readonly KeyField[]>> = {
  directory: ['key-file', 'passphrase-file', 'passphrase'],
  s3: KEY_FIELDS,
  aws: [],
};

/** Why a key is refused that opens no vault of this kind. */
const WRONG_KEY: Readonly<Record<VaultKind, string>> = {
  directory: 'a KMS key wraps the keys of a vault in S3; use key-file, passphrase-file or passphrase',
  s3: '',
  aws: 'the stack wraps the keys of this vault with its own KMS key, or with aws.existing-key',
};

/** Undefined when none or several are named. */
export function vaultKind(fields: VaultFields): VaultKind | undefined {
  const kinds = VAULT_KINDS.filter((kind) => fields[kind] !== undefined);
  return kinds.length === 1 ? kinds[0] : undefined;
}

export function vaultProblems(name: string, fields: VaultFields): Problem[] {
  const at: ConfigPath = ['vaults', name];
  const kind = vaultKind(fields);
  if (kind === undefined) return [wrongValue(at, fields, `exactly one of ${VAULT_KINDS.join(', ')}`)];
  return [...keyProblems(at, fields, kind), ...(kind === 'aws' ? stackVaultProblems(at, name, fields) : [])];
}

function keyProblems(at: ConfigPath, fields: VaultFields, kind: VaultKind): Problem[] {
  const given = KEY_FIELDS.filter((key) => fields[key] !== undefined);
  const strangers = given.filter((key) => !KEYS[kind].includes(key));
  if (strangers.length > 0) return strangers.map((key) => refused([...at, key], WRONG_KEY[kind]));
  if (KEYS[kind].length > 0 && given.length !== 1) return [wrongValue(at, fields, `exactly one of ${KEYS[kind].join(', ')}`)];
  const { passphrase } = fields;
  return passphrase !== undefined && isRemote(passphrase) ? [refused([...at, 'passphrase'], 'a vault is opened before AWS is asked for anything, wanted ${env:NAME} or ${file:path}')] : [];
}

function stackVaultProblems(at: ConfigPath, name: string, fields: VaultFields): Problem[] {
  const problems: Problem[] = [];
  if (fields['trusted-writers'] !== undefined) problems.push(refused([...at, 'trusted-writers'], 'all plans of a stack are one writer, and its role reads no packs of others'));
  if (fields.coverage !== undefined) problems.push(refused([...at, 'coverage'], 'a stack reads new backups back and runs no coverage clock: run `holdfast verify --aws STACK --within DAYS` from a schedule of your own'));
  const { 'existing-bucket': bucket, 'object-lock': lock, tiers } = fields.aws ?? {};
  const here: ConfigPath = [...at, 'aws'];
  if (bucket !== undefined && lock !== undefined) problems.push(refused([...here, 'object-lock'], 'a bucket that is brought keeps the lock that its owner set'));
  if (bucket !== undefined && tiers !== undefined) problems.push(refused([...here, 'tiers'], 'a bucket that is brought keeps the lifecycle rules that its owner set'));
  if (lock === undefined) return problems;
  const { mode, days, 'confirm-compliance': confirmed } = lock;
  const confirm: ConfigPath = [...here, 'object-lock', 'confirm-compliance'];
  const wanted = JSON.stringify(name);
  if (mode === 'compliance' && confirmed !== name) problems.push({ path: confirm, text: `${pathText(confirm)} is ${confirmed === undefined ? 'missing' : JSON.stringify(confirmed)}, wanted ${wanted}: with mode compliance nobody, not the owner of the account either, deletes or shortens anything for ${days ?? DEFAULT_LOCK_DAYS} days` });
  if (mode !== 'compliance' && confirmed !== undefined) problems.push(refused(confirm, `it belongs to mode compliance, and the mode is ${mode}`));
  if (mode === 'none' && days !== undefined) problems.push(refused([...here, 'object-lock', 'days'], 'with mode none nothing is locked'));
  return problems;
}

export const DEFAULT_LOCK_DAYS = 30;
