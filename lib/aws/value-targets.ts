import { CreateSecretCommand, DescribeSecretCommand, GetSecretValueCommand, PutSecretValueCommand, RestoreSecretCommand, TagResourceCommand, UpdateSecretCommand } from '@aws-sdk/client-secrets-manager';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AddTagsToResourceCommand, GetParameterCommand, ParameterTier, PutParameterCommand } from '@aws-sdk/client-ssm';
import type { ParameterType, SSMClient } from '@aws-sdk/client-ssm';
import { HoldfastError } from '../model/errors.ts';
import type { ExistingValue, ValueTarget, WantedValue } from '../recovery/values/value-target.ts';
import { awsErrorName } from './aws-error.ts';
import { ask, serviceError } from './service-error.ts';

export interface TargetPlace<Client extends { send: unknown }> {
  readonly client: Pick<Client, 'send'>;
  /** Put before every name. */
  readonly prefix: string;
  /** KMS key that takes the place of the one in the backup; absent: that one. */
  readonly keyId?: string | undefined;
}

type How = 'create' | 'overwrite' | 'undelete';

/** The Parameter Store. Policies of parameters are not put back: one that has expired would delete its parameter at once. */
export class ParameterTarget implements ValueTarget {
  readonly kind = 'parameters';
  readonly description: string;
  readonly #place: TargetPlace<SSMClient>;

  constructor(place: TargetPlace<SSMClient>) {
    this.#place = place;
    this.description = `ssm:${place.prefix}`;
  }

  nameOf(name: string): string {
    const { prefix } = this.#place;
    return prefix === '' ? name : `${prefix.replace(/\/$/, '')}/${name.replace(/^\//, '')}`;
  }

  async find(name: string, signal: AbortSignal): Promise<ExistingValue | undefined> {
    const { Parameter } = await this.#send(name, signal, 'looked up', 'ssm:GetParameter', (client) => client.send(new GetParameterCommand({ Name: name, WithDecryption: true })).catch(unless('ParameterNotFound')));
    return Parameter && { content: Buffer.from(Parameter.Value ?? '', 'utf8'), type: Parameter.Type ?? '', modified: Parameter.LastModifiedDate?.getTime() ?? 0 };
  }

