import type { MongoClient } from 'mongodb';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesAt } from './attributes.ts';
import { collectionBody, opened, textBody } from './mongodb/bodies.ts';
import type { BodyContext } from './mongodb/bodies.ts';
import { openClient, serverName, withClient } from './mongodb/connection.ts';
import type { MongoConnection } from './mongodb/connection.ts';
import { parseExtendedJson } from './mongodb/extended-json.ts';
import type { BsonMap } from './mongodb/extended-json.ts';
import { chosenCollections, documentsName } from './mongodb/listing.ts';
import type { CollectionChoice, ListedCollection } from './mongodb/listing.ts';
import { metadataJson } from './mongodb/metadata.ts';
import { documentsEntry, metadataEntry } from './mongodb/names.ts';
import { topologyOf } from './mongodb/topology.ts';
import type { Topology } from './mongodb/topology.ts';
import type { BodySource, SourceBody } from './source.ts';

export interface MongodbOptions extends CollectionChoice {
  readonly connection: MongoConnection;
  /** Extended JSON by `database.collection`: only documents that fit are kept. */
  readonly queries: Readonly<Record<string, string>>;
  /** Collections that are read at once. */
  readonly parallel: number;
  readonly clock: Clock;
}

/**
 * Databases of MongoDB through the official driver (S3), as mongodump lays them out: each collection as
 * `<database>/<collection>.bson` and `.metadata.json`, documents as raw BSON that nothing here decodes.
 */
export class MongodbSource implements BodySource {
  readonly shape = 'bodies';
  readonly type = 'mongodb';
  readonly parallel: number;
  readonly description: string;
  readonly #options: MongodbOptions;

  constructor(options: MongodbOptions) {
    this.#options = options;
    this.parallel = options.parallel;
    const { databases, connection } = options;
    this.description = `${databases === 'all' ? 'all databases' : `databases ${databases.join(', ')}`} at ${serverName(connection)}`;
  }

  async check(): Promise<void> {
    await withClient(this.#options.connection, undefined, (client) => this.#choose(client));
  }

  async *bodies(signal: AbortSignal): AsyncGenerator<SourceBody, void> {
    const { connection } = this.#options;
    const client = await openClient(connection, signal);
    const context: BodyContext = { client, connection, signal, open: new Set() };
    try {
      const { collections, queries, topology } = await this.#choose(client);
      const facts = factsOf(topology);
      for (const one of collections) {
        const attributes = attributesAt(this.#options.clock.now());
        yield { name: metadataEntry(one.database, one.name), attributes, open: () => opened(context, () => textBody(context, () => metadataJson(client, one), facts)) };
        if (one.type !== 'view') yield { name: documentsEntry(one.database, documentsName(one)), attributes, open: () => opened(context, () => collectionBody(context, one, { query: queries.get(`${one.database}.${one.name}`), version: topology.version })) };
      }
      // The client is needed until the last of them is read.
      while (context.open.size > 0) await Promise.race(context.open);
    } finally {
      await client.close(true);
    }
  }

  /** Asks for everything that a run needs to know first, so that a wrong name or a missing right fails before anything is stored. */
  async #choose(client: MongoClient): Promise<{ readonly collections: readonly ListedCollection[]; readonly queries: ReadonlyMap<string, BsonMap>; readonly topology: Topology }> {
    const topology = await topologyOf(client);
    const collections = await chosenCollections(client, this.#options);
    const names = new Set(collections.map(({ database, name }) => `${database}.${name}`));
    const queries = new Map(Object.entries(this.#options.queries).map(([name, text]) => {
      if (!names.has(name)) throw new HoldfastError('config-invalid', `There is a query for ${name}, and no such collection is kept.`, { nextStep: 'Write the name as database.collection, and look that it is among those that are kept.' });
      return [name, parseExtendedJson(text, `The query for ${name}`)];
    }));
    return { collections, queries, topology };
  }
}

const CONSISTENCY = {
  standalone: 'each collection as it was while it was read: no replica set, no oplog',
  'sharded cluster': 'each collection as it was while it was read: a sharded cluster has no one oplog',
  'replica set': 'each collection as it was while it was read: its oplog was not kept',
} as const;

function factsOf({ kind, set, version }: Topology): Readonly<Record<string, string>> {
  return { 'mongodb-server': version, 'mongodb-topology': set === undefined ? kind : `${kind} ${set}`, 'mongodb-consistency': CONSISTENCY[kind] };
}
