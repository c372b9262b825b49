import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startMariadb } from '../support/servers/mariadb.ts';
import type { MariadbServer } from '../support/servers/mariadb.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import type { PostgresServer } from '../support/servers/postgres.ts';
import { shellProgram } from '../support/shell-program.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { sourceContract } from '../contract/source.ts';
import { sourceFor as mariadbSource } from './mariadb/desk.ts';
import { sourceFor as postgresSource } from './postgres/dumps.ts';

const [temporary, wrapped] = [temporaryFolder(), temporaryFolder()];
const FILLED = 'create table t (id int primary key, filler text)';
let postgres: PostgresServer;
let mariadb: MariadbServer;
beforeAll(async () => {
  [postgres, mariadb] = await Promise.all([startPostgres({ version: 15 }), startMariadb()]);
  await Promise.all([
    postgres.sql(`${FILLED}; insert into t select i, repeat(md5(i::text), 30) from generate_series(1, 5000) i`),
    mariadb.sql(`create database app; use app; ${FILLED}; insert into t select seq, repeat(md5(seq), 30) from seq_1_to_5000`),
  ]);
}, 60_000);
afterAll(() => Promise.all([postgres, mariadb].map((server) => server?.stop())));

/** Folder with the real programs, of which the one that dumps ends badly after some bytes. */
function cutting(name: string, binaries: string, others: readonly string[]): string {
  const folder = join(wrapped, name);
  mkdirSync(folder, { recursive: true });
  for (const other of others) shellProgram(join(folder, other), `exec ${binaries}/${other} "$@"`);
  shellProgram(join(folder, name), `case "$*" in *--version*) exec ${binaries}/${name} --version;; esac; ${binaries}/${name} "$@" | head -c 1000000; exit 5`);
  return folder;
}

sourceContract('postgres', () => ({
  temporaryFolder: temporary,
  secrets: [postgres.password],
  state: () => postgres.sql("select count(*), (select string_agg(relname, ',') from pg_class where relkind = 'r') from t"),
  good: () => postgresSource(postgres, temporary),
  failing: () => postgresSource(postgres, temporary, { binaries: cutting('pg_dump', postgres.binaries, ['pg_restore', 'psql']) }),
  refused: () => postgresSource(postgres, temporary, { connection: { database: 'none' } }),
}));

sourceContract('mariadb', () => ({
  temporaryFolder: temporary,
  secrets: [mariadb.password],
  state: () => mariadb.sql('checksum table app.t; show databases; show tables from app'),
  good: () => mariadbSource(mariadb, temporary),
  failing: () => mariadbSource(mariadb, temporary, { binaries: cutting('mariadb-dump', '/usr/bin', ['mariadb']) }),
  refused: () => mariadbSource(mariadb, temporary, { databases: ['none'] }),
}));
