import { HoldfastError } from '../../model/errors.ts';
import type { SearchClient } from './client.ts';
import { placeOf } from './connection.ts';

/** Words in which the two families differ. */
export interface Dialect {
  readonly product: 'Elasticsearch' | 'OpenSearch';
  /** The first version that reads from a point in time. */
  readonly oldest: readonly [major: number, minor: number];
  /** Opens a point in time of an index; the name is encoded already. */
  readonly openPath: (index: string) => string;
  /** Refuses one that lacks a shard, which OpenSearch takes otherwise; empty where none can lack one, and a word for it is not known. */
  readonly wholeQuery: (version: string) => string;
  readonly pitOf: (answer: { readonly id?: string; readonly pit_id?: string }) => string | undefined;
  readonly closePath: string;
  readonly closeBody: (pit: string) => unknown;
}

const ELASTICSEARCH: Dialect = {
  product: 'Elasticsearch', oldest: [7, 12],
  openPath: (index) => `/${index}/_pit`, wholeQuery: (version) => (isAtLeast(version, [8, 16]) ? '&allow_partial_search_results=false' : ''), pitOf: ({ id }) => id,
  closePath: '/_pit', closeBody: (id) => ({ id }),
};
const OPENSEARCH: Dialect = {
  product: 'OpenSearch', oldest: [2, 4],
  openPath: (index) => `/${index}/_search/point_in_time`, wholeQuery: () => '&allow_partial_pit_creation=false', pitOf: ({ pit_id: id }) => id,
  closePath: '/_search/point_in_time', closeBody: (id) => ({ pit_id: [id] }),
};

export interface SearchServer {
  readonly dialect: Dialect;
  readonly version: string;
  readonly cluster: string;
}

export function isAtLeast(version: string, [wanted, wantedMinor]: readonly [major: number, minor: number]): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > wanted || (major === wanted && minor >= wantedMinor);
}

export function inWords({ dialect, version }: SearchServer): string {
  return `${dialect.product} ${version}`;
}

/** Which of the two it is. Fails as `source-failed`, `permission`; as `unsupported` when it is too old. */
export async function serverOf(client: SearchClient, signal: AbortSignal): Promise<SearchServer> {
  const server = (await byRoot(client, signal)) ?? (await byNodes(client, signal));
  if (server === undefined) throw new HoldfastError('source-failed', `What answers at ${placeOf(client.connection)} is neither Elasticsearch nor OpenSearch.`, { nextStep: 'Check the endpoint.' });
  if (isAtLeast(server.version, server.dialect.oldest) || isInDisguise(server)) return server;
  throw new HoldfastError('unsupported', `The cluster at ${placeOf(client.connection)} is ${inWords(server)}, wanted ${server.dialect.oldest.join('.')} or newer: older ones have no points in time, so that documents written during the backup could be missing or be in it twice.`, { nextStep: 'Update the cluster, or back up the files of a snapshot repository.' });
}

async function byRoot(client: SearchClient, signal: AbortSignal): Promise<SearchServer | undefined> {
  // Some builds and proxies have no root.
  const call = { method: 'GET', path: '/', accepts: [404, 405] } as const;
  const { status, body } = await client.ask(call, signal);
  if (status !== 200) return undefined;
  const { cluster_name: cluster = '', version } = client.parsed<{ readonly cluster_name?: string; readonly version?: { readonly number?: string; readonly distribution?: string } }>(body, call);
  if (version?.number === undefined) return undefined;
  return { dialect: version.distribution === 'opensearch' ? OPENSEARCH : ELASTICSEARCH, version: version.number, cluster };
}

async function byNodes(client: SearchClient, signal: AbortSignal): Promise<SearchServer | undefined> {
  const { cluster_name: cluster = '', nodes = {} } = await client.json<{ readonly cluster_name?: string; readonly nodes?: Readonly<Record<string, { readonly version?: string; readonly build_flavor?: string }>> }>({ method: 'GET', path: '/_nodes?filter_path=cluster_name,nodes.*.version,nodes.*.build_flavor' }, signal);
  const [node] = Object.values(nodes);
  if (node?.version === undefined) return undefined;
  return { dialect: node.build_flavor === undefined ? OPENSEARCH : ELASTICSEARCH, version: node.version, cluster };
}

/** OpenSearch can call itself 7.10.2 for the sake of old clients (`compatibility.override_main_response_version`). */
function isInDisguise({ dialect, version }: SearchServer): boolean {
  return dialect === OPENSEARCH && version === '7.10.2';
}
