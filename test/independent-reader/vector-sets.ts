import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { ReadEntry } from './python-reader.ts';

export type ExpectedEntry = Omit<ReadEntry, 'uid' | 'gid' | 'flags' | 'mtime'> & { readonly mtime?: string };

export interface ExpectedBackup {
  readonly backup: string;
  readonly plan: string;
  readonly entries: readonly ExpectedEntry[];
  /** Facts of the backup that only newer sets tell. */
  readonly planName?: string;
  readonly sequence?: number;
  readonly refsRevision?: number;
  readonly hasDelta?: boolean;
  readonly standing?: string;
}

/** What somebody holds: a file of the set, a passphrase as typed, or what KMS answers. */
export interface ExpectedKey {
  readonly about: string;
  readonly file?: string;
  readonly passphrase?: string;
  readonly keyEncryptionKey?: string;
  readonly opens: 'all' | 'meta' | 'none';
  readonly slots: readonly string[];
}

/** A file of WAL, in all of its parts (format §16). */
export interface ExpectedWalFile {
  readonly names: readonly string[];
  readonly kind: string;
  readonly segmentBytes: number;
  readonly sizeBytes: number;
  readonly sha256: string;
}

interface Expected {
  readonly repository: string;
  /** Of sets that hold WAL. */
  readonly wal?: readonly ExpectedWalFile[];
  /** Of the first set, which has no `keys`. */
  readonly passphrase?: string;
  readonly keys?: readonly ExpectedKey[];
  readonly opened?: { readonly chunker: string; readonly pairs: readonly { readonly number: number; readonly meta: string; readonly data: string }[] };
  readonly latest?: string;
  readonly backups: readonly ExpectedBackup[];
}

type Patch = { readonly object: string } & (
  { readonly flip: number } | { readonly truncate: number } | { readonly remove: true } | { readonly json: object } | { readonly contentOf: string } | { readonly bytes: string }
);

export interface PatchedVault {
  readonly title: string;
  readonly patches: readonly Patch[];
}

export interface MustFail extends PatchedVault {
  readonly code: string;
  readonly says: string;
}

export const VECTORS = join(__dirname, '..', 'vectors');

/** Folders of frozen vectors, by what they hold: everything that has an `expected.json`. */
export const SETS = readdirSync(VECTORS).filter((name) => existsSync(join(VECTORS, name, 'expected.json')));

export function frozen<T>(set: string, file: string, absent?: T): T {
  const path = join(VECTORS, set, file);
  if (absent !== undefined && !existsSync(path)) return absent;
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** A set with a vault, and the keys that people hold for it. */
export function vaultSet(set: string): Expected & { readonly keys: readonly ExpectedKey[] } {
  const expected = frozen<Expected>(set, 'expected.json');
  const first: readonly ExpectedKey[] = [
    { about: 'the key file', file: 'holdfast.key', opens: 'all', slots: [] },
    { about: 'the passphrase', passphrase: expected.passphrase ?? '', opens: 'all', slots: [] },
    { about: 'another passphrase', passphrase: `${expected.passphrase}!`, opens: 'none', slots: [] },
  ];
  return { ...expected, keys: expected.keys ?? first };
}

/** The arguments that give a key to the reader. */
export function argumentsOf(set: string, { file, passphrase, keyEncryptionKey, about }: ExpectedKey): readonly [string, string] {
  if (keyEncryptionKey !== undefined) return ['--kek', keyEncryptionKey];
  if (passphrase !== undefined) {
    const path = join(temporaryFolder(), 'passphrase');
    writeFileSync(path, `${passphrase}\n`);
    return ['--passphrase-file', path];
  }
  if (file === undefined) throw new Error(`${set}: ${about} is a key of a kind that the reader's tests do not know`);
  return ['--key-file', join(VECTORS, set, file)];
}

/** A copy of a set's vault with the patches of a row. */
export function patched(set: string, { patches }: PatchedVault): string {
  const vault = join(VECTORS, set, 'vault');
  const copy = join(temporaryFolder(), 'vault');
  cpSync(vault, copy, { recursive: true });
  for (const patch of patches) apply(patch, vault, copy);
  return copy;
}

function apply(patch: Patch, vault: string, copy: string): void {
  const path = join(copy, patch.object);
  mkdirSync(dirname(path), { recursive: true });
  if ('remove' in patch) rmSync(path);
  else if ('truncate' in patch) truncateSync(path, patch.truncate);
  else if ('json' in patch) writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...patch.json }));
  else if ('contentOf' in patch) cpSync(join(vault, patch.contentOf), path);
  else if ('bytes' in patch) writeFileSync(path, Buffer.from(patch.bytes, 'base64'));
  else writeFileSync(path, flipped(readFileSync(path), patch.flip));
}

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] as number) ^ 1;
  return bytes;
}
