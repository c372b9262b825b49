import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { attributesAt } from './attributes.ts';
import { openPumped } from './pumped-stream.ts';
import { chooseIndices, listed } from './search/choose-indices.ts';
import type { ChosenIndices, IndexChoice } from './search/choose-indices.ts';
import { SearchClient } from './search/client.ts';
import { clusterDefinitions } from './search/cluster-definitions.ts';
import { placeOf } from './search/connection.ts';
import type { SearchConnection } from './search/connection.ts';
import { DocumentReader } from './search/documents.ts';
import { CLUSTER_ENTRY, definitionEntry, documentsEntry } from './search/entry-names.ts';
import { openPointInTime, tryIndices } from './search/point-in-time.ts';
import type { PointInTime } from './search/point-in-time.ts';
import { inWords, serverOf } from './search/server.ts';
import type { SearchServer } from './search/server.ts';
import type { SourceStream, StreamProof, StreamSource } from './source.ts';

export type SearchSourceType = 'elasticsearch' | 'opensearch';

export interface SearchOptions extends IndexChoice {
  readonly type: SearchSourceType;
  readonly connection: SearchConnection;
  /** Keep templates and ingest pipelines, too. */
  readonly isWithTemplates: boolean;
  /** For pipes; never for data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

interface Session {
  readonly client: SearchClient;
  readonly server: SearchServer;
  readonly chosen: ChosenIndices;
}

/**
 * Indices of an Elasticsearch or OpenSearch cluster: of each its definition and its documents, as they were at one moment
 * (S10). Two indices are not of the same moment.
 */
export class SearchSource implements StreamSource {
  readonly shape = 'streams';
  readonly type: SearchSourceType;
  readonly description: string;
  readonly #options: SearchOptions;

  constructor(options: SearchOptions) {
    const { type, indices, connection } = options;
    this.#options = options;
    this.type = type;
    this.description = `${indices.length === 1 && indices[0] === '*' ? 'all indices' : `indices ${indices.join(', ')}`} at ${placeOf(connection)}`;
  }

  /** Connects, finds the indices, and looks whether each could be read. */
  async check(): Promise<void> {
    const { signal } = new AbortController();
    const client = this.#client();
    try {
      const session = await this.#session(client, signal);
      if (this.#options.isWithTemplates) await Array.fromAsync(clusterDefinitions(client, signal));
      await tryIndices(session.chosen.names, { ...session, signal });
    } finally {
      client.close();
    }
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    const client = this.#client();
    try {
      const session = await this.#session(client, signal);
      if (this.#options.isWithTemplates) yield this.#cluster(session, signal);
      for (const name of session.chosen.names) {
        const pit = await openPointInTime(name, { ...session, signal });
        try {
          yield this.#definition(session, pit, signal);
          yield this.#documents(session, pit, signal);
        } finally {
          await pit.close();
        }
      }
    } finally {
      client.close();
    }
  }

  #cluster({ client, server, chosen }: Session, signal: AbortSignal): SourceStream {
    return this.#stream(CLUSTER_ENTRY, `templates and pipelines at ${placeOf(client.connection)}`, signal, {
      bytes: () => clusterDefinitions(client, signal),
      proof: () => ({ evidence: [`server ${inWords(server)}`, ...leftOut(chosen)], warnings: lost(chosen) }),
    });
  }

  #definition({ client, server, chosen }: Session, pit: PointInTime, signal: AbortSignal): SourceStream {
    const isFirst = !this.#options.isWithTemplates && pit.index === chosen.names[0];
    return this.#stream(definitionEntry(pit.index), `the definition of index ${pit.index} at ${placeOf(client.connection)}`, signal, {
      bytes: async function* () {
        yield Buffer.concat([pit.definition, Buffer.from('\n')]);
      },
      proof: () => ({ evidence: [`server ${inWords(server)}`, ...(isFirst ? leftOut(chosen) : [])], ...(isFirst && { warnings: lost(chosen) }) }),
    });
  }

  #documents({ client, server }: Session, pit: PointInTime, signal: AbortSignal): SourceStream {
    const place = placeOf(client.connection);
    let reader: DocumentReader | undefined;
    return this.#stream(documentsEntry(pit.index), `the documents of index ${pit.index} at ${place}`, signal, {
      bytes: () => (reader = new DocumentReader(client, pit, signal)).lines(),
      proof: () => ({
        evidence: [`server ${inWords(server)}`, `${pit.total} documents counted at one point in time, ${reader?.count} read`],
        tables: [{ schema: server.cluster, table: pit.index, rows: pit.total }],
        versions: { [server.dialect.product.toLowerCase()]: server.version },
      }),
    });
  }

  #stream(name: string, what: string, signal: AbortSignal, { bytes, proof }: { readonly bytes: () => AsyncIterable<Buffer>; readonly proof: () => Omit<StreamProof, 'bytes'> }): SourceStream {
    const { temporaryFolder, clock } = this.#options;
    return { name: fromText(name), attributes: attributesAt(clock.now()), open: () => openPumped(bytes(), { temporaryFolder, signal, what, prove: (seen) => ({ bytes: seen, ...proof() }) }) };
  }

  #client(): SearchClient {
    return new SearchClient({ connection: this.#options.connection, role: 'source' }, this.#options.clock);
  }

  async #session(client: SearchClient, signal: AbortSignal): Promise<Session> {
    const server = await serverOf(client, signal);
    return { client, server, chosen: await chooseIndices(client, this.#options, signal) };
  }
}

function leftOut({ hidden }: ChosenIndices): string[] {
  return hidden.length === 0 ? [] : [`left out, because hidden or of the system: ${listed(hidden, 20)}`];
}

/** What somebody may have meant to be in it. */
function lost({ closed, dataStreams }: ChosenIndices): string[] {
  return [
    ...(closed.length === 0 ? [] : [`closed indices cannot be read and are not in the backup: ${listed(closed, 20)}`]),
    ...(dataStreams.length === 0 ? [] : [`data streams are not in the backup, unless \`indices\` names the hidden indices behind them (\`.ds-…\`): ${listed(dataStreams, 20)}`]),
  ];
}
