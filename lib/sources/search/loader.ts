import { display } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile, DatabaseLoad, DatabaseLoader, LoadRequest, LoadedDatabase, LoadOptions } from '../database-loader.ts';
import { listed, matches } from './choose-indices.ts';
import { SearchClient } from './client.ts';
import { clusterLoad } from './cluster-restore.ts';
import { placeOf } from './connection.ts';
import type { SearchConnection } from './connection.ts';
import { CLUSTER_ENTRY, indexOfEntry } from './entry-names.ts';
import { membersOf, parsed } from './json-spans.ts';
import { loadIndex } from './load-index.ts';
import { splitSettings } from './restored-settings.ts';
import type { FlatSettings } from './restored-settings.ts';
import { inWords, serverOf } from './server.ts';
import type { SearchServer } from './server.ts';

export interface SearchLoaderOptions {
  readonly connection: SearchConnection;
  /** Name of the restored index, `*` for the one that it had: `restored-*`. Empty: each under its own name. */
  readonly rename: string;
  readonly clock: Clock;
}

interface IndexFiles {
  readonly index: string;
  readonly definition: ContentFile;
  readonly documents: ContentFile;
}

const JOBS = 2;

/** Restores indices into an Elasticsearch or OpenSearch cluster by `_bulk`, also from one into the other (R1). */
export class SearchLoader implements DatabaseLoader {
  readonly kind = 'elasticsearch';
  readonly description: string;
  readonly #options: SearchLoaderOptions;

  constructor(options: SearchLoaderOptions) {
    this.#options = options;
    this.description = `indices${options.rename === '' ? '' : ` as ${options.rename}`} at ${placeOf(options.connection)}`;
  }

  async plan(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad[]> {
    refuseWishes(wanted);
    const { indices, cluster } = await filesOf(content, wanted);
    const { rename } = this.#options;
    if (indices.length > 1 && rename !== '' && !rename.includes('*')) throw new HoldfastError('usage', `${indices.length} indices would all be called ${rename} (${listed(indices.map(({ index }) => index))}). Nothing was done.`, { nextStep: `Name one (its entry, or --table NAME), or put a "*" for the old name into the new one: ${rename}-*.` });
    return this.#withServer(signal, async (client, server) => {
      const loads: DatabaseLoad[] = [];
      // Templates and pipelines belong to the cluster, not to an index that somebody chose or renamed.
      if (cluster !== undefined && rename === '') loads.push(...(await clusterLoad(cluster, { client, server, wanted, signal, withClient: (work) => this.#withClient(work) })));
      for (const files of indices) loads.push(await this.#planIndex(files, { client, server, content, wanted, signal }));
      return loads;
    });
  }

  async #planIndex(files: IndexFiles, { client, server, content, wanted, signal }: { readonly client: SearchClient; readonly server: SearchServer; readonly content: BackupContent; readonly wanted: LoadRequest; readonly signal: AbortSignal }): Promise<DatabaseLoad> {
    const { rename, connection } = this.#options;
    const name = rename === '' ? files.index : rename.replaceAll('*', files.index);
    const definition = await wholeOf(files.definition);
    const evidence = content.evidenceOf(display(files.documents.path));
    const [family, version] = Object.entries(evidence?.versions ?? {})[0] ?? ['unknown', ''];
    const existing = await refuseTarget(name, wanted, client, signal);
    const { settings, aliases } = partsOf(definition);
    const isRenamed = name !== files.index;
    const place = `${name} at ${placeOf(connection)}`;
    const { dropped } = splitSettings(settings, server.dialect);
    return {
      mode: wanted.mode, description: `index ${place}`, place: `index ${place}`, entry: display(files.documents.path), bytes: files.documents.bytes,
      ...(existing === undefined && { into: `the new index ${place}` }),
      archive: { server: `${family} ${version}`.trim(), dumpedBy: 'Holdfast', database: files.index }, client: 'Holdfast', server: inWords(server),
      existing: existing === undefined ? { objects: 0, tables: [] } : { objects: 1, tables: [`index ${name} with ${existing} documents`] },
      warnings: [
        ...(isRenamed && aliases.length > 0 ? [`aliases of ${files.index} are not set on ${name}, because who asks them would find documents twice: ${listed(aliases)}`] : []),
        ...(dropped.length > 0 ? [`settings of ${files.index} that name nodes are not set: ${listed(dropped)}`] : []),
      ],
      perform: (options) => this.#perform({ files, name, definition, expected: evidence?.tables?.[0]?.rows, isWithAliases: !isRenamed, isReplacing: existing !== undefined, jobs: wanted.jobs ?? JOBS }, options),
      missingTables: (later) => this.#withClient(async (own) => ((await documentsIn(name, own, later)) === undefined ? [name] : [])),
    };
  }

  #perform({ files, name, ...load }: { readonly files: IndexFiles; readonly name: string; readonly definition: Buffer; readonly expected: number | undefined; readonly isWithAliases: boolean; readonly isReplacing: boolean; readonly jobs: number }, options: LoadOptions): Promise<LoadedDatabase> {
    return this.#withServer(options.signal, async (client, server) => {
      const rows = await loadIndex({ ...load, index: name, documents: () => files.documents.read() }, { client, server, clock: this.#options.clock, options });
      return { bytes: files.documents.bytes, tables: [{ schema: server.cluster, table: name, rows }], warnings: [] };
    });
  }

  #withServer<T>(signal: AbortSignal, work: (client: SearchClient, server: SearchServer) => Promise<T>): Promise<T> {
    return this.#withClient(async (client) => work(client, await serverOf(client, signal)));
  }

  async #withClient<T>(work: (client: SearchClient) => Promise<T>): Promise<T> {
    const client = new SearchClient({ connection: this.#options.connection, role: 'target' }, this.#options.clock);
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }
}

function refuseWishes({ schemas, isWithoutOwners }: LoadRequest): void {
  const refused = schemas !== undefined && schemas.length > 0 ? '--schema: an index has none (--table chooses indices)' : isWithoutOwners === true ? '--no-owner: nobody owns an index' : undefined;
  if (refused !== undefined) throw new HoldfastError('usage', `A restore into Elasticsearch or OpenSearch does not know ${refused}. Nothing was done.`, { nextStep: 'Leave it away.' });
}

/** Both parts of each chosen index. Fails as `not-found`, `refused`. */
async function filesOf(content: BackupContent, { entry = '', tables = [] }: LoadRequest): Promise<{ readonly indices: readonly IndexFiles[]; readonly cluster: ContentFile | undefined }> {
  const chosen = indexOfEntry(entry)?.index;
  const found = new Map<string, { definition?: ContentFile; documents?: ContentFile }>();
  let cluster: ContentFile | undefined;
  for await (const file of content.files(chosen === undefined ? entry : `indices/${chosen}`)) {
    const path = display(file.path);
    if (path === CLUSTER_ENTRY && tables.length === 0) cluster = file;
    const of = indexOfEntry(path);
    if (of === undefined || (tables.length > 0 && !tables.some((pattern) => matches(pattern, of.index)))) continue;
    found.set(of.index, { ...found.get(of.index), [of.part]: file });
  }
  const indices = [...found].map(([index, { definition, documents }]) => {
    if (definition !== undefined && documents !== undefined) return { index, definition, documents };
    throw new HoldfastError('refused', `Backup ${content.backup} has of index ${index} only its ${definition === undefined ? 'documents' : 'definition'}.`, { nextStep: 'Restore it to a directory and look at it; a source of type elasticsearch or opensearch always writes both.' });
  });
  if (indices.length > 0 || cluster !== undefined) return { indices, cluster };
  throw new HoldfastError('not-found', `Backup ${content.backup} has no index${tables.length > 0 ? ` that matches ${tables.join(', ')}` : ''}${entry === '' ? '' : ` at ${entry}`}.`, { nextStep: `\`holdfast ls ${content.backup}\` shows what it has.` });
}

async function wholeOf(file: ContentFile): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(file.read(), (part) => Buffer.from(part)));
}

