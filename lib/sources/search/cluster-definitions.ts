import type { SearchClient } from './client.ts';

/** Kinds of definitions that belong to no index; the key is the one in `cluster.json`. */
export const CLUSTER_KINDS = [
  { key: 'component_templates', path: '/_component_template' },
  { key: 'index_templates', path: '/_index_template' },
  { key: 'legacy_templates', path: '/_template' },
  { key: 'pipelines', path: '/_ingest/pipeline' },
] as const;

/** One JSON object: the answers of the cluster, each as it came. */
export async function* clusterDefinitions(client: SearchClient, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (const [index, { key, path }] of CLUSTER_KINDS.entries()) {
    // Where there is none, some versions say 404.
    const { status, body } = await client.ask({ method: 'GET', path, accepts: [404] }, signal);
    yield Buffer.concat([Buffer.from(`${index === 0 ? '{' : ',\n'}"${key}":`), status === 404 ? Buffer.from('{}') : body]);
  }
  yield Buffer.from('}\n');
}
