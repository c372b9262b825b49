import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresSource } from '../../../lib/sources/postgres.ts';
import type { OpenStream } from '../../../lib/sources/source.ts';
import { freePort } from '../../support/servers/servers.ts';
import { OLDER_MAJOR, postgresBinaries, startBothPostgres, startPostgres, stopBothPostgres } from '../../support/servers/postgres.ts';
import type { BothPostgres } from '../../support/servers/postgres.ts';
import { shellProgram } from '../../support/shell-program.ts';
import { leftBehindIn } from '../left-behind.ts';
import { failure, onlyStream, readToEnd } from '../reading.ts';
import { descendants, dumpWhole, readSome, sourceFor } from './dumps.ts';

const READER = 'p@ss:wörd\\with|traps';
let folder: string;
let servers: BothPostgres;

beforeAll(async () => {
  servers = await startBothPostgres();
  for (const server of Object.values(servers)) {
    await server.sql(`create table big as select i, repeat(md5(i::text), 30) as filler from generate_series(1, 20000) i; create table "Ställe" (id int); create table skipped as select 'skipped-row' as word`);
    await server.sql(`create role reader login password '${READER}'; grant select on big to reader`);
  }
});
afterAll(() => stopBothPostgres(servers));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-dump-'));
});
// Whatever happened: nothing with a password stays.
afterEach(() => {
  expect(leftBehindIn(folder)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

describe.each([15, 18] as const)('a PostgreSQL %i source (S1)', (version) => {
  it('streams one archive in custom format and says why it is whole', async () => {
    const { name, proof, bytes } = await dumpWhole(sourceFor(servers[version], folder));
    expect(name).toBe('postgres.dump');
    expect(proof).toEqual({
      bytes: bytes.length,
      evidence: [`server ${await versionOf(version)}`, expect.stringMatching(/^pg_dump \d+\.\d+ exit code 0$/), expect.stringMatching(/^pg_restore \d+\.\d+ read the archive to its end, exit code 0$/), 'rows of 3 tables counted in the same snapshot'],
      versions: { 'extension plpgsql': '1.0' },
      tables: [{ schema: 'public', table: 'Ställe', rows: 0 }, { schema: 'public', table: 'big', rows: 20_000 }, { schema: 'public', table: 'skipped', rows: 1 }],
    });
    expect(bytes.subarray(0, 5).toString()).toBe('PGDMP');
    // Uncompressed: deduplication needs to see equal rows as equal bytes.
    expect(bytes.includes('skipped-row')).toBe(true);
    const listed = spawnSync(join(servers[version].binaries, 'pg_restore'), ['--list'], { input: bytes, encoding: 'utf8' });
    expect(listed.stdout).toContain('TABLE DATA public Ställe');
  });

  it('leaves out excluded tables', async () => {
    const { bytes } = await dumpWhole(sourceFor(servers[version], folder, { excludeTables: ['skip*'] }));
    expect(bytes.includes('skipped-row')).toBe(false);
    expect(bytes.includes('big')).toBe(true);
  });

  it.each([
    ['a wrong password', { password: 'not-the-password' }, 'source-failed', /does not let user holdfast in with the password that was given/],
    ['a user that is not there', { user: 'nobody-here' }, 'source-failed', /does not let user nobody-here in/],
    ['an unknown database', { database: 'missing' }, 'source-failed', /has no database missing/],
    ['an unknown host', { host: 'no-such-host.invalid' }, 'source-failed', /The host no-such-host.invalid is not known/],
    ['encryption that the server lacks', { sslMode: 'require' }, 'source-failed', /could not be encrypted as ssl-mode require wants it/],
    ['a line break in the password', { password: 'one\ntwo' }, 'config-invalid', /of more than one line, wanted one line/],
    ['a host with a line break', { host: 'db\npassword=x' }, 'config-invalid', /wanted text without control characters/],
  ] as const)('refuses %s before anything runs', async (_what, connection, code, message) => {
    const source = sourceFor(servers[version], folder, { connection });
    const error = await failure(source.check());
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), nextStep: expect.any(String) });
    expect(`${error.message} ${error.nextStep} ${String(error.cause)}`).not.toMatch(/not-the-password|7f3a/);
    expect(await failure(dumpWhole(source))).toMatchObject({ code, message: error.message });
  });

  it('says that a password is wanted when none is given, and takes it from a pgpass file', async () => {
    const { host, port, user, password } = servers[version];
    const environment = { PATH: process.env['PATH'], HOME: folder, PGPASSWORD: 'of another server' };
    const source = () => sourceFor(servers[version], folder, { connection: { password: undefined as never }, environment });
    expect(await failure(source().check())).toMatchObject({ message: expect.stringMatching(/wants a password for user holdfast, and none was given/) });
    writeFileSync(join(folder, '.pgpass'), `${host}:${port}:*:${user}:${password.replace(/[\\:]/g, '\\$&')}\n`, { mode: 0o600 });
    await source().check();
    expect((await dumpWhole(source())).proof.bytes).toBeGreaterThan(1_000_000);
  });

  it('says that a server cannot be reached', async () => {
    const source = sourceFor(servers[version], folder, { connection: { port: await freePort() } });
    expect(await failure(source.check())).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/cannot be reached: connection refused\.$/) });
  });

  it('says what a user may not read', async () => {
    const source = sourceFor(servers[version], folder, { connection: { user: 'reader', password: READER } });
    await source.check();
    const error = await failure(dumpWhole(source));
    expect(error).toMatchObject({ code: 'permission', message: expect.stringMatching(/reader may not read everything.*permission denied for table/), nextStep: expect.stringMatching(/pg_read_all_data/) });
    const without = sourceFor(servers[version], folder, { connection: { user: 'reader', password: READER }, excludeTables: ['skipped', '"Ställe"'] });
    expect((await dumpWhole(without)).proof.evidence).toHaveLength(4);
  });

  it('says that row level security would leave rows out', async () => {
    await servers[version].sql("create role walled login password 'walled'");
    await servers[version].sql('create database walled_db');
    await servers[version].sql('create table secret as select 1 as i; grant select on secret to walled; alter table secret enable row level security', { database: 'walled_db' });
    const source = sourceFor(servers[version], folder, { connection: { user: 'walled', password: 'walled', database: 'walled_db' } });
    expect(await failure(dumpWhole(source))).toMatchObject({ code: 'permission', message: expect.stringMatching(/Row level security hides rows/), nextStep: expect.stringMatching(/BYPASSRLS/) });
  });

  it('removes the password that a killed process left behind', async () => {
    const left = join(folder, 'scratch-00-0-1-1-killed');
    mkdirSync(left);
    writeFileSync(join(left, 'pgpass'), 'secret');
    await sourceFor(servers[version], folder).check();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('fails a dump that is smaller than it may be', async () => {
    expect(await failure(dumpWhole(sourceFor(servers[version], folder, { minimumBytes: 1e9 })))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/has \d+ bytes, wanted at least 1000000000/) });
  });

  it.each([
    ['pg_dump', /^pg_dump was killed by SIGKILL after \d+ bytes of database postgres at/],
    ['pg_restore', /^pg_restore, which reads every byte of the dump to prove it whole, was killed by SIGKILL/],
    ['tee', /^tee, .* was killed by SIGKILL/],
  ])('fails when %s is killed half way', async (name, message) => {
    const error = await failureMidway(sourceFor(servers[version], folder), () => {
      const victims = descendants().filter((one) => one.name === name);
      expect(victims).toHaveLength(1);
      for (const { pid } of victims) process.kill(pid, 'SIGKILL');
    });
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message), nextStep: expect.stringMatching(/Nothing of this run is kept/) });
  });

  it('fails when the server ends the connection half way', async () => {
    const error = await failureMidway(sourceFor(servers[version], folder), async () => {
      expect(await servers[version].sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holdfast' or application_name = 'pg_dump'")).toHaveLength(1);
    });
    expect(error).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/connection to database postgres at .* broke: .*terminating connection|broke: .*closed the connection/) });
  });

  it('fails when its output is cut although every program is content: the archive itself is read', async () => {
    const binaries = join(folder, 'bin');
    mkdirSync(binaries);
    const real = servers[version].binaries;
    for (const name of ['pg_restore', 'psql']) shellProgram(join(binaries, name), `exec ${real}/${name} "$@"`);
    shellProgram(join(binaries, 'pg_dump'), `case "$1" in --version) exec ${real}/pg_dump --version;; esac; ${real}/pg_dump "$@" | head -c 5000000; exit 0`);
    expect(await failure(dumpWhole(sourceFor(servers[version], folder, { binaries })))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/^pg_restore, which reads every byte .* ended with exit code 1 after 5000000 bytes.*end of file/) });
  });

  it('shows the password to no other process, neither in arguments nor in environments', async () => {
    const stream = await onlyStream(sourceFor(servers[version], folder, { environment: { ...process.env, PGPASSWORD: servers[version].password } }));
    const opened = await stream.open();
    try {
      await readSome(opened.fd);
      const seen = descendants().filter(({ name }) => ['pg_dump', 'pg_restore', 'tee'].includes(name));
      expect(seen.map(({ name }) => name).sort()).toEqual(['pg_dump', 'pg_restore', 'tee']);
      expect(seen.map(({ argumentsAndEnvironment }) => argumentsAndEnvironment).join('')).toContain('PGSERVICEFILE');
      for (const { argumentsAndEnvironment } of seen) expect(argumentsAndEnvironment).not.toMatch(/7f3a|PGPASSWORD|user=| -U/);
    } finally {
      await opened.close();
    }
  });

  it('stops when it is told to, and leaves no process behind', async () => {
    const stop = new AbortController();
    const opened = await (await onlyStream(sourceFor(servers[version], folder), stop.signal)).open();
    try {
      await readSome(opened.fd);
      stop.abort();
      expect(await failure(opened.finish(await readToEnd(opened)))).toMatchObject({ code: 'interrupted' });
    } finally {
      await opened.close();
    }
    expect(descendants().filter(({ name }) => ['pg_dump', 'pg_restore', 'tee'].includes(name))).toEqual([]);
  });

  async function versionOf(major: 15 | 18): Promise<string> {
    const [row] = await servers[major].sql<{ server_version: string }>('show server_version');
    return (row?.server_version ?? '').split(' ')[0] as string;
  }
});

