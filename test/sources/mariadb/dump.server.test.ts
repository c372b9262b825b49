import { mkdtempSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MariadbSource } from '../../../lib/sources/mariadb.ts';
import { backUp, heldBy, objectNames, testRepository } from '../../support/run-backup.ts';
import { startCuttingProxy } from '../../support/servers/cutting-proxy.ts';
import { startHandshakeServer } from '../../support/servers/handshake.ts';
import { startMariadb } from '../../support/servers/mariadb.ts';
import type { MariadbServer } from '../../support/servers/mariadb.ts';
import { freePort } from '../../support/servers/servers.ts';
import { descendants } from '../postgres/dumps.ts';
import { shellProgram } from '../../support/shell-program.ts';
import { leftBehindIn } from '../left-behind.ts';
import { failure, onlyStream, readToEnd } from '../reading.ts';
import { dumpWhole, readPast, sourceFor } from './desk.ts';

let server: MariadbServer;
let folder: string;
beforeAll(async () => {
  server = await startMariadb({ settings: ['--log-bin=log', '--server-id=1'] });
  await server.sql(`
    create database app; use app;
    create table big (id int primary key, filler text);
    insert into big select seq, concat(sha2(seq, 512), sha2(seq + 0.1, 512), sha2(seq + 0.2, 512), sha2(seq + 0.3, 512), sha2(seq + 0.4, 512), sha2(seq + 0.5, 512), sha2(seq + 0.6, 512)) from seq_1_to_8000;
    create table skipped (word text); insert into skipped values ('skipped-row');
    create view seen as select id from big;
    create database \`a/b%c\`; create table \`a/b%c\`.t (i int); insert into \`a/b%c\`.t values (1);
    create user reader@'%' identified by 'reader-pw'; grant select, show view, trigger, event on app.* to reader@'%'; grant select on mysql.proc to reader@'%';
    create user half@'%' identified by 'half-pw'; grant select on app.big to half@'%'; grant select on mysql.proc to half@'%'`);
}, 60_000);
afterAll(() => server?.stop());
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'holdfast-sql-'))));
// Whatever happened: nothing with a password stays.
afterEach(() => {
  expect(leftBehindIn(folder)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

/** Folder with the real programs, one of them replaced by a line for the shell. */
function programs(name: string, line: string): string {
  const binaries = join(folder, 'bin');
  mkdirSync(binaries);
  for (const real of ['mariadb', 'mariadb-dump']) if (real !== name) symlinkSync(`/usr/bin/${real}`, join(binaries, real));
  shellProgram(join(binaries, name), line);
  return binaries;
}

describe('a MariaDB source (S11)', () => {
  it('streams each database as one entry and says why it is whole', async () => {
    const dumps = await dumpWhole(sourceFor(server, folder, { databases: 'all' }));
    expect(dumps.map(({ name }) => name)).toEqual(['a%2Fb%25c.sql', 'app.sql']);
    for (const { proof, seen } of dumps) {
      expect(proof).toEqual({ bytes: seen.bytes, evidence: [expect.stringMatching(/^server MariaDB 10\.11\.\d+$/), expect.stringMatching(/^mariadb-dump 10\.11\.\d+ exit code 0$/), '"-- Dump completed" seen', expect.stringMatching(/^binary log position in its head, GTID 0-1-\d+$/)], warnings: [] });
    }
  });

  it('reads everything as a user with no more than it needs, over TCP or a socket', async () => {
    const reader = { user: 'reader', password: 'reader-pw' };
    const [overTcp] = await dumpWhole(sourceFor(server, folder, { connection: reader }));
    const [overSocket] = await dumpWhole(sourceFor(server, folder, { connection: { ...reader, host: server.socket } }));
    expect(overTcp?.proof.evidence[3]).toMatch(/GTID/);
    expect(overSocket?.proof.bytes).toBeGreaterThan(7_000_000);
  });

  it('leaves out excluded tables and views', async () => {
    const repository = testRepository();
    const outcome = await backUp(repository, sourceFor(server, folder, { excludeTables: ['app.skipped', 'seen'] }));
    const text = (await heldBy(repository, outcome)).get('app.sql')?.content?.toString() ?? '';
    expect([text.includes('skipped-row'), text.includes('`seen`'), text.includes('CREATE TABLE `big`')]).toEqual([false, false, true]);
    expect(text.split('\n')[0]).toBe('-- Holdfast: database "app" character set utf8mb4 collate utf8mb4_general_ci');
  });

  it('warns once of an exclusion that nothing is called', async () => {
    const dumps = await dumpWhole(sourceFor(server, folder, { databases: ['a/b%c', 'app'], excludeTables: ['skiped', 'skip*', 'Skipped', 'app.t', 'app.skipped', 'seen', 'big'] }));
    const warning = (name: string) => expect.stringContaining(`exclude-tables names "${name}", and no table or view`) as string;
    expect(dumps.map(({ proof }) => proof.warnings)).toEqual([['skiped', 'skip*', 'Skipped', 'app.t'].map(warning), []]);
  });

  it('adds little when a little has changed, also when rows have grown (K3)', async () => {
    const repository = testRepository();
    const [first] = [await backUp(repository, sourceFor(server, folder))];
    await server.sql("update big set filler = concat('longer ', filler) where id between 2000 and 2080", 'app');
    const second = await backUp(repository, sourceFor(server, folder));
    expect(second.statistics.newBytes).toBeLessThan(first.statistics.newBytes / 6);
    const third = await backUp(repository, sourceFor(server, folder));
    expect(third.statistics.newBytes).toBeLessThan(first.statistics.newBytes / 20);
  });

  it('warns of tables that no transaction holds still', async () => {
    await server.sql('create database old; create table old.m (i int) engine=myisam; create table old.a (i int) engine=aria; create table old.i (i int)');
    const [dump] = await dumpWhole(sourceFor(server, folder, { databases: ['old'] }));
    expect(dump?.proof.warnings).toEqual([expect.stringMatching(/^tables of old that no transaction holds still.*: a \(Aria\), m \(MyISAM\)$/)]);
    await server.sql('drop database old');
  });

  it.each([
    ['a wrong password', { password: 'not-the-password' }, 'source-failed', /does not let user holdfast in with the password that was given/],
    ['a user that is not there', { user: 'nobody-here' }, 'source-failed', /does not let user nobody-here in/],
    ['an unknown host', { host: 'no-such-host.invalid' }, 'source-failed', /The host no-such-host.invalid is not known/],
    ['encryption that the server lacks', { sslMode: 'require' }, 'source-failed', /could not be encrypted as ssl-mode require|is not encrypted, wanted ssl-mode require/],
    ['a line break in the password', { password: 'one\ntwo' }, 'config-invalid', /of more than one line, wanted one line/],
  ] as const)('refuses %s before anything is dumped', async (_what, connection, code, message) => {
    const error = await failure(sourceFor(server, folder, { connection }).check());
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), nextStep: expect.any(String) });
    expect(`${error.message} ${error.nextStep} ${String(error.cause)}`).not.toMatch(/not-the-password|9e2c/);
  });

  it('refuses a database that is not there, and a server that cannot be reached', async () => {
    expect(await failure(sourceFor(server, folder, { databases: ['app', 'missing'] }).check())).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/has no database missing/) });
    expect(await failure(sourceFor(server, folder, { connection: { port: await freePort() } }).check())).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/cannot be reached/) });
  });

  it('refuses a user who does not see everything, and names the statement that lets him', async () => {
    const error = await failure(sourceFor(server, folder, { connection: { user: 'half', password: 'half-pw' } }).check());
    expect(error).toMatchObject({ code: 'permission', message: expect.stringMatching(/half@% lacks .*SELECT \(tables that it may not read would be left out\); SHOW VIEW.*TRIGGER.*EVENT/), nextStep: expect.stringMatching(/GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `app`\.\* TO 'half'@'%';/) });
    await server.sql(/: (GRANT .*)$/.exec(error.nextStep ?? '')?.[1] ?? '');
    await sourceFor(server, folder, { connection: { user: 'half', password: 'half-pw' } }).check();
  });

  it('takes all databases only as a user who is known to see all, and names the statement that lets him', async () => {
    const all = sourceFor(server, folder, { databases: 'all', connection: { user: 'reader', password: 'reader-pw' } });
    for (const ask of [() => all.check(), () => dumpWhole(all)]) {
      expect(await failure(ask())).toMatchObject({
        code: 'permission', message: expect.stringMatching(/reader@% may not see every database at .*wanted SHOW DATABASES or SELECT on \*\.\*.*It sees app; others would be left out/),
        nextStep: expect.stringMatching(/GRANT SHOW DATABASES, SELECT, SHOW VIEW, TRIGGER, EVENT ON \*\.\* TO 'reader'@'%'; Or name the databases in the plan \(databases: \[app\]\)/),
      });
    }
    await server.sql("create user every@'%' identified by 'every-pw'; grant show databases, select, show view, trigger, event on *.* to every@'%'");
    expect((await dumpWhole(sourceFor(server, folder, { databases: 'all', connection: { user: 'every', password: 'every-pw' } }))).map(({ name }) => name)).toEqual(['a%2Fb%25c.sql', 'app.sql']);
    // Every name is seen, and what may not be read is refused by its name.
    await server.sql("grant show databases on *.* to reader@'%'");
    expect(await failure(all.check())).toMatchObject({ code: 'permission', message: expect.stringMatching(/reader@% lacks what a whole dump of database a\/b%c/) });
    await server.sql("revoke show databases on *.* from reader@'%'");
  });

  it.each([
    ['a MySQL server newer than MariaDB’s programs are trusted with', '9.9.9', 'mariadb', /is MySQL 9\.9\.9, and the client programs are MariaDB 10\.11\.\d+, which are trusted with MySQL up to 8\.4\. Nothing was started/],
    ['a newer MariaDB server', '5.5.5-12.3.1-MariaDB', 'mariadb', /is MariaDB 12\.3\.1, and the client programs are MariaDB 10\.11\.\d+: an older client/],
    ['a MySQL server newer than MySQL’s programs', '8.4.2', 'mysql', /is MySQL 8\.4\.2, and the client programs are MySQL 8\.0\.36: an older client/],
  ] as const)('refuses %s before anything is dumped', async (_what, version, type, message) => {
    const old = await startHandshakeServer(version.replace('5.5.5-', ''));
    const binaries = type === 'mysql' ? join(folder, 'bin') : undefined;
    if (binaries !== undefined) {
      mkdirSync(binaries);
      for (const [name, real] of [['mysql', 'mariadb'], ['mysqldump', 'mariadb-dump']]) shellProgram(join(binaries, name as string), `case "$*" in *--version*) echo "${name}  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)"; exit;; esac; exec /usr/bin/${real} "$@"`);
    }
    try {
      const source = new MariadbSource({ type, databases: ['app'], connection: { host: '127.0.0.1', port: old.port, user: 'backup', password: 'x' }, excludeTables: [], minimumBytes: 0, binaries, environment: process.env, temporaryFolder: folder, clock: { now: Date.now, sleep: async () => undefined } });
      for (const ask of [() => source.check(), () => dumpWhole(source)]) expect(await failure(ask())).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message), nextStep: expect.stringMatching(/Install the client programs of M/) });
      expect(old.asked.filter((statement) => /show (tables|create)|information_schema/i.test(statement))).toEqual([]);
    } finally {
      await old.stop();
    }
  });
});