function partsOf(definition: Buffer): { readonly settings: FlatSettings; readonly aliases: readonly string[] } {
  const members = membersOf(definition);
  const [settings, aliases] = [members.get('settings'), members.get('aliases')];
  return { settings: settings === undefined ? {} : parsed<FlatSettings>(definition, settings), aliases: aliases === undefined ? [] : [...membersOf(definition, aliases.from).keys()] };
}

/** Answers how many documents would go; undefined where the name is free. */
async function refuseTarget(name: string, { mode }: LoadRequest, client: SearchClient, signal: AbortSignal): Promise<number | undefined> {
  const { aliases = [], data_streams: streams = [] } = await client.json<{ readonly aliases?: readonly { readonly name: string }[]; readonly data_streams?: readonly { readonly name: string }[] }>({ method: 'GET', path: `/_resolve/index/${encodeURIComponent(name)}?expand_wildcards=all`, accepts: [404] }, signal);
  const other = [...aliases, ...streams].find((one) => one.name === name);
  if (other !== undefined) throw new HoldfastError('target-exists', `${name} is an alias or a data stream at ${placeOf(client.connection)}, wanted a free name. Nothing was done.`, { nextStep: 'Choose another name (…/NAME in --to-database).' });
  const documents = await documentsIn(name, client, signal);
  if (documents === undefined || mode === 'clean') return documents;
  throw new HoldfastError('target-exists', `The index ${name} is there already at ${placeOf(client.connection)}, with ${documents} documents. Nothing was done.`, { nextStep: 'Choose another name (…/NAME in --to-database, "*" for the old one), or replace it with --clean.', data: { index: name } });
}

async function documentsIn(name: string, client: SearchClient, signal: AbortSignal): Promise<number | undefined> {
  const call = { method: 'GET', path: `/${encodeURIComponent(name)}/_count`, accepts: [404] } as const;
  const { status, body } = await client.ask(call, signal);
  return status === 404 ? undefined : client.parsed<{ readonly count?: number }>(body, call).count;
}
