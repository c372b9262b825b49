import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../lib/model/clock.ts';
import { SqliteSource } from '../../lib/sources/sqlite.ts';
import type { SqliteOptions } from '../../lib/sources/sqlite.ts';
import { makeScratch } from '../../lib/sources/scratch.ts';
import { failure, onlyStream, readToEnd } from './reading.ts';

let folder: string;
let scratch: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
  scratch = join(folder, 'state', 'scratch');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('an SQLite source (S5)', () => {
  it('copies a database that another process writes to all the while, and the copy passes integrity_check', async () => {
    // Large enough for several steps, between which the writer commits.
    const path = database('live.db', 'wal', 20_000, 'x'.repeat(2000));
    const writer = spawn(process.execPath, ['--no-warnings', '-e', WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
    try {
      let commits = 0;
      const begun = new Promise<void>((resolve) => writer.stdout.on('data', (bytes: Buffer) => void ((commits += bytes.length), resolve())));
      await begun;
      const before = commits;
      const copy = await copied(path);
      expect(commits - before).toBeGreaterThan(0);
      const rows = inspect(copy, 'SELECT count(*) AS count, sum(amount) AS sum FROM account') as { count: number; sum: number };
      // Each transaction of the writer moves an amount from one row to another: a torn copy has another sum.
      expect(rows).toEqual({ count: 20_000, sum: 2_000_000 });
      expect(inspect(copy, 'PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' });
    } finally {
      writer.kill('SIGKILL');
    }
  });

  it.each(['wal', 'delete', 'truncate'])('copies a database in journal mode %s as one file, named and owned like the original', async (mode) => {
    const path = database('shop.db', mode, 100);
    chmodSync(path, 0o640);
    utimesSync(path, 1_700_000_000, 1_700_000_000.25);
    const beside = readdirSync(folder);
    const source = sqlite(path);
    await source.check();
    const stream = await onlyStream(source);
    expect(stream).toMatchObject({ name: 'shop.db', sizeHint: statSync(path).size, attributes: { mode: 0o640, uid: statSync(path).uid, gid: statSync(path).gid, mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 250_000_000 } });
    const open = await stream.open();
    const seen = await readToEnd(open);
    expect(seen.bytes).toBe(open.size);
    expect(await open.finish(seen)).toEqual({ bytes: seen.bytes, evidence: ['integrity_check ok'] });
    await open.close();
    await open.close();
    expect(readdirSync(scratch)).toEqual([]);
    expect(readdirSync(folder).filter((name) => name !== 'state')).toEqual(beside);
  });

  it('includes what is only in the write-ahead log, and leaves that log alone', async () => {
    const path = database('shop.db', 'wal', 10);
    const other = new DatabaseSync(path);
    other.exec('INSERT INTO account (id, amount) VALUES (77, 1)');
    const log = readFileSync(`${path}-wal`);
    expect(inspect(await copied(path), 'SELECT amount FROM account WHERE id = 77')).toEqual({ amount: 1 });
    expect(readFileSync(`${path}-wal`)).toEqual(log);
    other.close();
  });

  it('follows a symbolic link to the database, with its write-ahead log', async () => {
    const path = database('shop.db', 'wal', 10);
    const other = new DatabaseSync(path);
    other.exec('INSERT INTO account (id, amount) VALUES (77, 1)');
    mkdirSync(join(folder, 'links'));
    symlinkSync(path, join(folder, 'links', 'shop.db'));
    expect(inspect(await copied(join(folder, 'links', 'shop.db')), 'SELECT amount FROM account WHERE id = 77')).toEqual({ amount: 1 });
    other.close();
  });

  it('takes an empty file for the empty database that it is, and warns', async () => {
    writeFileSync(join(folder, 'empty.db'), '');
    expect(inspect(await copied(join(folder, 'empty.db')), 'SELECT count(*) AS count FROM sqlite_schema')).toEqual({ count: 0 });
    const open = await (await onlyStream(sqlite(join(folder, 'empty.db')))).open();
    expect(await open.finish(await readToEnd(open))).toMatchObject({ warnings: ['the database is empty (0 bytes)'] });
    await open.close();
  });

  it('tells how far it is', async () => {
    const seen: string[] = [];
    const path = database('shop.db', 'wal', 40_000, 'x'.repeat(200));
    await copied(path, { onProgress: ({ phase, pages, totalPages }) => void seen.push(`${phase} ${pages <= totalPages}`) });
    expect(seen.filter((line) => line === 'copying true').length).toBeGreaterThan(1);
    expect(seen.at(-1)).toBe('checking true');
  });

  it('that is corrupt fails with what integrity_check said, and leaves no copy', async () => {
    const path = database('bad.db', 'delete', 20_000);
    const fd = openSync(path, 'r+');
    writeSync(fd, Buffer.alloc(3000, 0xaa), 0, 3000, 4096 * 20 + 1000);
    closeSync(fd);
    expect(await failure(copied(path))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/bad\.db is corrupt; integrity_check says: .*(page 21|row )/) });
    expect(readdirSync(scratch)).toEqual([]);
  });

  it.each([
    ['is text', (path: string) => writeFileSync(path, 'id,amount\n1,2\n'), /is not an SQLite database/],
    ['has a header and nothing behind', (path: string) => writeFileSync(path, 'SQLite format 3\0'), /is not an SQLite database|is corrupt/],
    ['is missing', () => undefined, /is not there \(ENOENT\)/],
    ['is a folder', (path: string) => mkdirSync(path), /is not an SQLite database/],
  ])('that %s fails in one line', async (_what, make, message) => {
    const path = join(folder, 'x.db');
    make(path);
    expect(await failure(copied(path))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message) });
    expect(existsSync(`${path}-journal`)).toBe(false);
    expect(existsSync(path)).toBe(_what !== 'is missing');
  });

  it('that is locked exclusively is waited for, then reported as busy', async () => {
    const path = database('shop.db', 'delete', 10);
    const other = new DatabaseSync(path);
    other.exec('BEGIN EXCLUSIVE');
    expect(await failure(copied(path, { busyMilliseconds: 250 }))).toMatchObject({ code: 'busy', retryable: true, message: expect.stringContaining('locked exclusively') });
    setTimeout(() => other.close(), 200);
    expect(inspect(await copied(path, { busyMilliseconds: 5000 }), 'SELECT count(*) AS count FROM account')).toEqual({ count: 10 });
  });

  it('that a killed process left in the middle of a transaction is not mended here, and the error says who can', async () => {
    const path = database('shop.db', 'delete', 1000, 'x'.repeat(100));
    const script = `const d = new (require('node:sqlite').DatabaseSync)(process.argv[1]); d.exec("PRAGMA cache_size=10; BEGIN; UPDATE account SET filling = 'y' || filling"); process.kill(process.pid, 'SIGKILL')`;
    spawnSync(process.execPath, ['--no-warnings', '-e', script, path], { env: {} });
    const before = readFileSync(path);
    expect(await failure(copied(path))).toMatchObject({ code: 'source-failed', message: expect.stringContaining('in the middle of a transaction'), nextStep: expect.stringContaining('Open it once') });
    expect(readFileSync(path)).toEqual(before);
    expect(statSync(`${path}-journal`).size).toBeGreaterThan(0);
  });

  it('that does not fit into the scratch folder is refused before anything is copied, with the bytes that it needs', async () => {
    const path = database('huge.db', 'delete', 10);
    truncateSync(path, 2 ** 43);
    expect(await failure(copied(path))).toMatchObject({ code: 'no-space', message: expect.stringContaining(`needs ${2 ** 43 + 2 ** 20} bytes`) });
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('is stopped by an abort in the middle of copying, and leaves no copy', async () => {
    const stop = new AbortController();
    const path = database('shop.db', 'wal', 40_000, 'x'.repeat(200));
    const stream = await onlyStream(sqlite(path, { onProgress: () => stop.abort() }), stop.signal);
    expect((await failure(stream.open())).code).toBe('interrupted');
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('whose copy was not read to its end fails', async () => {
    const open = await (await onlyStream(sqlite(database('shop.db', 'delete', 10)))).open();
    expect((await failure(open.finish({ bytes: 4096, tail: Buffer.alloc(0) }))).code).toBe('source-failed');
    await open.close();
  });

  it('keeps its copy from other users', async () => {
    const modes: string[] = [];
    const look = () => {
      for (const name of readdirSync(scratch)) modes.push(...[join(scratch, name), join(scratch, name, 'copy.db')].map((path) => (statSync(path).mode & 0o777).toString(8)));
    };
    await copied(database('shop.db', 'wal', 10_000), { onProgress: look });
    expect(new Set(modes)).toEqual(new Set(['700', '600']));
  });

  it('removes what a killed run left behind, and nothing of a running one', async () => {
    const running = await makeScratch(scratch);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replace(/[^0-9a-f]/g, '');
    const namespace = /\d+/.exec(running.slice(running.indexOf(boot) + boot.length))?.[0];
    const names = {
      killed: `scratch-${boot}-${namespace}-${process.pid}-1-abcdef`,
      rebooted: `scratch-0123456789abcdef-${namespace}-${process.pid}-1-abcdef`,
      container: `scratch-${boot}-1-${process.pid}-1-abcdef`,
      oldContainer: `scratch-${boot}-2-${process.pid}-1-abcdef`,
      mine: 'notes',
    };
    for (const name of Object.values(names)) mkdirSync(join(scratch, name));
    utimesSync(join(scratch, names.oldContainer), 1, 1);
    await copied(database('shop.db', 'delete', 10));
    expect(readdirSync(scratch).sort()).toEqual([running.slice(scratch.length + 1), names.container, names.mine].sort());
  });
});

const WRITER = `
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync(process.argv[1], { timeout: 5000 });
const move = database.prepare('UPDATE account SET amount = amount + ? WHERE id = ?');
setInterval(() => {
  const from = Math.floor(Math.random() * 20000), to = Math.floor(Math.random() * 20000);
  database.exec('BEGIN IMMEDIATE');
  move.run(-5, from);
  move.run(5, to);
  database.exec('COMMIT');
  process.stdout.write('.');
}, 2);
`;

function database(name: string, mode: string, rows: number, filling = ''): string {
  const path = join(folder, name);
  const made = new DatabaseSync(path);
  made.exec(`PRAGMA journal_mode=${mode}; CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER, filling TEXT DEFAULT '${filling}')`);
  made.exec(`INSERT INTO account (id, amount) WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${rows}) SELECT i, 100 FROM n`);
  made.exec('CREATE INDEX amounts ON account (amount)');
  made.close();
  return path;
}

function sqlite(path: string, options: Partial<SqliteOptions> = {}): SqliteSource {
  return new SqliteSource({ path, scratchFolder: scratch, clock: systemClock, ...options });
}

/** Takes the stream to a file, as a restore would. */
async function copied(path: string, options: Partial<SqliteOptions> = {}): Promise<string> {
  const open = await (await onlyStream(sqlite(path, options))).open();
  try {
    const target = join(folder, 'restored.db');
    copyFileSync(`/proc/self/fd/${open.fd}`, target);
    await open.finish({ bytes: statSync(target).size, tail: Buffer.alloc(0) });
    return target;
  } finally {
    await open.close();
  }
}

function inspect(path: string, query: string): unknown {
  const opened = new DatabaseSync(path);
  try {
    return { ...(opened.prepare(query).get() as object) };
  } finally {
    opened.close();
  }
}
