import { KMSClient } from '@aws-sdk/client-kms';

/**
 * Loaded only for vaults under KMS: the SDK is large. A module of its own, because a package that is imported late has
 * no names in the bundle.
 */
export function makeKmsClient(region: string | undefined): KMSClient {
  return new KMSClient(region === undefined ? {} : { region });
}
