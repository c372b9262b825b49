import { CreateSecretCommand, SecretsManagerClient, TagResourceCommand } from '@aws-sdk/client-secrets-manager';
import { AddTagsToResourceCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { ParameterType } from '@aws-sdk/client-ssm';
import { ParameterValues } from '../../../lib/aws/parameter-values.ts';
import { SecretValues } from '../../../lib/aws/secret-values.ts';
import { systemClock } from '../../../lib/model/clock.ts';
import { ConfigsSource } from '../../../lib/sources/configs.ts';
import type { WantedFile } from '../../../lib/sources/configs/config-files.ts';
import { keptValueOf } from '../../../lib/sources/configs/kept-value.ts';
import type { HeldEntry } from '../../support/run-backup.ts';
import type { Ministack } from '../../support/servers/ministack.ts';

export interface Services {
  readonly ssm: SSMClient;
  readonly secrets: SecretsManagerClient;
  close(): void;
}

export function servicesOf(server: Ministack, endpoint = server.endpoint): Services {
  const options = { ...server.client, endpoint, maxAttempts: 1 };
  const [ssm, secrets] = [new SSMClient(options), new SecretsManagerClient(options)];
  return { ssm, secrets, close: () => [ssm, secrets].forEach((client) => client.destroy()) };
}

export interface Listed {
  readonly files?: readonly (string | WantedFile)[];
  readonly parameters?: readonly string[];
  readonly secrets?: readonly string[];
}

export function sourceFor({ ssm, secrets }: Services, { files = [], parameters = [], secrets: names = [] }: Listed): ConfigsSource {
  return new ConfigsSource({
    files: files.map((file) => (typeof file === 'string' ? { path: file, isOptional: false, kind: 'file' } : file)),
    values: [{ service: new ParameterValues(ssm), wanted: parameters }, { service: new SecretValues(secrets), wanted: names }],
    clock: systemClock,
  });
}

export async function putParameter({ ssm }: Services, Name: string, Value: string, { type = 'String', tags = {}, ...more }: { readonly type?: ParameterType; readonly tags?: Record<string, string>; readonly description?: string } = {}): Promise<void> {
  await ssm.send(new PutParameterCommand({ Name, Value, Type: type, Overwrite: true, ...(more.description !== undefined && { Description: more.description }) }));
  const Tags = Object.entries(tags).map(([Key, value]) => ({ Key, Value: value }));
  if (Tags.length > 0) await ssm.send(new AddTagsToResourceCommand({ ResourceType: 'Parameter', ResourceId: Name, Tags }));
}

export async function putSecret({ secrets }: Services, Name: string, value: string | Uint8Array, { tags = {}, description }: { readonly tags?: Record<string, string>; readonly description?: string } = {}): Promise<void> {
  await secrets.send(new CreateSecretCommand({ Name, ...(typeof value === 'string' ? { SecretString: value } : { SecretBinary: value }), ...(description !== undefined && { Description: description }) }));
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  if (Tags.length > 0) await secrets.send(new TagResourceCommand({ SecretId: Name, Tags }));
}

/** Values of a backup by their kind and name, and files by their path. */
export function valuesOf(held: ReadonlyMap<string, HeldEntry>): Map<string, { readonly content: Buffer; readonly kept: ReturnType<typeof keptValueOf> }> {
  return new Map([...held].flatMap(([path, { entry, content }]) => {
    const kept = keptValueOf('xattrs' in entry ? (entry.xattrs ?? []) : []);
    return content ? [[kept ? `${kept.kind} ${kept.name}` : path, { content, kept }] as const] : [];
  }));
}
