import * as z from 'zod';
import { USER_WANTED } from './connection-words.ts';
import { path, secret, strictMap, text, texts, yesOrNo } from './schema-words.ts';
import type { SecretReference } from './secret-reference.ts';

/** Indices of an Elasticsearch or OpenSearch cluster, with every default filled in. */
export type ResolvedSearch = ResolvedCluster<'elasticsearch'> | ResolvedCluster<'opensearch'>;

interface ResolvedCluster<T extends 'elasticsearch' | 'opensearch'> {
  readonly type: T;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly user?: string | SecretReference;
  readonly password?: SecretReference;
  readonly apiKey?: SecretReference;
  /** PEM file. */
  readonly caFile?: string;
  /** Patterns of names. */
  readonly indices: readonly string[];
  readonly exclude: readonly string[];
  readonly templates: boolean;
}

const ENDPOINT_WANTED = 'an address such as "https://search.internal:9200", without user, query and fragment';

const fields = {
  endpoint: text(ENDPOINT_WANTED).regex(/^https?:\/\/[^\s/@?#]+(\/[^\s?#]*)?$/, { error: ENDPOINT_WANTED }).meta({ description: 'Of any node, or of the proxy before them.' }),
  user: z.union([secret, text(USER_WANTED).refine((value) => !value.startsWith('${'), { error: USER_WANTED })], { error: USER_WANTED }).optional().meta({ description: 'With `password`; or `api-key`; or neither, where the cluster asks for none.' }),
  password: secret.optional().meta({ description: 'Where the password is.' }),
  'api-key': secret.optional().meta({ description: 'Where the API key is, as Elasticsearch encodes it (base64 of id and key).' }),
  'ca-file': path.optional().meta({ description: 'PEM file of the authority that signed the certificate of the endpoint; without it those that Node.js trusts.' }),
  indices: texts('name or pattern of an index').min(1, { error: 'at least one name or pattern' }).default(['*']).meta({ description: 'Names and patterns with "*" of the indices to keep. Hidden ones and those of the system only by their names or by patterns that begin with ".".' }),
  exclude: texts('name or pattern of an index').optional().meta({ description: 'Indices that are left out; wins over indices.' }),
  templates: yesOrNo().default(true).meta({ description: 'Keep index and component templates and ingest pipelines, too.' }),
} as const;

const map = <T extends 'elasticsearch' | 'opensearch'>(type: T) =>
  strictMap({ type: z.literal(type), ...fields }, `an ${type} source`).superRefine(({ user, password, 'api-key': apiKey }, context) => {
    if ((user === undefined) !== (password === undefined)) context.addIssue({ code: 'custom', path: ['user'], message: 'both `user` and `password`, or neither' });
    if (user !== undefined && apiKey !== undefined) context.addIssue({ code: 'custom', path: ['api-key'], message: 'either `api-key` or `user` and `password`' });
  });

export const elasticsearch = map('elasticsearch');
export const opensearch = map('opensearch');

export type SearchFields = z.output<typeof elasticsearch> | z.output<typeof opensearch>;
