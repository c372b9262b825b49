import { display } from '../../model/byte-string.ts';
import type { ContentFile, DatabaseLoad, LoadRequest } from '../database-loader.ts';
import { listed } from './choose-indices.ts';
import type { SearchClient } from './client.ts';
import { CLUSTER_KINDS } from './cluster-definitions.ts';
import { placeOf } from './connection.ts';
import { elementsOf, membersOf, parsed, slice } from './json-spans.ts';
import { inWords } from './server.ts';
import type { SearchServer } from './server.ts';

interface Definition {
  /** `/_index_template/logs`. */
  readonly path: string;
  /** As the backup has it. */
  readonly body: string;
}

interface ClusterPorts {
  readonly client: SearchClient;
  readonly server: SearchServer;
  readonly wanted: LoadRequest;
  readonly signal: AbortSignal;
  readonly withClient: <T>(work: (client: SearchClient) => Promise<T>) => Promise<T>;
}

/** Where templates of one kind stand in the answer of the cluster: a list with names in it, or a map of names. */
const LISTS: Readonly<Record<string, string>> = { component_templates: 'component_template', index_templates: 'index_template' };
/** The cluster writes these by itself and refuses to be told them. */
const WRITTEN_BY_SERVER = ['created_date', 'created_date_millis', 'modified_date', 'modified_date_millis'];

/** Templates and pipelines of the backup that the cluster lacks; none: no load. What it has stays as it is, unless `clean`. */
export async function clusterLoad(file: ContentFile, { client, server, wanted, signal, withClient }: ClusterPorts): Promise<DatabaseLoad[]> {
  const all = definitionsIn(Buffer.concat(await Array.fromAsync(file.read(), (part) => Buffer.from(part))));
  const there: string[] = [];
  for (const { path } of all) if ((await client.ask({ method: 'GET', path, accepts: [404] }, signal)).status === 200) there.push(path);
  const wantedOnes = wanted.mode === 'clean' ? all : all.filter(({ path }) => !there.includes(path));
  if (wantedOnes.length === 0) return [];
  const place = `the templates and pipelines of ${placeOf(client.connection)}`;
  const kept = wanted.mode === 'clean' ? [] : there;
  return [{
    mode: wanted.mode, description: place, place, into: place, entry: display(file.path), bytes: file.bytes,
    archive: { server: 'its cluster', dumpedBy: 'Holdfast', database: `${wantedOnes.length} templates and pipelines` }, client: 'Holdfast', server: inWords(server),
    existing: { objects: wanted.mode === 'clean' ? there.length : 0, tables: there },
    warnings: kept.length === 0 ? [] : [`the cluster has these already, and they stay as they are: ${listed(kept, 20)}`],
    perform: (options) => withClient(async (own) => {
      for (const { path, body } of wantedOnes) await own.ask({ method: 'PUT', path, body }, options.signal);
      options.onBytes?.(file.bytes);
      return { bytes: file.bytes, tables: [], warnings: [] };
    }),
    missingTables: (later) => withClient(async (own) => {
      const missing: string[] = [];
      for (const { path } of wantedOnes) if ((await own.ask({ method: 'GET', path, accepts: [404] }, later)).status === 404) missing.push(path);
      return missing;
    }),
  }];
}

/** In the order in which they may name each other; without those that the product brings itself. */
function definitionsIn(text: Buffer): Definition[] {
  const members = membersOf(text);
  return CLUSTER_KINDS.flatMap(({ key, path }) => {
    const kind = members.get(key);
    if (kind === undefined) return [];
    const inner = LISTS[key];
    const named = inner === undefined ? [...membersOf(text, kind.from)] : elementsOf(text, membersOf(text, kind.from).get(key)?.from).map(({ from }) => {
      const element = membersOf(text, from);
      return [parsed<string>(text, element.get('name') ?? { from, to: from }), element.get(inner) ?? { from, to: from }] as const;
    });
    return named.filter(([name, { from }]) => !name.startsWith('.') && !isManaged(text, from)).map(([name, { from }]) => ({ path: `${path}/${encodeURIComponent(name)}`, body: settable(text, from) }));
  });
}

function isManaged(text: Buffer, at: number): boolean {
  const meta = membersOf(text, at).get('_meta');
  return meta !== undefined && (parsed<{ readonly managed?: boolean } | null>(text, meta)?.managed ?? false);
}

function settable(text: Buffer, at: number): string {
  const members = [...membersOf(text, at)].filter(([name]) => !WRITTEN_BY_SERVER.includes(name));
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${slice(text, value).toString('utf8')}`).join(',')}}`;
}
