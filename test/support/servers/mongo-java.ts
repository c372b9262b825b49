import { connect } from 'node:net';
import { MongoClient } from 'mongodb';
import { freePort, installed, startServer } from './servers.ts';
import type { RunningServer } from './servers.ts';

export interface MongoStandIn extends RunningServer {
  readonly uri: string;
  readonly client: MongoClient;
  /** As if the power went. */
  kill(): void;
}

/** mongo-java-server, everything in memory. It keeps decimals and every index as MongoDB does; it knows no user, session, capped collection or view. */
export async function startMongoStandIn({ oplog = false }: { readonly oplog?: boolean } = {}): Promise<MongoStandIn> {
  const port = await freePort();
  const uri = `mongodb://127.0.0.1:${port}`;
  const server = await startServer(
    'java', ['-XX:-UsePerfData', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${installed('mongo-java')}:${installed('mongo-java', 'lib')}/*`, 'StandIn', String(port), ...(oplog ? ['oplog'] : [])],
    { port, isUp: () => canConnect(port) },
  );
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 5000, promoteValues: false });
  await client.connect();
  return {
    ...server, uri, client,
    kill: () => void process.kill(server.pid, 'SIGKILL'),
    stop: async () => {
      await client.close();
      await server.stop();
    },
  };
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
