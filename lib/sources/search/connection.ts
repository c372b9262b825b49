/** How a cluster is reached. */
export interface SearchConnection {
  /** `https://search.internal:9200`, with a path where a proxy wants one; no user, no query, no slash at its end. */
  readonly endpoint: string;
  /** With `password`; instead of `apiKey`. */
  readonly user?: string;
  readonly password?: string;
  /** As Elasticsearch encodes it: base64 of `id:key`. */
  readonly apiKey?: string;
  /** PEM of the authority that signed the server's certificate. */
  readonly ca?: string;
}

/** For messages; never a secret. */
export function placeOf({ endpoint, user, apiKey }: SearchConnection): string {
  return `${endpoint}${user === undefined ? (apiKey === undefined ? '' : ' by an API key') : ` as ${user}`}`;
}

export function authorization({ user, password = '', apiKey }: SearchConnection): string | undefined {
  if (apiKey !== undefined) return `ApiKey ${apiKey}`;
  return user === undefined ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** What no message may show. */
export function secretsOf(connection: SearchConnection): string[] {
  const { password, apiKey } = connection;
  const header = authorization(connection)?.split(' ')[1];
  return [password, apiKey, header].filter((secret): secret is string => secret !== undefined && secret !== '');
}
