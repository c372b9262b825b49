import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import type { KMSClient, KeyMetadata } from '@aws-sdk/client-kms';
import type { KeyAtRisk } from '../monitoring/alerts.ts';
import type { VaultPlaces } from '../settings/variables.ts';
import { fromAwsError } from './aws-error.ts';

/** A key in another account may not let itself be looked at: that is told here, and is its owner's matter. */
type OnUnknown = (message: string) => void;

/** The vaults whose key is disabled, about to be deleted or otherwise unfit. Fails as `unavailable`. */
export async function keysAtRisk(vaults: VaultPlaces, kms: Pick<KMSClient, 'send'>, onUnknown: OnUnknown): Promise<KeyAtRisk[]> {
  const found = await Promise.all(Object.entries(vaults).map(async ([vault, { keyArn }]) => {
    const problem = await problemOf(keyArn, kms, onUnknown);
    return problem === undefined ? [] : [{ vault, keyArn, problem }];
  }));
  return found.flat();
}

async function problemOf(keyArn: string, kms: Pick<KMSClient, 'send'>, onUnknown: OnUnknown): Promise<string | undefined> {
  try {
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: keyArn }));
    return inWords(KeyMetadata);
  } catch (cause) {
    const error = fromAwsError(cause, `The state of the key ${keyArn} could not be read`);
    if (error.code === 'not-found') return 'is not there';
    if (error.code !== 'permission') throw error;
    onUnknown(error.message);
    return undefined;
  }
}

function inWords(key: KeyMetadata | undefined): string | undefined {
  if (key === undefined) return undefined;
  switch (key.KeyState) {
    case undefined:
    case 'Enabled':
      return undefined;
    case 'Disabled':
      return 'is disabled';
    case 'PendingDeletion':
    case 'PendingReplicaDeletion':
      return `will be deleted${key.DeletionDate === undefined ? '' : ` on ${key.DeletionDate.toISOString().slice(0, 10)}`}`;
    default:
      return `is in the state ${key.KeyState}`;
  }
}
