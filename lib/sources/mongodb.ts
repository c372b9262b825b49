import type { MongoClient } from 'mongodb';
import { fromText } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesAt } from './attributes.ts';
import { CONSISTENCY, accountsBody, collectionBody, opened, oplogBody, textBody } from './mongodb/bodies.ts';
import type { BodyContext } from './mongodb/bodies.ts';
import { closeClient, failingAs, openClient, serverName, withClient } from './mongodb/connection.ts';
import type { MongoConnection } from './mongodb/connection.ts';
import { parseExtendedJson } from './mongodb/extended-json.ts';
import type { BsonMap } from './mongodb/extended-json.ts';
import { ACCOUNTS, chosenCollections, documentsName } from './mongodb/listing.ts';
import type { CollectionChoice, ListedCollection } from './mongodb/listing.ts';
import { metadataJson } from './mongodb/metadata.ts';
import { documentsEntry, metadataEntry } from './mongodb/names.ts';
import { oplogStart, refuseForgotten } from './mongodb/oplog.ts';
import { topologyOf } from './mongodb/topology.ts';
import type { Topology } from './mongodb/topology.ts';
import type { BodySource, OpenBody, SourceBody } from './source.ts';

export interface MongodbOptions extends CollectionChoice {
  readonly connection: MongoConnection;
  /** Extended JSON by `database.collection`: only documents that fit are kept. */
  readonly queries: Readonly<Record<string, string>>;
  /** Collections that are read at once. */
  readonly parallel: number;
  /** Less than this in all fails the run. */
  readonly minimumBytes?: number | undefined;
  /** `auto`: where all of a replica set is kept. `required`: a run that cannot have it fails. */
  readonly oplog: 'auto' | 'required' | 'none';
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
  readonly minimumBytes: number | undefined;
  readonly #options: MongodbOptions;

  constructor(options: MongodbOptions) {
    this.#options = options;
    this.parallel = options.parallel;
    this.minimumBytes = options.minimumBytes;
    const { databases, connection } = options;
    this.description = `${databases === 'all' ? 'all databases' : `databases ${databases.join(', ')}`} at ${serverName(connection)}`;
  }

  async check(): Promise<void> {
    await withClient(this.#options.connection, undefined, async (client) => {
      const { topology } = await this.#choose(client);
      if (this.#oplogWay(client, topology) === 'kept') await refuseForgotten(client, await oplogStart(client));
    });
  }

  async *bodies(signal: AbortSignal): AsyncGenerator<SourceBody, void> {
    const { connection } = this.#options;
    const client = await openClient(connection, signal);
    const context: BodyContext = { client, connection, signal, open: new Set() };
    try {
      const chosen = await failingAs(connection, () => this.#choose(client), signal);
      const way = this.#oplogWay(client, chosen.topology);
      const start = way === 'kept' ? await failingAs(connection, () => oplogStart(client), signal) : undefined;
      yield* this.#collections(context, chosen, factsOf(chosen.topology, way));
      yield* this.#accounts(context);
      // The oplog reaches to the moment at which the last of them was read, and the client is needed until then.
      while (context.open.size > 0) await Promise.race(context.open);
      if (start !== undefined) yield this.#body(OPLOG, context, () => oplogBody(context, start, chosen.topology));
      while (context.open.size > 0) await Promise.race(context.open);
    } finally {
      await closeClient(client);
    }
  }

  *#collections(context: BodyContext, { collections, queries, topology }: Chosen, facts: Readonly<Record<string, string>>): Generator<SourceBody> {
    for (const [index, one] of collections.entries()) {
      // What is true of all of them is said once, with the first.
      yield this.#body(metadataEntry(one.database, one.name), context, () => textBody(context, () => metadataJson(context.client, one), index === 0 ? facts : {}));
      if (one.type === 'view') continue;
      yield this.#body(documentsEntry(one.database, documentsName(one)), context, () => collectionBody(context, one, { query: queries.get(`${one.database}.${one.name}`), version: topology.version }));
    }
  }

  /** Users and roles of single databases; those of the server are collections of the database admin. */
  *#accounts(context: BodyContext): Generator<SourceBody> {
    const { users, databases } = this.#options;
    if (!users || databases === 'all') return;
    for (const database of databases) {
      for (const name of ACCOUNTS) yield this.#body(fromText(`${database}/$admin.${name}.bson`), context, () => accountsBody(context, name, name === 'system.version' ? {} : { db: database }));
    }
  }

  #body(name: ByteString, context: BodyContext, open: () => Promise<OpenBody>): SourceBody {
    return { name, attributes: attributesAt(this.#options.clock.now()), open: () => opened(context, open) };
  }

  /** Asks for everything that a run needs to know first, so that a wrong name or a missing right fails before anything is stored. */
  async #choose(client: MongoClient): Promise<Chosen> {
    const topology = await topologyOf(client);
    const collections = await chosenCollections(client, this.#options);
    const names = new Set(collections.map(({ database, name }) => `${database}.${name}`));
    const queries = new Map(Object.entries(this.#options.queries).map(([name, text]) => {
      if (!names.has(name)) throw new HoldfastError('config-invalid', `There is a query for ${name}, and no such collection is kept.`, { nextStep: 'Write the name as database.collection, and look that it is among those that are kept.' });
      return [name, parseExtendedJson(text, `The query for ${name}`)];
    }));
    return { collections, queries, topology };
  }

  /** Whether an oplog makes one moment of all, or why not. Members of a set lag behind each other: all has to come from one. */
  #oplogWay(client: MongoClient, { kind }: Topology): OplogWay {
    const { oplog, databases, collections, exclude, queries } = this.#options;
    const isWhole = databases === 'all' && collections.length === 0 && exclude.length === 0 && Object.keys(queries).length === 0;
    const isOneMember = client.options.readPreference.mode === 'primary' || client.options.directConnection;
    const way = kind === 'standalone' ? 'no-oplog' : kind === 'sharded cluster' ? 'many-oplogs' : oplog === 'none' ? 'unwanted' : !isWhole ? 'in-part' : !isOneMember ? 'many-members' : 'kept';
    if (oplog !== 'required' || way === 'kept') return way;
    throw new HoldfastError('config-invalid', `The plan wants the oplog, and ${WHY_NOT[way]}.`, { nextStep: 'Keep all databases of a replica set, read from its primary or with directConnection=true; or set `oplog: auto`.' });
  }
}

interface Chosen {
  readonly collections: readonly ListedCollection[];
  readonly queries: ReadonlyMap<string, BsonMap>;
  readonly topology: Topology;
}

const OPLOG = fromText('oplog.bson');

type OplogWay = 'kept' | keyof typeof WHY_NOT;
const WHY_NOT = {
  'no-oplog': 'the server is no replica set and has no oplog',
  'many-oplogs': 'a sharded cluster has an oplog for each shard and none for all',
  unwanted: 'its oplog was not wanted',
  'in-part': 'the oplog is kept with all databases and collections only, because it speaks of all of them',
  'many-members': 'reads go to several members (readPreference), which lag behind each other',
} as const;

function factsOf({ kind, set, version }: Topology, way: OplogWay): Readonly<Record<string, string>> {
  return {
    'mongodb-server': version, 'mongodb-topology': set === undefined ? kind : `${kind} ${set}`,
    ...(way !== 'kept' && { [CONSISTENCY]: `each collection as it was while it was read: ${WHY_NOT[way]}` }),
  };
}
