import * as z from 'zod';
import { byteSize, oneOf, path, secret, strictMap, text, texts, wholeNumber, yesOrNo } from './schema-words.ts';
import type { SecretReference } from './secret-reference.ts';

/** Databases of one MongoDB server, replica set or cluster, with every default filled in. */
export interface ResolvedMongodb {
  readonly type: 'mongodb';
  /** A text holds no password. */
  readonly uri: string | SecretReference;
  /** Absent: those of the URI, or none. */
  readonly user?: string | SecretReference;
  readonly password?: SecretReference;
  /** PEM file. */
  readonly caFile?: string;
  readonly databases: readonly string[] | 'all';
  /** `database.collection` or `collection`, with `*` and `?`; empty: all. */
  readonly collections: readonly string[];
  readonly excludeCollections: readonly string[];
  /** Extended JSON by `database.collection`. */
  readonly queries: Readonly<Record<string, string>>;
  /** Users and roles, with the hashes of passwords. */
  readonly users: boolean;
  readonly oplog: 'auto' | 'required' | 'none';
  /** Collections that are read at once. */
  readonly parallel: number;
  /** Less than this of all together fails the run; absent: nothing does. */
  readonly minimumSizeBytes?: number;
}

const URI_WANTED = 'mongodb://HOST:PORT,HOST:PORT/?OPTION=VALUE or mongodb+srv://HOST/ without user and password, or a reference to a secret that holds a whole URI: ${env:NAME}, ${file:path}, ${secret:NAME}';
const USER_WANTED = 'a name, or a reference to a secret';
const DATABASES_WANTED = 'all, or a list of names of databases';
const QUERIES_WANTED = 'a map from database.collection to a query in extended JSON, such as \'{"state": "open"}\'';

/** A password in the file would be shown wherever the file is. */
const plainUri = text(URI_WANTED).refine((value) => /^mongodb(\+srv)?:\/\/[^@/?#\s]+(\/[^@\s]*)?$/.test(value), { error: URI_WANTED });

const query = text(QUERIES_WANTED).refine(isObject, { error: QUERIES_WANTED });

export const mongodbSource = strictMap({
  type: z.literal('mongodb'),
  uri: z.union([secret, plainUri], { error: URI_WANTED }).meta({ description: 'Where the server, replica set or cluster is.' }),
  user: z.union([secret, text(USER_WANTED).refine((value) => !value.startsWith('${'), { error: USER_WANTED })], { error: USER_WANTED }).optional(),
  password: secret.optional().meta({ description: 'Where the password is.' }),
  'ca-file': path.optional().meta({ description: 'PEM file of the authority of the server\'s certificate.' }),
  databases: z.union([z.literal('all'), texts('name of a database').min(1, { error: DATABASES_WANTED })], { error: DATABASES_WANTED }).meta({ description: 'all: every database but local and config.' }),
  collections: texts('name of a collection').optional().meta({ description: 'Only these collections and views: "database.collection" or "collection", with * and ?.' }),
  'exclude-collections': texts('name of a collection').optional().meta({ description: 'Collections and views that are left out; wins over collections.' }),
  queries: z.record(z.string(), query, { error: QUERIES_WANTED }).optional().meta({ description: 'Only documents that fit, by database.collection, each a query in extended JSON.' }),
  users: yesOrNo().optional().meta({ description: 'Keep users and roles, with hashes of passwords: of the whole server, or of the databases that are named. By default with `databases: all` alone.' }),
  oplog: oneOf(['auto', 'required', 'none']).default('auto').meta({ description: 'What happens on a replica set while all of it is read, so that a replay makes it of one moment. auto: where that is possible; required: else the run fails.' }),
  'minimum-size': byteSize.optional().meta({ description: 'Less than this of all collections together fails the run.' }),
  parallel: wholeNumber(1, 16).default(4).meta({ description: 'Collections that are read at once.' }),
}, 'a mongodb source').superRefine(({ user, password, uri }, context) => {
  if (password !== undefined && user === undefined) context.addIssue({ code: 'custom', path: ['user'], message: 'a user, because there is a password' });
  if (user !== undefined && password === undefined && typeof uri === 'string' && !/[?&]authMechanism=(MONGODB-X509|MONGODB-AWS|GSSAPI|MONGODB-OIDC)/.test(uri)) context.addIssue({ code: 'custom', path: ['password'], message: 'a reference to a password, because there is a user' });
});

export type MongodbFields = z.output<typeof mongodbSource>;

function isObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
