import { secret, text } from './schema-words.ts';
import type { SecretReference } from './secret-reference.ts';

/** How services of AWS are reached that are sources. */
export interface ResolvedServicePlace {
  readonly endpoint?: string;
  readonly region?: string;
  /** Absent: the chain of the SDK. */
  readonly credentials?: { readonly accessKeyId: SecretReference; readonly secretAccessKey: SecretReference };
}

const ENDPOINT_WANTED = 'an address without path, such as "https://aws.example.com:4566"';

export const servicePlace = {
  region: text('the name of a region').regex(/^[a-z0-9-]+$/, { error: 'the name of a region' }).optional(),
  endpoint: text(ENDPOINT_WANTED).regex(/^https?:\/\/[^\s/@?#]+\/?$/, { error: ENDPOINT_WANTED }).optional().meta({ description: 'A service that is not AWS.' }),
  'access-key-id': secret.optional().meta({ description: 'Where the access key is, with `secret-access-key`. Without both: the credentials of the environment, a profile or a role.' }),
  'secret-access-key': secret.optional(),
} as const;

interface ServiceFields {
  readonly 'access-key-id'?: SecretReference | undefined;
  readonly 'secret-access-key'?: SecretReference | undefined;
}

/** What is wrong with the two together; undefined when nothing is. */
export function keysProblem(fields: ServiceFields): string | undefined {
  return (fields['access-key-id'] === undefined) === (fields['secret-access-key'] === undefined) ? undefined : 'both `access-key-id` and `secret-access-key`, or neither';
}

export function resolveServicePlace({ region, endpoint, 'access-key-id': accessKeyId, 'secret-access-key': secretAccessKey }: ServiceFields & { readonly region?: string | undefined; readonly endpoint?: string | undefined }, resolve: (reference: SecretReference) => SecretReference): ResolvedServicePlace {
  return {
    ...(endpoint !== undefined && { endpoint: endpoint.replace(/\/$/, '') }),
    ...(region !== undefined && { region }),
    ...(accessKeyId && secretAccessKey && { credentials: { accessKeyId: resolve(accessKeyId), secretAccessKey: resolve(secretAccessKey) } }),
  };
}