describe('a dump (S11)', () => {
  const killDump = () => {
    const victims = descendants().filter(({ name }) => name === 'mariadb-dump');
    expect(victims).toHaveLength(1);
    for (const { pid } of victims) process.kill(pid, 'SIGKILL');
  };

  it('because the program is killed never becomes one', async () => {
    expect(await failure(dumpWhole(sourceFor(server, folder), killDump))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/^mariadb-dump was killed by SIGKILL after \d+ bytes/) });
  });

  it('because the server ends the connection never becomes one, with the words of the server', async () => {
    const end = () => server.sql("select concat('kill ', id) from information_schema.processlist where user = 'holdfast'").then(async (rows) => server.sql(rows.map(([line]) => `${line};`).join(' ')));
    const error = await failure(dumpWhole(sourceFor(server, folder), end));
    expect(error).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/broke: .*(Lost connection|killed|gone away)/i) });
  });

  it('because a table is altered meanwhile never becomes one', async () => {
    const stream = await onlyStream(sourceFor(server, folder));
    const opened = await stream.open();
    try {
      await readPast(opened.fd, 1_000_000);
      // The program waits for its reader in the first table.
      await server.sql('alter table skipped modify word varchar(500) character set latin1', 'app');
      expect(await failure(opened.finish(await readToEnd(opened)))).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/was altered while it was dumped.*skipped/) });
    } finally {
      await opened.close();
    }
  });

  it('because of a statement that takes long is one all the same: the program lifts that limit for itself', async () => {
    await server.sql("create user slow@'%' identified by 'slow-pw' with max_statement_time 0.01; grant all on *.* to slow@'%'");
    expect(await dumpWhole(sourceFor(server, folder, { connection: { user: 'slow', password: 'slow-pw' } }))).toHaveLength(1);
  });

  it.each([
    ['has a non-zero exit after complete output', '/usr/bin/mariadb-dump "$@"; echo "disk quota" >&2; exit 3', /ended with exit code 3 after \d+ bytes, wanted 0.*It said: disk quota/],
    ['has a zero exit after cut output', '/usr/bin/mariadb-dump "$@" | head -c 3000000; exit 0', /wrote 3\d+ bytes that do not end with "-- Dump completed": the dump was cut/],
    ['stops in the middle of its last line', '/usr/bin/mariadb-dump "$@" | head -c -3; exit 0', /do not end with/],
    ['goes on after its end mark', '/usr/bin/mariadb-dump "$@"; echo "select 1;"; exit 0', /do not end with/],
    ['shows the password', '/usr/bin/mariadb-dump "$@"; grep password "${1#--defaults-file=}" >&2; exit 4', /exit code 4.*\*\*\*/],
  ])('because its program %s never becomes one', async (_what, line, message) => {
    const binaries = programs('mariadb-dump', `case "$*" in *--version*) exec /usr/bin/mariadb-dump --version;; esac; ${line}`);
    const repository = testRepository();
    const error = await failure(backUp(repository, sourceFor(server, folder, { binaries })));
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message) });
    expect(error.message).not.toContain('9e2c');
    expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
  });

  it('because it is smaller than it may be never becomes one', async () => {
    expect(await failure(dumpWhole(sourceFor(server, folder, { minimumBytes: 1e9 })))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/wrote \d+ bytes, wanted at least 1000000000/) });
  });

  // HOLDFAST_LONG_DUMPS=30: as many places as somebody has time for.
  it('because the connection is cut at any byte never becomes one', async () => {
    const places = Number(process.env['HOLDFAST_LONG_DUMPS'] ?? 4);
    for (let place = 0; place < places; place++) {
      // The checks before the dump take about 3 kB of answers; the dump has 8 MB.
      const proxy = await startCuttingProxy(server.port, Math.floor(20_000 + ((place + Math.random()) * 7_000_000) / places));
      try {
        const error = await failure(dumpWhole(sourceFor(server, folder, { connection: { port: proxy.port } })));
        expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/Lost connection|broke/) });
        expect(proxy.cuts()).toBe(1);
      } finally {
        await proxy.stop();
      }
    }
  });

  it('because the server dies never becomes one', async () => {
    const own = await startMariadb();
    try {
      await own.sql('create database app; create table app.big (id int primary key, filler text); use app; insert into big select seq, repeat(md5(seq), 30) from seq_1_to_8000');
      const error = await failure(dumpWhole(sourceFor(own, folder), () => own.kill()));
      expect(error).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/broke: .*(Lost connection|gone away)/) });
    } finally {
      await own.stop();
    }
  });
});
