import type { KMSClient } from '@aws-sdk/client-kms';
import type { KeyWrapper } from '../keyring/key-slot.ts';
import { createKmsWrapper } from '../keyring/kms.ts';
import type { RepositoryId } from '../model/ids.ts';
import type { VaultPlace } from '../settings/variables.ts';

/** New wrappings of a stack's vault: one that opens everything, one for roles that may open metadata alone. Two calls of KMS. */
export function stackWrappers({ keyArn }: VaultPlace, repository: RepositoryId, { kms }: { readonly kms: KMSClient }): Promise<KeyWrapper[]> {
  return Promise.all((['all', 'meta'] as const).map((scope) => createKmsWrapper({ client: kms, keyId: keyArn, repository, scope })));
}