describe('versions', () => {
  it('a server newer than the client is refused before anything runs', async () => {
    const source = sourceFor(servers[18], folder, { binaries: postgresBinaries(15) });
    expect(await failure(source.check())).toMatchObject({
      code: 'source-failed',
      message: expect.stringMatching(new RegExp(`is PostgreSQL 18\\.\\d+, and .*pg_dump is ${OLDER_MAJOR}\\.\\d+: pg_dump refuses servers newer than itself`)),
      nextStep: expect.stringMatching(/postgresql-client-18/),
    });
  });

  it('a newer client reads an older server', async () => {
    const { proof } = await dumpWhole(sourceFor(servers[15], folder, { binaries: postgresBinaries(18) }));
    expect(proof.evidence.slice(0, 3)).toEqual([expect.stringMatching(new RegExp(`^server ${OLDER_MAJOR}`)), expect.stringMatching(/^pg_dump 18/), expect.stringMatching(/^pg_restore 18/)]);
  });

  it('a missing client is named, with what to install', async () => {
    const source = sourceFor(servers[15], folder, { binaries: undefined, environment: { PATH: folder } });
    expect(await failure(source.check())).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/pg_dump is not in PATH/), nextStep: expect.stringMatching(/postgresql-client/) });
  });
});

describe('a server', () => {
  it('that crashes half way fails the dump, and the next one works', async () => {
    const own = await startPostgres({ version: 15 });
    try {
      await own.sql('create table big as select i, repeat(md5(i::text), 30) as filler from generate_series(1, 20000) i');
      const error = await failureMidway(sourceFor(own, folder), () => own.crash());
      expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/broke: .*(closed the connection unexpectedly|terminating connection)/) });
      expect(await failure(sourceFor(own, folder).check())).toMatchObject({ message: expect.stringMatching(/cannot be reached/) });
    } finally {
      await own.stop();
    }
  });
});

/** The dump is under way: every pipe is full, and pg_dump waits. */
async function failureMidway(source: PostgresSource, disaster: (opened: OpenStream) => unknown) {
  const opened = await (await onlyStream(source)).open();
  try {
    await readSome(opened.fd);
    await disaster(opened);
    return await failure(opened.finish(await readToEnd(opened)));
  } finally {
    await opened.close();
  }
}
