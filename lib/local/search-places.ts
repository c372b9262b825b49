import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ResolvedSearch } from '../config/search-schema.ts';
import { HoldfastError } from '../model/errors.ts';
import type { SearchConnection } from '../sources/search/connection.ts';
import type { Environment } from './places.ts';
import { secretReader } from './secret-reader.ts';

/** Secrets are read now, and stay in this process. Fails as `missing-key`, `config-invalid`. */
export async function searchConnectionOf({ endpoint, user, password, apiKey, caFile }: ResolvedSearch, environment: Environment): Promise<SearchConnection> {
  const read = secretReader(environment);
  return {
    endpoint,
    ...(user !== undefined && { user: typeof user === 'string' ? user : await read(user) }),
    ...(password !== undefined && { password: await read(password) }),
    ...(apiKey !== undefined && { apiKey: await read(apiKey) }),
    ...(caFile !== undefined && { ca: authorities(caFile) }),
  };
}

export const SEARCH_URL = 'https://USER@HOST:9200/NAME (or http://; without NAME each index under its own, with "*" for it in NAME), with ?ca-file=PATH if need be';

export interface SearchPlace {
  readonly connection: Omit<SearchConnection, 'password' | 'apiKey'>;
  /** Empty: each index under its own name. */
  readonly rename: string;
}

/** A cluster as the command line names it. Fails as `usage`. */
export function parseSearchUrl(text: string, { workingFolder }: Pick<Environment, 'workingFolder'>): SearchPlace {
  const url = new URL(text);
  const rename = decodeURIComponent(url.pathname.slice(1));
  const isUnknown = [...url.searchParams.keys()].some((key) => key !== 'ca-file');
  if (url.hostname === '' || rename.includes('/') || isUnknown || url.hash !== '') throw new HoldfastError('usage', `--to-database is ${JSON.stringify(text)}, wanted ${SEARCH_URL}.`, { nextStep: 'The password comes from --password-file or HOLDFAST_DATABASE_PASSWORD; without USER it is an API key.' });
  const [user, caFile] = [decodeURIComponent(url.username), url.searchParams.get('ca-file')];
  return { rename, connection: { endpoint: `${url.protocol}//${url.host}`, ...(user !== '' && { user }), ...(caFile !== null && { ca: authorities(resolve(workingFolder, caFile)) }) } };
}

function authorities(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('config-invalid', `The file of authorities ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { nextStep: 'Correct `ca-file`.', cause });
  }
}
