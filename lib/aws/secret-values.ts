import { DescribeSecretCommand, GetSecretValueCommand, ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import type { DescribeSecretCommandOutput, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { HoldfastError } from '../model/errors.ts';
import type { ListedValue, NamedValues, ReadValue, ValueFacts } from '../sources/configs/named-values.ts';
import { awsErrorName } from './aws-error.ts';
import { ask, serviceError } from './service-error.ts';

/** What a secret without any value has for a version. */
const NO_VERSION = 'none';

/** Secrets Manager: the current version of each secret, text or binary, with everything that is said of it. */
export class SecretValues implements NamedValues {
  readonly kind = 'secrets';
  readonly #client: Pick<SecretsManagerClient, 'send'>;

  constructor(client: Pick<SecretsManagerClient, 'send'>) {
    this.#client = client;
  }

  /** One that waits for its deletion is not there: its value cannot be read. */
  async *list(wanted: string, signal: AbortSignal): AsyncGenerator<ListedValue> {
    if (!wanted.endsWith('*')) {
      const one = await this.#describe(wanted, signal);
      if (one?.DeletedDate) throw new HoldfastError('source-failed', `The secret ${wanted} waits for its deletion since ${one.DeletedDate.toISOString()}: its value cannot be read.`, { nextStep: 'Take it off the list, or bring it back with `aws secretsmanager restore-secret`.' });
      if (one) yield listed(one.Name, one.VersionIdsToStages, one.LastChangedDate ?? one.CreatedDate);
      return;
    }
    const prefix = wanted.slice(0, -1);
    let token: string | undefined;
    do {
      const command = new ListSecretsCommand({ MaxResults: 100, ...(prefix !== '' && { Filters: [{ Key: 'name', Values: [prefix] }] }), ...(token !== undefined && { NextToken: token }) });
      const { SecretList, NextToken } = await ask(signal, () => this.#client.send(command, { abortSignal: signal }), (error) => serviceError(error, `The secrets ${wanted} could not be listed`, { allow: 'secretsmanager:ListSecrets' }));
      if (SecretList === undefined || (NextToken !== undefined && NextToken === token)) throw broken(`The listing of secrets ${wanted} did not end as one: ${SecretList === undefined ? 'an answer has no list in it' : 'the same page came twice'}`);
      // The filter of the service takes case and word parts loosely.
      for (const { Name, SecretVersionsToStages, LastChangedDate, CreatedDate, DeletedDate } of SecretList) {
        if (Name?.startsWith(prefix) && !DeletedDate) yield listed(Name, SecretVersionsToStages, LastChangedDate ?? CreatedDate);
      }
      token = NextToken === '' ? undefined : NextToken;
    } while (token !== undefined);
  }

  async read(name: string, signal: AbortSignal): Promise<ReadValue | 'absent'> {
    const described = await this.#describe(name, signal);
    if (!described || described.DeletedDate) return 'absent';
    const { version, modified } = listed(described.Name, described.VersionIdsToStages, described.LastChangedDate ?? described.CreatedDate);
    if (version === NO_VERSION) return { name, version, modified, content: Buffer.alloc(0), facts: factsOf(described, 'none') };
    const { SecretString, SecretBinary, VersionId } = await ask(signal, () => this.#client.send(new GetSecretValueCommand({ SecretId: name }), { abortSignal: signal }), (error) => serviceError(error, `The secret ${name} could not be read`, { allow: 'secretsmanager:GetSecretValue, and kms:Decrypt where it lies under a key of yours' }));
    const content = SecretString === undefined ? SecretBinary : Buffer.from(SecretString, 'utf8');
    if (content === undefined || VersionId === undefined) throw broken(`The answer about the secret ${name} has no value or no version in it`);
    return { name, version: VersionId, modified, content, facts: factsOf(described, SecretString === undefined ? 'binary' : 'text') };
  }

  async #describe(name: string, signal: AbortSignal): Promise<DescribeSecretCommandOutput | undefined> {
    return ask(signal, () => this.#client.send(new DescribeSecretCommand({ SecretId: name }), { abortSignal: signal }).catch((error: unknown) => {
      if (awsErrorName(error) !== 'ResourceNotFoundException') throw error;
      return undefined;
    }), (error) => serviceError(error, `The secret ${name} could not be looked up`, { allow: 'secretsmanager:DescribeSecret' }));
  }
}

function listed(name: string | undefined, stages: Readonly<Record<string, readonly string[]>> | undefined, changed: Date | undefined): ListedValue {
  if (name === undefined || changed === undefined) throw broken('An answer about a secret lacks its name or time');
  const current = Object.entries(stages ?? {}).find(([, names]) => names.includes('AWSCURRENT'))?.[0];
  return { name, version: current ?? NO_VERSION, modified: changed.getTime() };
}

function factsOf({ Description, KmsKeyId, Tags = [], RotationEnabled, RotationLambdaARN, RotationRules, LastRotatedDate, OwningService }: DescribeSecretCommandOutput, type: string): ValueFacts {
  return {
    type,
    ...(Description && { description: Description }), ...(KmsKeyId && { keyId: KmsKeyId }),
    ...(Tags.length > 0 && { tags: Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])) }),
    ...((RotationEnabled || RotationLambdaARN) && {
      rotation: {
        isEnabled: RotationEnabled === true,
        ...(RotationLambdaARN && { function: RotationLambdaARN }), ...(RotationRules?.ScheduleExpression && { schedule: RotationRules.ScheduleExpression }),
        ...(RotationRules?.AutomaticallyAfterDays !== undefined && { everyDays: RotationRules.AutomaticallyAfterDays }), ...(LastRotatedDate && { last: LastRotatedDate.getTime() }),
      },
    }),
    ...(OwningService && { ownedBy: OwningService }),
  };
}

function broken(what: string): HoldfastError {
  return new HoldfastError('source-failed', `${what}.`, { nextStep: 'Nothing of this run is kept; start the backup again.' });
}
