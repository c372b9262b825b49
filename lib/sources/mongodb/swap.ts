import type { Db, MongoClient } from 'mongodb';
import { HoldfastError } from '../../model/errors.ts';
import { refuseIfStopped } from './connection.ts';
import type { DumpedCollection } from './dumped.ts';
import { extendedJson, parseExtendedJson } from './extended-json.ts';
import { listCollections } from './listing.ts';
import type { ListedCollection } from './listing.ts';
import { createCollection } from './load-collection.ts';

interface Brought {
  readonly dumped: DumpedCollection;
  /** Where it is filled. */
  readonly aside: string;
  /** Where what had its name is meanwhile. */
  readonly old: string;
  state: 'aside' | 'there';
  isOldAside: boolean;
  /** A view that had the name: it cannot be renamed, and is made again from what it says. */
  oldView?: ListedCollection;
}

/**
 * Collections that are filled under other names and brought to their own at the end, one rename after another; what had the
 * names is kept aside until all are there. `undo` takes everything back, in whatever state it is.
 */
export class Swap {
  readonly #withClient: <T>(work: (client: MongoClient) => Promise<T>) => Promise<T>;
  readonly #database: string;
  readonly #prefix: string;
  readonly #all: Brought[] = [];

  constructor(withClient: <T>(work: (client: MongoClient) => Promise<T>) => Promise<T>, database: string, prefix: string) {
    this.#withClient = withClient;
    this.#database = database;
    this.#prefix = prefix;
  }

  isAside(name: string): boolean {
    return name.startsWith(this.#prefix) || this.#all.some(({ aside, dumped }) => aside === name && aside === dumped.collection);
  }

  /** The name to fill it under. A time series cannot be renamed and has its own at once; a view is made at the end, and only tried aside. */
  nameFor(dumped: DumpedCollection): string {
    const number = this.#all.length;
    const aside = dumped.type === 'timeseries' ? dumped.collection : `${this.#prefix}_${number}`;
    this.#all.push({ dumped, aside, old: `${this.#prefix}_old_${number}`, state: 'aside', isOldAside: false });
    return aside;
  }

  async bringIn(client: MongoClient, signal: AbortSignal): Promise<void> {
    const database = client.db(this.#database);
    const there = new Map((await listCollections(database)).map((listed) => [listed.name, listed]));
    for (const one of this.#all) {
      refuseIfStopped(signal);
      const { dumped, aside } = one;
      const before = aside === dumped.collection ? undefined : there.get(dumped.collection);
      if (before !== undefined) await this.#moveAside(client, one, before);
      if (dumped.type === 'view') {
        await database.dropCollection(aside);
        await createCollection(database, dumped.collection, dumped.options);
      } else if (aside !== dumped.collection) await this.#rename(client, aside, dumped.collection);
      one.state = 'there';
    }
  }

  /** The last step: what was there before is gone after it. */
  async dropOld(): Promise<void> {
    await this.#withClient(async (client) => {
      for (const { isOldAside, old } of this.#all) if (isOldAside) await client.db(this.#database).dropCollection(old);
    });
  }

  /** After a failure. What cannot be taken back is told with the failure. */
  async undo(failure: unknown): Promise<void> {
    const left: string[] = [];
    await this.#withClient(async (client) => {
      const database = client.db(this.#database);
      const there = new Set((await listCollections(database)).map(({ name }) => name));
      for (const one of this.#all) await this.#takeBack(client, one, there).catch(() => void left.push(one.state === 'there' ? one.dumped.collection : one.aside, ...(one.isOldAside ? [`${one.old} (was ${one.dumped.collection})`] : [])));
    }).catch(() => void left.push(...this.#all.map(({ aside }) => aside)));
    if (left.length === 0) return;
    throw new HoldfastError('target-failed', `The restore failed (${(failure as Error).message}), and what it had made in the database ${this.#database} could not be taken away again. It may still be there: ${left.join(', ')}.`, {
      nextStep: 'Rename back what was moved aside, and drop the others by hand; everything else there is as it was.', cause: failure,
    });
  }

  async #moveAside(client: MongoClient, one: Brought, before: ListedCollection): Promise<void> {
    if (before.type === 'view') {
      one.oldView = before;
      await client.db(this.#database).dropCollection(before.name);
      return;
    }
    await this.#rename(client, before.name, one.old);
    one.isOldAside = true;
  }

  async #takeBack(client: MongoClient, one: Brought, there: ReadonlySet<string>): Promise<void> {
    const database: Db = client.db(this.#database);
    const name = one.state === 'there' ? one.dumped.collection : one.aside;
    if (there.has(name)) await database.dropCollection(name);
    if (one.isOldAside && there.has(one.old)) await this.#rename(client, one.old, one.dumped.collection);
    one.isOldAside = false;
    if (one.oldView?.options !== undefined) await createCollection(database, one.oldView.name, parseExtendedJson(extendedJson(one.oldView.options), `The view ${one.oldView.name}`));
  }

  async #rename(client: MongoClient, from: string, to: string): Promise<void> {
    await client.db('admin').command({ renameCollection: `${this.#database}.${from}`, to: `${this.#database}.${to}`, writeConcern: { w: 'majority' } });
  }
}
