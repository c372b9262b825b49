import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { discardSqliteCatalog } from '../../lib/catalog/discard-sqlite-catalog.ts';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { backup, backupId, catalogContract } from '../contract/catalog.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-catalog-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

catalogContract('A SQLite file', () => new SqliteCatalog(join(folder, 'state', 'catalog.db')));
catalogContract('SQLite in memory', () => new SqliteCatalog(':memory:'));

describe('the SQLite catalog', () => {
  it('touches no disk before the first question, and makes its file readable by the owner alone', async () => {
    const file = join(folder, 'deep', 'state', 'catalog.db');
    const catalog = new SqliteCatalog(file);
    expect(existsSync(join(folder, 'deep'))).toBe(false);
    await catalog.recordBackup(backup(1));
    const made = readdirSync(join(folder, 'deep'), { recursive: true, encoding: 'utf8' }).map((name) => [name, statSync(join(folder, 'deep', name)).mode & 0o077]);
    expect(Object.fromEntries(made)).toEqual({ state: 0, 'state/catalog.db': 0, 'state/catalog.db-shm': 0, 'state/catalog.db-wal': 0 });
    await catalog.close();
  });

  it('remembers after it was closed, and closes twice', async () => {
    const file = join(folder, 'catalog.db');
    const first = new SqliteCatalog(file);
    await first.recordBackup(backup(1));
    await first.close();
    await first.close();
    const second = new SqliteCatalog(file);
    expect((await second.listBackups()).backups).toEqual([backup(1)]);
    await second.close();
  });

  it('lists 1,000 backups within a few milliseconds of opening', async () => {
    const file = join(folder, 'catalog.db');
    const writer = new SqliteCatalog(file);
    await writer.replaceAll({ plans: [], backups: Array.from({ length: 1_000 }, (_, number) => backup(number)), validations: [] });
    await writer.close();
    const times = [];
    for (let round = 0; round < 5; round++) {
      const reader = new SqliteCatalog(file);
      const begin = performance.now();
      expect((await reader.listBackups()).backups).toHaveLength(1_000);
      times.push(performance.now() - begin);
      await reader.close();
    }
    // The best of five, with room for a loaded machine: about 8 ms on an idle one.
    expect(Math.min(...times)).toBeLessThan(60);
  });

  it.each([
    ['is no database', (file: string) => writeFileSync(file, 'these bytes are no database '.repeat(400))],
    ['has a page of zeros', (file: string) => writeFileSync(file, withZeros(readFileSync(file), 4096))],
    ['has lost a table', (file: string) => sql(file, 'DROP TABLE backups')],
    ['has a row that cannot be read', (file: string) => sql(file, "UPDATE backups SET statistics = '{'")],
  ])('says that it is damaged and how to go on when the file %s, and touches nothing', async (_, damage) => {
    const file = join(folder, 'catalog.db');
    await fill(file);
    damage(file);
    const before = readFileSync(file);
    const catalog = new SqliteCatalog(file);
    await expect(catalog.listBackups()).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining(file), nextStep: expect.stringContaining('holdfast catalog rebuild') });
    await catalog.close();
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('can be made again after damage: the broken file is kept beside', async () => {
    const file = join(folder, 'catalog.db');
    writeFileSync(file, 'no database '.repeat(1000));
    discardSqliteCatalog(file);
    discardSqliteCatalog(file);
    const catalog = new SqliteCatalog(file);
    await catalog.replaceAll({ plans: [], backups: [backup(2)], validations: [] });
    expect((await catalog.latestBackup())?.backupId).toBe(backupId(2));
    await catalog.close();
    expect(readFileSync(`${file}.damaged`, 'latin1')).toContain('no database');
  });

  it('leaves a file of a newer version alone', async () => {
    const file = join(folder, 'catalog.db');
    await fill(file);
    sql(file, 'PRAGMA user_version = 99');
    const catalog = new SqliteCatalog(file);
    await expect(catalog.listBackups()).rejects.toMatchObject({ code: 'unsupported-version', message: expect.stringContaining('version 99') });
    await catalog.close();
    expect(sql(file, 'PRAGMA user_version')).toEqual([{ user_version: 99 }]);
  });

  it('names a folder in its place, and a folder that may not be entered', async () => {
    mkdirSync(join(folder, 'catalog.db'));
    await expect(new SqliteCatalog(join(folder, 'catalog.db')).listBackups()).rejects.toMatchObject({ code: 'permission', message: expect.stringContaining('EISDIR') });
    writeFileSync(join(folder, 'file'), '');
    chmodSync(join(folder, 'file'), 0o600);
    await expect(new SqliteCatalog(join(folder, 'file', 'catalog.db')).listBackups()).rejects.toMatchObject({ code: 'permission' });
  });

  it('waits for a writer in another process, and says that it is busy when that takes too long', async () => {
    const file = join(folder, 'catalog.db');
    await fill(file);
    const script = `
      const { DatabaseSync } = await import('node:sqlite');
      const database = new DatabaseSync(process.argv[1]);
      database.exec('BEGIN IMMEDIATE');
      process.stdout.write('locked');
      setTimeout(() => database.exec('COMMIT'), 400);`;
    const holder = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const hasty = new SqliteCatalog(file, { busyTimeoutMilliseconds: 1 });
    await expect(hasty.recordBackup(backup(99))).rejects.toMatchObject({ code: 'busy', retryable: true });
    expect((await hasty.listBackups()).backups).toHaveLength(50);
    const patient = new SqliteCatalog(file);
    await patient.recordBackup(backup(99));
    expect((await hasty.listBackups()).backups).toHaveLength(51);
    await Promise.all([hasty.close(), patient.close()]);
  });

  it('is made once when two processes open it at the same time, and both of them write', async () => {
    const file = join(folder, 'catalog.db');
    const module = join(__dirname, '..', '..', 'lib', 'catalog', 'sqlite-catalog.ts');
    const script = `
      const { SqliteCatalog } = await import(${JSON.stringify(module)});
      const catalog = new SqliteCatalog(${JSON.stringify(file)});
      const record = JSON.parse(process.argv[1]);
      for (let number = 0; number < 50; number++) await catalog.recordBackup({ ...record, backupId: record.backupId.slice(0, 20) + String(number).padStart(6, '0') });
      await catalog.close();`;
    const writers = [1, 2].map((number) => spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script, JSON.stringify(backup(0, { backupId: `0${number}${backupId(0).slice(2)}` as never }))], { stdio: 'inherit' }));
    expect(await Promise.all(writers.map((writer) => once(writer, 'exit')))).toEqual([[0, null], [0, null]]);
    const catalog = new SqliteCatalog(file);
    expect((await catalog.stats()).backups).toBe(100);
    await catalog.close();
  });
});

async function fill(file: string): Promise<void> {
  const catalog = new SqliteCatalog(file);
  await catalog.replaceAll({ plans: [], backups: Array.from({ length: 50 }, (_, number) => backup(number)), validations: [] });
  await catalog.close();
}

/** Zeros behind the first page, which is the schema: the rows are there. */
function withZeros(bytes: Buffer, from: number): Buffer {
  return Buffer.concat([bytes.subarray(0, from), Buffer.alloc(bytes.length - from)]);
}

function sql(file: string, text: string): unknown[] {
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  try {
    const rows = database.prepare(text).all();
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return rows;
  } finally {
    database.close();
  }
}
