import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { fetchSecret, secretText } from '../config/secret-reference.ts';
import type { RemoteSecretReference, SecretReference } from '../config/secret-reference.ts';
import { HoldfastError } from '../model/errors.ts';
import { awsErrorName, fromAwsError } from './aws-error.ts';

export interface SecretClients {
  /** Asked for only when a reference needs it. */
  readonly secrets: () => Pick<SecretsManagerClient, 'send'>;
  readonly ssm: () => Pick<SSMClient, 'send'>;
}

/**
 * Reads secrets in the task or function that uses them, at the moment of use; nothing is kept. A reference to this
 * machine's environment or files fails: synth refuses it, so it can only have been slipped in. Fails as `missing-key`,
 * `permission`, `unavailable`; no message and no cause holds a value.
 */
export function secretResolver(clients: SecretClients): (reference: SecretReference) => Promise<string> {
  const readRemote = (reference: RemoteSecretReference) => (reference.kind === 'ssm' ? readParameter(clients.ssm(), reference) : readSecret(clients.secrets(), reference));
  const readTextFile = (): never => {
    throw Object.assign(new Error('not read in aws'), { code: 'EACCES' });
  };
  return (reference) => fetchSecret(reference, { environment: {}, readTextFile, readRemote });
}

async function readSecret(client: Pick<SecretsManagerClient, 'send'>, reference: RemoteSecretReference): Promise<string> {
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: reference.name })).catch((cause: unknown) => {
    throw translate(cause, reference, 'secretsmanager:GetSecretValue');
  });
  if (SecretString !== undefined) return SecretString;
  throw new HoldfastError('missing-key', `The secret ${secretText(reference)} is binary, wanted text.`, { nextStep: 'Store it again as text (SecretString).' });
}

async function readParameter(client: Pick<SSMClient, 'send'>, reference: RemoteSecretReference): Promise<string> {
  const { Parameter } = await client.send(new GetParameterCommand({ Name: reference.name, WithDecryption: true })).catch((cause: unknown) => {
    throw translate(cause, reference, 'ssm:GetParameter');
  });
  return Parameter?.Value ?? '';
}

/** Both services say `InvalidRequestException` of a secret that waits for its deletion. */
function translate(cause: unknown, reference: RemoteSecretReference, action: string): HoldfastError {
  const what = `The secret ${secretText(reference)} could not be read`;
  const name = awsErrorName(cause);
  if (/NotFound/.test(name)) return new HoldfastError('missing-key', `${what}: nothing has that name in this account and region.`, { cause, nextStep: 'Create it there, or correct the reference in holdfast.yaml and deploy.' });
  if (name === 'InvalidRequestException') return new HoldfastError('missing-key', `${what}: it is marked for deletion or has no current version.`, { cause, nextStep: 'Take the deletion back with `aws secretsmanager restore-secret`, or store a new version.' });
  const error = fromAwsError(cause, what);
  if (error.code !== 'permission') return error;
  return new HoldfastError('permission', error.message, { cause, nextStep: `Allow ${action} on it, and kms:Decrypt on its key, to the role of this task; the policy of a secret or key in another account must allow it as well.` });
}
