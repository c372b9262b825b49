import type { KMSClient } from '@aws-sdk/client-kms';
import { DecryptCommand, GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { HoldfastError, invariant } from '../model/errors.ts';
import type { RepositoryId } from '../model/ids.ts';
import type { KeySlot, KeyWrapper, KmsScope, Unlocker } from './key-slot.ts';
import { kmsError } from './kms/kms-error.ts';
import { keyInRegion, isSameKey } from './kms/key-arn.ts';

export type { KmsScope } from './key-slot.ts';

/** What KMS binds into each wrapping and writes into its log: a policy can allow one repository, or the metadata alone. */
export interface KmsContext {
  readonly client: KMSClient;
  readonly repository: RepositoryId;
  readonly scope: KmsScope;
}

type KmsKdf = Extract<KeySlot, { kind: 'kms' }>['kdf'];

/**
 * A wrapper under a fresh key of KMS: one call of `GenerateDataKey`, now. `keyId` is a key or alias, as ARN or name; the
 * slot names the key that KMS answered with. Scope `meta` makes slots without the data key. Fails as `permission`,
 * `missing-key` (absent, disabled, about to be deleted), `unavailable` (retryable).
 */
export async function createKmsWrapper({ client, repository, scope, keyId }: KmsContext & { readonly keyId: string }): Promise<KeyWrapper> {
  const answer = await client
    .send(new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: 'AES_256', EncryptionContext: encryptionContext(repository, scope) }))
    .catch((cause: unknown) => {
      throw kmsError(cause, { action: 'kms:GenerateDataKey', keyId, repository, scope });
    });
  const { Plaintext: kek, CiphertextBlob: ciphertext, KeyId: key } = answer;
  invariant(kek?.length === 32 && ciphertext && key, 'KMS answered GenerateDataKey without a key of 32 bytes');
  const kdf: KmsKdf = { name: 'kms', key, scope, ciphertext };
  const unlocker = kmsUnlocker({ client, repository, scope, keyId: key });
  return {
    kind: 'kms',
    label: labelOf(key, scope),
    kdf,
    isMetaOnly: scope === 'meta',
    isFor: (slot) => slot.kind === 'kms' && slot.kdf.scope === scope && isSameKey(slot.kdf.key, key),
    keyEncryptionKey: async (slot) => (isOwn(slot, ciphertext) ? kek : required(await unlocker.keyEncryptionKey(slot))),
  };
}

export interface KmsUnlockerOptions extends KmsContext {
  /** Region of `client`. Slots of keys in other regions are passed by, but for replicas of a multi-region key. */
  readonly region?: string;
  /**
   * The key or alias that the configuration names. A slot under another key opens nothing then: who can write to the
   * store must not choose the key that new backups are sealed with. Without it the caller's role has to limit
   * `kms:Decrypt` to the vault's key.
   */
  readonly keyId?: string;
}

/**
 * Opens the slots of one scope: one call of `Decrypt` for each ciphertext, whatever the number of slots. Slots of the
 * other scope are passed by without a call. Fails as `createKmsWrapper` does; a ciphertext that KMS does not open in this
 * context is `damaged`, one that it opens to another key is told by the slot's check value.
 */
export function kmsUnlocker({ client, repository, scope, region, keyId }: KmsUnlockerOptions): Unlocker {
  const opened = new Map<string, Promise<Uint8Array>>();
  const decrypt = async ({ key, ciphertext }: KmsKdf): Promise<Uint8Array> => {
    const wanted = keyId ?? keyInRegion(key, region) ?? key;
    const answer = await client
      .send(new DecryptCommand({ CiphertextBlob: ciphertext, KeyId: wanted, EncryptionContext: encryptionContext(repository, scope) }))
      .catch((cause: unknown) => {
        throw kmsError(cause, { action: 'kms:Decrypt', keyId: wanted, repository, scope });
      });
    // Too short for a key: the ciphertext holds something else, and the check value will say so.
    return answer.Plaintext ?? new Uint8Array(0);
  };
  return {
    kind: 'kms',
    keyEncryptionKey: async ({ kdf }) => {
      invariant(kdf?.name === 'kms', 'A slot of another kind came to KMS');
      if (kdf.scope !== scope || keyInRegion(kdf.key, region) === undefined) return undefined;
      if (keyId?.includes(':key/') && !isSameKey(kdf.key, keyId)) return undefined;
      const name = Buffer.from(kdf.ciphertext).toString('base64');
      const known = opened.get(name) ?? decrypt(kdf);
      opened.set(name, known);
      // A throttled call is made again by the next caller.
      known.catch(() => opened.delete(name));
      return known;
    },
  };
}

function encryptionContext(repository: RepositoryId, scope: KmsScope): Record<string, string> {
  return { 'holdfast:repository': repository, 'holdfast:scope': scope };
}

function isOwn({ kdf }: Pick<KeySlot, 'kdf'>, ciphertext: Uint8Array): boolean {
  return kdf?.name === 'kms' && Buffer.from(kdf.ciphertext).equals(ciphertext);
}

function required(key: Uint8Array | undefined): Uint8Array {
  if (key !== undefined) return key;
  throw new HoldfastError('wrong-key', 'This key slot belongs to another key or scope of KMS.', { nextStep: 'Open the vault with the key that its slot names.' });
}

/** For people: the end of the ARN says which key, the scope what it opens. */
function labelOf(key: string, scope: KmsScope): string {
  return `${key.split(':').slice(3).join(':')}${scope === 'meta' ? ' (metadata)' : ''}`;
}
