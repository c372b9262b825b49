import { readFileSync } from 'node:fs';
import { resolveSecret } from '../config/secret-reference.ts';
import type { ResolvedKey } from '../config/resolved-vault.ts';
import { readKeyFile } from '../keyring/key-file.ts';
import type { KeyWrapper, Unlocker } from '../keyring/key-slot.ts';
import { recipientOf, recipientUnlocker, recipientWrapper } from '../keyring/recipient.ts';
import { readPaperFile } from '../keyring/recipient/paper-file.ts';
import { readRecipientFile } from '../keyring/recipient/public-half.ts';
import { passphraseWrapper, readPassphraseFile } from '../keyring/passphrase.ts';
import { HoldfastError } from '../model/errors.ts';
import type { RepositoryId } from '../model/ids.ts';
import type { Environment } from './places.ts';

/** Where the key of a vault is: paths and references, never the key itself. A recipient's key is never in the configuration. */
export type KeyChoice = ResolvedKey | { readonly kind: 'recipient-key'; readonly path: string };

/** What a slot can be made for: any key, or the public half of a recipient. */
export type SlotChoice = KeyChoice | { readonly kind: 'recipient'; readonly path: string };

/**
 * Reads the secret now; of a key in KMS nothing, until a slot is opened. `repository` is needed for KMS alone. Fails as
 * `missing-key`, `permission`.
 */
export async function unlockerOf(choice: KeyChoice, environment: Environment, repository: RepositoryId | undefined): Promise<Unlocker> {
  if (choice.kind === 'recipient-key') return recipientUnlocker(await readPaperFile(choice.path));
  if (choice.kind !== 'kms') return secretWrapper(choice, environment);
  if (repository === undefined) throw new HoldfastError('missing-key', 'KMS opens the keys of a repository whose id is known, and holdfast.json cannot be read.', { nextStep: 'Put holdfast.json back from a copy of the vault.' });
  const { kmsUnlocker } = await import('../keyring/kms.ts');
  return kmsUnlocker({ client: await kmsClient(choice.keyId), keyId: choice.keyId, repository, scope: 'all' });
}

/** What new slots are wrapped for; under KMS one that opens everything, and one for roles that see metadata alone. Fails as `unlockerOf`. */
export async function wrappersOf(choice: SlotChoice, environment: Environment, repository: RepositoryId): Promise<KeyWrapper[]> {
  if (choice.kind === 'recipient') return [recipientWrapper(await readRecipientFile(choice.path))];
  if (choice.kind === 'recipient-key') return [recipientWrapper(recipientOf(await readPaperFile(choice.path)))];
  if (choice.kind !== 'kms') return [await secretWrapper(choice, environment)];
  const { createKmsWrapper } = await import('../keyring/kms.ts');
  const place = { client: await kmsClient(choice.keyId), keyId: choice.keyId, repository };
  return [await createKmsWrapper({ ...place, scope: 'all' }), await createKmsWrapper({ ...place, scope: 'meta' })];
}

export function keyInWords(choice: KeyChoice): string {
  if (choice.kind === 'kms') return `KMS key ${choice.keyId}`;
  if (choice.kind !== 'passphrase') return `${choice.kind.replace('-', ' ')} ${choice.path}`;
  return `passphrase from ${choice.secret.kind === 'env' ? 'the environment variable' : 'the file'} ${choice.secret.name}`;
}

async function secretWrapper(choice: Exclude<KeyChoice, { kind: 'kms' | 'recipient-key' }>, environment: Environment): Promise<KeyWrapper> {
  if (choice.kind === 'passphrase') {
    const places = { environment: environment.variables, readTextFile: (path: string) => readFileSync(path, 'utf8') };
    return passphraseWrapper(resolveSecret(choice.secret, places));
  }
  return choice.kind === 'key-file' ? readKeyFile(choice.path) : readPassphraseFile(choice.path);
}

/** An ARN says its region; an alias means the one of the environment, as the SDK finds it. */
async function kmsClient(keyId: string) {
  const { makeKmsClient } = await import('./kms-client.ts');
  const [, region] = /^arn:[a-z-]+:kms:([a-z0-9-]+):/.exec(keyId) ?? [];
  return makeKmsClient(region);
}
