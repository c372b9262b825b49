import type { Document, MongoClient } from 'mongodb';

/** What a server says of itself. */
export interface Topology {
  readonly kind: 'standalone' | 'replica set' | 'sharded cluster';
  /** Name of the replica set. */
  readonly set?: string;
  /** Changes with every election; undefined where there is none. */
  readonly election?: string;
  /** `mongod` as it calls itself: `8.0.4`. */
  readonly version: string;
  readonly maxWriteBatch: number;
}

const LEAST_WRITE_BATCH = 1000;

/** `isMaster` is what every server knows, under whatever newer name, too. */
export async function topologyOf(client: MongoClient): Promise<Topology> {
  const admin = client.db('admin');
  const hello: Document = await admin.command({ isMaster: 1 }, { promoteValues: true });
  const { version } = await admin.command({ buildInfo: 1 }, { promoteValues: true });
  const { setName, me, electionId, maxWriteBatchSize } = hello;
  return {
    kind: hello['msg'] === 'isdbgrid' ? 'sharded cluster' : typeof setName === 'string' ? 'replica set' : 'standalone',
    ...(typeof setName === 'string' && { set: setName, election: `${String(me)} ${String(electionId)}` }),
    version: String(version),
    maxWriteBatch: typeof maxWriteBatchSize === 'number' ? maxWriteBatchSize : LEAST_WRITE_BATCH,
  };
}