  async write({ name, content, facts }: WantedValue, how: How, signal: AbortSignal): Promise<'written' | 'exists'> {
    const { type, description, tier, dataType, allowedPattern, tags = {} } = facts;
    const keyId = type === 'SecureString' ? (this.#place.keyId ?? facts.keyId) : undefined;
    const command = new PutParameterCommand({
      Name: name, Value: Buffer.from(content).toString('utf8'), Type: type as ParameterType, Overwrite: how === 'overwrite',
      ...(description && { Description: description }), ...(keyId !== undefined && { KeyId: keyId }), ...(dataType && { DataType: dataType }), ...(allowedPattern && { AllowedPattern: allowedPattern }),
      ...(tier === ParameterTier.ADVANCED && { Tier: tier }),
    });
    const put = await this.#send(name, signal, 'written', 'ssm:PutParameter, and kms:Encrypt where a key of yours is used', (client) => client.send(command).catch(unless('ParameterAlreadyExists')));
    if (!('Version' in put)) return 'exists';
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    if (Tags.length > 0) await this.#send(name, signal, 'tagged', 'ssm:AddTagsToResource', (client) => client.send(new AddTagsToResourceCommand({ ResourceType: 'Parameter', ResourceId: name, Tags })));
    prove(`The parameter ${name}`, { content, type }, await this.find(name, signal));
    return 'written';
  }

  async #send<T>(name: string, signal: AbortSignal, what: string, allow: string, send: (client: Pick<SSMClient, 'send'>) => Promise<T>): Promise<T> {
    return ask(signal, () => send(this.#place.client), (error) => serviceError(error, `The parameter ${name} could not be ${what}`, { allow, failsAs: 'target-failed' }));
  }
}

/** Secrets Manager. Rotation is not switched on: its function may not be there, and it would change the value that was just restored. */
export class SecretTarget implements ValueTarget {
  readonly kind = 'secrets';
  readonly description: string;
  readonly #place: TargetPlace<SecretsManagerClient>;

  constructor(place: TargetPlace<SecretsManagerClient>) {
    this.#place = place;
    this.description = `secretsmanager:${place.prefix}`;
  }

  nameOf(name: string): string {
    return `${this.#place.prefix}${name}`;
  }

  async find(name: string, signal: AbortSignal): Promise<ExistingValue | undefined> {
    const described = await this.#send(name, signal, 'looked up', 'secretsmanager:DescribeSecret', (client) => client.send(new DescribeSecretCommand({ SecretId: name })).catch(unless('ResourceNotFoundException')));
    if (!('Name' in described)) return undefined;
    const modified = (described.LastChangedDate ?? described.CreatedDate)?.getTime() ?? 0;
    if (described.DeletedDate) return { content: undefined, type: '', modified };
    const { SecretString, SecretBinary } = await this.#send(name, signal, 'looked up', 'secretsmanager:GetSecretValue', (client) => client.send(new GetSecretValueCommand({ SecretId: name })).catch(unless('ResourceNotFoundException')));
    if (SecretString !== undefined) return { content: Buffer.from(SecretString, 'utf8'), type: 'text', modified };
    return SecretBinary ? { content: SecretBinary, type: 'binary', modified } : { content: Buffer.alloc(0), type: 'none', modified };
  }

  async write(value: WantedValue, how: How, signal: AbortSignal): Promise<'written' | 'exists'> {
    const { name, content, facts } = value;
    const made = how === 'create' ? await this.#create(value, signal) : await this.#replace(value, how, signal);
    // A secret that is back is all there is to bring of one that had no value; what it has by now stays.
    if (made === 'exists' || (how === 'undelete' && facts.type === 'none')) return made;
    prove(`The secret ${name}`, { content, type: facts.type }, await this.find(name, signal));
    return 'written';
  }

  async #create({ name, content, facts: { type, description, tags = {}, keyId } }: WantedValue, signal: AbortSignal): Promise<'written' | 'exists'> {
    const key = this.#place.keyId ?? keyId;
    const command = new CreateSecretCommand({ Name: name, ...valueOf(type, content), ...(description && { Description: description }), ...(key !== undefined && { KmsKeyId: key }), Tags: tagsOf(tags) });
    const created = await this.#send(name, signal, 'written', 'secretsmanager:CreateSecret and secretsmanager:TagResource', (client) => client.send(command).catch(unless('ResourceExistsException')));
    return 'Name' in created ? 'written' : 'exists';
  }

  async #replace({ name, content, facts: { type, description, tags = {} } }: WantedValue, how: How, signal: AbortSignal): Promise<'written'> {
    if (how === 'undelete') {
      await this.#send(name, signal, 'brought back', 'secretsmanager:RestoreSecret', (client) => client.send(new RestoreSecretCommand({ SecretId: name })));
      const there = await this.find(name, signal);
      if (there?.content && there.type === type && Buffer.compare(there.content, content) === 0) return 'written';
    }
    if (type !== 'none') await this.#send(name, signal, 'written', 'secretsmanager:PutSecretValue', (client) => client.send(new PutSecretValueCommand({ SecretId: name, ...valueOf(type, content) })));
    if (description !== undefined) await this.#send(name, signal, 'described', 'secretsmanager:UpdateSecret', (client) => client.send(new UpdateSecretCommand({ SecretId: name, Description: description })));
    if (Object.keys(tags).length > 0) await this.#send(name, signal, 'tagged', 'secretsmanager:TagResource', (client) => client.send(new TagResourceCommand({ SecretId: name, Tags: tagsOf(tags) })));
    return 'written';
  }

  async #send<T>(name: string, signal: AbortSignal, what: string, allow: string, send: (client: Pick<SecretsManagerClient, 'send'>) => Promise<T>): Promise<T> {
    return ask(signal, () => send(this.#place.client), (error) => serviceError(error, `The secret ${name} could not be ${what}`, { allow, failsAs: 'target-failed' }));
  }
}

function valueOf(type: string, content: Uint8Array): { readonly SecretString?: string; readonly SecretBinary?: Uint8Array } {
  if (type === 'none') return {};
  return type === 'text' ? { SecretString: Buffer.from(content).toString('utf8') } : { SecretBinary: content };
}

function tagsOf(tags: Readonly<Record<string, string>>) {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** A service may say yes to what it did not keep. */
function prove(what: string, wanted: { readonly content: Uint8Array; readonly type: string }, found: ExistingValue | undefined): void {
  if (found?.content && found.type === wanted.type && Buffer.compare(found.content, wanted.content) === 0) return;
  throw new HoldfastError('target-failed', `${what} was written and is not there as it was sent.`, { nextStep: 'Look whether somebody else writes there, then restore it again with `--overwrite changed`.' });
}

function unless(name: string): (error: unknown) => Record<string, never> {
  return (error) => {
    if (awsErrorName(error) !== name) throw error;
    return {};
  };
}
