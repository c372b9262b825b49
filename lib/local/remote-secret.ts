import type { RemoteSecretReference } from '../config/secret-reference.ts';

/**
 * A secret that lies in AWS, asked for now with the credentials and region that the SDK finds on this machine. Fails as
 * `missing-key`, `permission`, `unavailable`.
 */
export async function readRemoteSecret(reference: RemoteSecretReference): Promise<string> {
  // Loaded only here: the clients are large, and most plans have no secret in AWS.
  const [{ secretResolver }, { secretsClient, ssmClient }] = await Promise.all([import('../aws/secrets.ts'), import('../aws/clients.ts')]);
  return secretResolver({ secrets: () => secretsClient(), ssm: () => ssmClient() })(reference);
}
