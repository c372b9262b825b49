import { GetParameterCommand, GetParameterHistoryCommand, GetParametersByPathCommand, ListTagsForResourceCommand } from '@aws-sdk/client-ssm';
import type { GetParameterHistoryCommandOutput, Parameter, ParameterHistory, SSMClient } from '@aws-sdk/client-ssm';
import { HoldfastError } from '../model/errors.ts';
import type { ListedValue, NamedValues, ReadValue, ValueFacts } from '../sources/configs/named-values.ts';
import { awsErrorName } from './aws-error.ts';
import { ask, serviceError } from './service-error.ts';

/**
 * The Parameter Store. One call alone decrypts, and only the newest version: older ones may lie under a key that is gone. What
 * else there is to know comes from the history, which needs a right on that parameter alone; DescribeParameters needs one on
 * all of an account.
 */
export class ParameterValues implements NamedValues {
  readonly kind = 'parameters';
  readonly #client: Pick<SSMClient, 'send'>;

  constructor(client: Pick<SSMClient, 'send'>) {
    this.#client = client;
  }

  async *list(wanted: string, signal: AbortSignal): AsyncGenerator<ListedValue> {
    if (!wanted.endsWith('*')) {
      const one = await this.#get(wanted, false, signal);
      if (one) yield listed(one);
      return;
    }
    const path = wanted.slice(0, -1).replace(/(?<=.)\/$/, '');
    let token: string | undefined;
    do {
      const command = new GetParametersByPathCommand({ Path: path, Recursive: true, WithDecryption: false, MaxResults: 10, ...(token !== undefined && { NextToken: token }) });
      const { Parameters, NextToken } = await ask(signal, () => this.#client.send(command, { abortSignal: signal }), (error) => serviceError(error, `The parameters below ${path} could not be listed`, { allow: 'ssm:GetParametersByPath' }));
      if (Parameters === undefined || (NextToken !== undefined && NextToken === token)) throw broken(`The listing of parameters below ${path} did not end as one: ${Parameters === undefined ? 'an answer has no list in it' : 'the same page came twice'}`);
      for (const parameter of Parameters) yield listed(parameter);
      token = NextToken === '' ? undefined : NextToken;
    } while (token !== undefined);
  }

  async read(name: string, signal: AbortSignal): Promise<ReadValue | 'absent'> {
    const current = await this.#get(name, true, signal);
    if (current === undefined) return 'absent';
    const { Value, Version, LastModifiedDate, Type } = current;
    if (Value === undefined || Version === undefined || LastModifiedDate === undefined || Type === undefined) throw broken(`The answer about the parameter ${name} lacks its value, version, type or time`);
    const told = await this.#versionOf(name, Version, signal);
    if (told === undefined) return 'absent';
    const tags = await this.#tags(name, signal);
    if (tags === 'absent') return 'absent';
    return { name, version: String(Version), modified: LastModifiedDate.getTime(), content: Buffer.from(Value, 'utf8'), facts: factsOf(told, Type, tags) };
  }

  async #get(name: string, WithDecryption: boolean, signal: AbortSignal): Promise<Parameter | undefined> {
    const { Parameter } = await ask(signal, () => this.#client.send(new GetParameterCommand({ Name: name, WithDecryption }), { abortSignal: signal }).catch(unlessAbsent), (error) => serviceError(error, `The parameter ${name} could not be ${WithDecryption ? 'read' : 'looked up'}`, { allow: `ssm:GetParameter${WithDecryption ? ', and kms:Decrypt where it lies under a key of yours' : ''}` }));
    return Parameter;
  }

  /** Histories come oldest first, up to a hundred versions. Undefined when the parameter went meanwhile. */
  async #versionOf(name: string, wanted: number, signal: AbortSignal): Promise<ParameterHistory | undefined> {
    let isThere = false;
    let token: string | undefined;
    do {
      const command = new GetParameterHistoryCommand({ Name: name, WithDecryption: false, MaxResults: 50, ...(token !== undefined && { NextToken: token }) });
      const { Parameters = [], NextToken }: Partial<GetParameterHistoryCommandOutput> = await ask(signal, () => this.#client.send(command, { abortSignal: signal }).catch(unlessAbsent), (error) => serviceError(error, `The parameter ${name} could not be read`, { allow: 'ssm:GetParameterHistory' }));
      isThere ||= Parameters.length > 0;
      const found = Parameters.find(({ Version }) => Version === wanted);
      if (found !== undefined) return found;
      token = NextToken === '' ? undefined : NextToken;
    } while (token !== undefined);
    if (isThere) throw broken(`The history of the parameter ${name} does not tell of its version ${wanted}`);
    return undefined;
  }

  async #tags(name: string, signal: AbortSignal): Promise<Readonly<Record<string, string>> | 'absent'> {
    const { TagList } = await ask(signal, () => this.#client.send(new ListTagsForResourceCommand({ ResourceType: 'Parameter', ResourceId: name }), { abortSignal: signal }).catch(unlessAbsent), (error) => serviceError(error, `The tags of the parameter ${name} could not be read`, { allow: 'ssm:ListTagsForResource' }));
    return TagList === undefined ? 'absent' : Object.fromEntries(TagList.map(({ Key = '', Value = '' }) => [Key, Value]));
  }
}

function listed({ Name, Version, LastModifiedDate }: Parameter): ListedValue {
  if (Name === undefined || Version === undefined || LastModifiedDate === undefined) throw broken('A listing of parameters has one without name, version or time');
  return { name: Name, version: String(Version), modified: LastModifiedDate.getTime() };
}

function factsOf({ Description, KeyId, Tier, DataType, AllowedPattern, Policies = [], Labels = [] }: ParameterHistory, type: string, tags: Readonly<Record<string, string>>): ValueFacts {
  const policies = Policies.flatMap(({ PolicyText }) => (PolicyText === undefined ? [] : [PolicyText]));
  return {
    type,
    ...(Description && { description: Description }), ...(KeyId && { keyId: KeyId }), ...(Object.keys(tags).length > 0 && { tags }),
    ...(Tier && { tier: Tier }), ...(DataType && { dataType: DataType }), ...(AllowedPattern && { allowedPattern: AllowedPattern }),
    ...(policies.length > 0 && { policies }), ...(Labels.length > 0 && { labels: Labels }),
  };
}

function unlessAbsent(error: unknown): Record<string, never> {
  if (/^(ParameterNotFound|ParameterVersionNotFound|InvalidResourceId)$/.test(awsErrorName(error))) return {};
  throw error;
}

function broken(what: string): HoldfastError {
  return new HoldfastError('source-failed', `${what}.`, { nextStep: 'Nothing of this run is kept; start the backup again.' });
}
