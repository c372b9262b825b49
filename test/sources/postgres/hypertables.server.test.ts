import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromText } from '../../../lib/model/byte-string.ts';
import { systemClock } from '../../../lib/model/clock.ts';
import { backupContent } from '../../../lib/recovery/backup-content.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import { CommandSource } from '../../../lib/sources/command.ts';
import { PostgresLoader } from '../../../lib/sources/postgres/loader.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { postgresBinaries } from '../../support/servers/postgres.ts';
import { startTimescale } from '../../support/servers/timescale-pglite.ts';
import type { TimescaleServer } from '../../support/servers/timescale-pglite.ts';

const BINARIES = postgresBinaries(18);
let folder: string;
let reader: SnapshotReader;
let archive: Buffer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-hypertables-'));
  const source = await startTimescale();
  try {
    await source.sql('create extension timescaledb; create table m (t timestamptz not null, v float)');
    await source.sql("select create_hypertable('m', 't', chunk_time_interval => interval '1 day'); insert into m select '2026-01-01'::timestamptz + i * interval '1 hour', i from generate_series(1, 200) i");
    const { host, port, user, password, database } = source.connection;
    const command = [join(BINARIES, 'pg_dump'), '-Fc', '--compress=0', '--rows-per-insert=10000', '-h', host, '-p', String(port), '-U', user, database];
    const environment = { ...process.env, PGPASSWORD: password };
    const repository = testRepository(new MemoryStore(systemClock));
    const { manifest } = await backUp(repository, new CommandSource({ command, name: fromText('metrics.dump'), minimumBytes: 1, environment, temporaryFolder: folder, clock: systemClock }));
    reader = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
    for await (const file of backupContent(reader).files('')) archive = Buffer.concat(await Array.fromAsync(file.read()));
  } finally {
    await source.stop();
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a hypertable is a hypertable after the restore, with its chunks, and goes on making new ones (S1)', async () => {
  const target = await startTimescale();
  try {
    const { signal } = new AbortController();
    const loader = new PostgresLoader({ connection: target.connection, binaries: BINARIES, environment: process.env, temporaryFolder: folder, scratchFolder: folder, clock: systemClock });
    const [report] = await executeDatabaseRestore(await planDatabaseRestore(reader, loader, { wanted: { mode: 'empty' }, signal }), { clock: systemClock, signal });
    expect(report?.warnings).toEqual(['the backup does not say which version of TimescaleDB it is of: it must be the one of this server']);
    expect(await chunksOf(target)).toEqual({ rows: 200, chunks: 9 });
    await target.sql("set search_path = public; insert into m values ('2027-01-01', 1)");
    expect(await chunksOf(target)).toEqual({ rows: 201, chunks: 10 });
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    await target.stop();
  }
}, 60_000);

it('without the calls before and after the same archive ends well, has every row, and is no hypertable: so the test above can fail', async () => {
  const target = await startTimescale();
  try {
    const { host, port, user, password, database } = target.connection;
    await target.sql('create extension timescaledb');
    const { status, stderr } = spawnSync(join(BINARIES, 'pg_restore'), ['-h', host, '-p', String(port), '-U', user, '-d', database], { input: archive, env: { ...process.env, PGPASSWORD: password }, encoding: 'utf8' });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    await expect(chunksOf(target)).rejects.toThrow(/is not a hypertable/);
  } finally {
    await target.stop();
  }
}, 60_000);

async function chunksOf(server: TimescaleServer) {
  const [row] = await server.sql<{ rows: number; chunks: number }>("set search_path = public; select (select count(*)::int from m) as rows, (select count(*)::int from show_chunks('m')) as chunks");
  return row;
}
