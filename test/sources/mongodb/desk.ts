import type { MongoClient } from 'mongodb';
import { systemClock } from '../../../lib/model/clock.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { Repository } from '../../../lib/repository/index.ts';
import type { LoadRequest } from '../../../lib/sources/database-loader.ts';
import { MongodbSource } from '../../../lib/sources/mongodb.ts';
import type { MongodbOptions } from '../../../lib/sources/mongodb.ts';
import { MongodbLoader } from '../../../lib/sources/mongodb/loader.ts';
import { listCollections } from '../../../lib/sources/mongodb/listing.ts';
import { metadataJson } from '../../../lib/sources/mongodb/metadata.ts';
import { backUp, objectNames, testRepository } from '../../support/run-backup.ts';
import type { TestBackup } from '../../support/run-backup.ts';
import { threadInProcess } from '../../support/thread-in-process.ts';
import { failure } from '../reading.ts';

export function sourceFor(uri: string, changes: Partial<MongodbOptions> = {}): MongodbSource {
  return new MongodbSource({ connection: { uri }, databases: 'all', collections: [], exclude: [], queries: {}, users: false, oplog: 'auto', parallel: 4, clock: systemClock, ...changes });
}

export async function backedUp(source: MongodbSource, ports: TestBackup['ports'] = {}) {
  const repository = testRepository();
  const outcome = await backUp(repository, source, { ports });
  const { manifest } = outcome;
  return { repository, outcome, reader: await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup)) };
}

/** Without the time that threads take to start; for a few kilobytes. */
export const QUICK: TestBackup['ports'] = { startThread: (settings) => threadInProcess(settings) };

/** A run that must fail, and the backups that it left. */
export async function backedUpTo(repository: Repository, source: MongodbSource, signal = new AbortController().signal) {
  const error = await failure(backUp(repository, source, { ports: { ...QUICK, signal } }));
  return { error, snapshots: await objectNames(repository.store, 'snapshots/') };
}

export async function restoreInto(reader: SnapshotReader, place: { readonly uri: string; readonly database?: string }, wanted: Partial<LoadRequest> = {}, signal = new AbortController().signal) {
  const loader = new MongodbLoader({ connection: { uri: place.uri }, database: place.database ?? '' });
  const plan = await planDatabaseRestore(reader, loader, { wanted: { mode: 'empty', ...wanted }, signal });
  const reports = await executeDatabaseRestore(plan, { clock: systemClock, signal });
  for (const load of plan.loads) expect(await load.missingTables(signal)).toEqual([]);
  return { plan, reports };
}

/** Every collection of a database: what it is, and its documents byte by byte. */
export async function contentOf(client: MongoClient, database: string): Promise<Record<string, { readonly metadata: string; readonly documents: readonly string[] }>> {
  const listed = await listCollections(client.db(database));
  return Object.fromEntries(await Promise.all(listed.map(async (one) => {
    const raw = (await client.db(database).collection(one.name).find({}, { raw: true, batchSize: 100 }).toArray()) as unknown as Buffer[];
    return [one.name, { metadata: await metadataJson(client, one), documents: raw.map((document) => (document.length > 100_000 ? `${document.length} bytes, ${document.subarray(100).equals(Buffer.alloc(0))}` : document.toString('hex'))).sort() }];
  })));
}
