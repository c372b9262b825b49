import { GetParameterCommand, GetParameterHistoryCommand, GetParametersByPathCommand, ListTagsForResourceCommand } from '@aws-sdk/client-ssm';
import type { GetParameterHistoryCommandOutput, Parameter, ParameterHistory, SSMClient } from '@aws-sdk/client-ssm';
import { HoldfastError } from '../model/errors.ts';
import type { ListedValue, NamedValues, ReadValue, ValueFacts } from '../sources/configs/named-values.ts';
import { awsErrorName } from './aws-error.ts';
import { ask, serviceError } from './service-error.ts';

/**
 * The Parameter Store. Listings ask without decryption. A value comes from the history, which needs a right on that
 * parameter alone and tells everything of its newest version; DescribeParameters needs one on all of an account.
 */
export class ParameterValues implements NamedValues {
  readonly kind = 'parameters';
  readonly #client: Pick<SSMClient, 'send'>;

  constructor(client: Pick<SSMClient, 'send'>) {
    this.#client = client;
  }

  async *list(wanted: string, signal: AbortSignal): AsyncGenerator<ListedValue> {
    if (!wanted.endsWith('*')) {
      const one = await this.#one(wanted, signal);
      if (one) yield one;
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
    const newest = await this.#newest(name, signal);
    if (newest === undefined) return 'absent';
    const { Value, Version, LastModifiedDate, Type } = newest;
    if (Value === undefined || Version === undefined || LastModifiedDate === undefined || Type === undefined) throw broken(`The answer about the parameter ${name} lacks its value, version, type or time`);
    const tags = await this.#tags(name, signal);
    if (tags === 'absent') return 'absent';
    return { name, version: String(Version), modified: LastModifiedDate.getTime(), content: Buffer.from(Value, 'utf8'), facts: factsOf(newest, Type, tags) };
  }

  async #one(name: string, signal: AbortSignal): Promise<ListedValue | undefined> {
    const { Parameter } = await ask(signal, () => this.#client.send(new GetParameterCommand({ Name: name, WithDecryption: false }), { abortSignal: signal }).catch(unlessAbsent), (error) => serviceError(error, `The parameter ${name} could not be looked up`, { allow: 'ssm:GetParameter' }));
    return Parameter && listed(Parameter);
  }

  /** Histories come oldest first, up to a hundred versions. */
  async #newest(name: string, signal: AbortSignal): Promise<ParameterHistory | undefined> {
    let newest: ParameterHistory | undefined;
    let token: string | undefined;
    do {
      const command = new GetParameterHistoryCommand({ Name: name, WithDecryption: true, MaxResults: 50, ...(token !== undefined && { NextToken: token }) });
      const { Parameters = [], NextToken }: Partial<GetParameterHistoryCommandOutput> = await ask(signal, () => this.#client.send(command, { abortSignal: signal }).catch(unlessAbsent), (error) => serviceError(error, `The parameter ${name} could not be read`, { allow: 'ssm:GetParameterHistory, and kms:Decrypt where it lies under a key of yours' }));
      for (const version of Parameters) if ((version.Version ?? 0) > (newest?.Version ?? 0)) newest = version;
      token = NextToken === '' ? undefined : NextToken;
    } while (token !== undefined);
    return newest;
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
