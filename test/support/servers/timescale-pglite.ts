import { join } from 'node:path';
import { Client } from 'pg';
import { freePort, installed, startServer } from './servers.ts';
import type { RunningServer } from './servers.ts';

export interface TimescaleServer extends RunningServer {
  readonly connection: { readonly host: string; readonly port: number; readonly user: string; readonly password: string; readonly database: string };
  sql<Row extends object = Record<string, unknown>>(text: string): Promise<Row[]>;
}

/**
 * The real TimescaleDB, in a PostgreSQL 17 that runs as WebAssembly. One backend serves all connections, so settings of one
 * are seen by the next, and COPY FROM crashes it: dumps for it are written with --rows-per-insert.
 */
export async function startTimescale(): Promise<TimescaleServer> {
  const packages = installed('timescale');
  const port = await freePort();
  const connection = { host: '127.0.0.1', port, user: 'postgres', password: 'postgres', database: 'postgres' };
  const sql = async <Row extends object>(text: string): Promise<Row[]> => {
    const client = new Client(connection);
    client.on('error', () => undefined);
    await client.connect();
    try {
      const result = await client.query(text);
      return ((Array.isArray(result) ? (result as (typeof result)[]).at(-1) : result)?.rows ?? []) as Row[];
    } finally {
      await client.end();
    }
  };
  const server = await startServer(process.execPath, [join(__dirname, 'timescale-pglite.mjs'), packages, String(port)], { port, isUp: () => sql('select 1').then(() => true) });
  return { ...server, connection, sql };
}
