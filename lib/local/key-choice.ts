import { readFileSync } from 'node:fs';
import { resolveSecret } from '../config/secret-reference.ts';
import type { ResolvedKey } from '../config/resolve-plans.ts';
import { readKeyFile } from '../keyring/key-file.ts';
import type { KeyWrapper } from '../keyring/key-slot.ts';
import { passphraseWrapper, readPassphraseFile } from '../keyring/passphrase.ts';
import type { Environment } from './places.ts';

/** Where the key of a vault is: paths and references, never the key itself. */
export type KeyChoice = ResolvedKey;

/** Reads the secret now. Fails as `missing-key`, `permission`. */
export async function unlockerOf(choice: KeyChoice, environment: Environment): Promise<KeyWrapper> {
  if (choice.kind === 'passphrase') {
    const places = { environment: environment.variables, readTextFile: (path: string) => readFileSync(path, 'utf8') };
    return passphraseWrapper(resolveSecret(choice.secret, places));
  }
  return choice.kind === 'key-file' ? readKeyFile(choice.path) : readPassphraseFile(choice.path);
}

export function keyInWords(choice: KeyChoice): string {
  if (choice.kind !== 'passphrase') return `${choice.kind.replace('-', ' ')} ${choice.path}`;
  return `passphrase from ${choice.secret.kind === 'env' ? 'the environment variable' : 'the file'} ${choice.secret.name}`;
}
