import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { Person, describeTree, ended, filesBelow } from './program.ts';

interface Saved { readonly backup: string; readonly statistics: { readonly bytes: number; readonly newBytes: number; readonly storedBytes: number }; readonly evidence: readonly string[] }

async function withVault(): Promise<Person> {
  const person = new Person();
  Object.assign(person.environment, { HOLDFAST_VAULT: person.vault, HOLDFAST_KEY_FILE: person.path('key') });
  await person.do(['init', '--no-yaml']);
  return person;
}

const snapshots = (person: Person) => (existsSync(join(person.vault, 'snapshots')) ? filesBelow(join(person.vault, 'snapshots')).length : 0);

describe('a command as the source (S12)', () => {
  let person: Person;
  let good: string;
  const dump = (command: string, ...more: string[]) => ['backup', '--command', command, '--stdin-name', 'dump.sql', ...more];

  beforeAll(async () => {
    person = await withVault();
    good = (await person.json<Saved>(dump('seq 1 200000; echo -- dump complete', '--end-marker', 'dump complete')))[0]?.backup ?? '';
  });

  test('its whole output is one entry, with the evidence that it ended well', async () => {
    const { stdout } = await person.do(['cat', good, 'dump.sql']);
    expect(stdout.split('\n')).toHaveLength(200_002);
    expect((await person.do(['backup', '--command', 'echo x', '--stdin-name', 'other'])).stdout).toContain('exit code 0');
  });

  test('it sees none of the settings that the program starts itself with (decision 0019)', async () => {
    await person.do(dump('env | grep -c MALLOC_ || true; echo end'));
    expect((await person.do(['cat', 'latest', 'dump.sql'])).stdout).toBe('0\nend\n');
    good = (await person.json<Saved>(dump('seq 1 200000; echo -- dump complete', '--end-marker', 'dump complete')))[0]?.backup ?? '';
  });

  const failures: readonly (readonly [title: string, args: string[], says: string])[] = [
    ['ends with exit code 1 after 100 MB', dump('head -c 100000000 /dev/urandom; exit 1'), 'exit code 1 after 100000000 bytes'],
    ['is killed', dump('head -c 1000000 /dev/urandom; kill -9 $$'), 'killed by SIGKILL'],
    ['stays under its minimum size', dump('echo little', '--minimum-size', '1 MiB'), 'wanted at least 1048576'],
    ['lacks its end marker', dump('seq 1 1000', '--end-marker', 'complete'), 'without the end marker'],
    ['is no program', dump('no-such-program-anywhere'), 'exit code 127'],
  ];

  test.each(failures)('a command that %s leaves no backup, and the last good one stays the newest', async (_title, args, says) => {
    const before = snapshots(person);
    const ran = await person.run(args);
    expect([ran.code, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toContain(says);
    expect(snapshots(person)).toBe(before);
    const [latest] = await person.json<{ backup: string }>(['show', 'latest:dump.sql']);
    expect(latest?.backup).toBe(good);
  });

  test('standard input is kept byte for byte; an empty one is refused', async () => {
    const input = randomBytes(5_000_000);
    await person.do(['backup', '-', '--stdin-name', 'blob'], input);
    expect((await person.do(['cat', 'latest:blob', 'blob'])).bytes.equals(input)).toBe(true);
    expect((await person.run(['backup', '-', '--stdin-name', 'blob'], '')).code).toBe(1);
    expect((await person.do(['verify', '--level', 'full'])).code).toBe(0);
  });
});

describe('a SQLite database that another process writes to (S5)', () => {
  test('is backed up to a copy that passes integrity_check', async () => {
    const person = await withVault();
    const database = person.path('work', 'orders.db');
    const program = `const { DatabaseSync } = require('node:sqlite'); const d = new DatabaseSync(process.argv[1], { timeout: 5000 });
      d.exec('PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)'); const s = d.prepare('INSERT INTO orders (item) VALUES (?)');
      console.log('ready'); setInterval(() => { d.exec('BEGIN'); for (let i = 0; i < 200; i++) s.run('x'.repeat(100)); d.exec('COMMIT'); }, 1);`;
    const writer = spawn(process.execPath, ['--no-warnings', '-e', program, database], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(writer.stdout, 'data');
      await sleep(300);
      writeFileSync(person.path('work', 'holdfast.yaml'), `vaults: { main: { directory: ${person.vault}, key-file: ${person.path('key')} } }\nplans: { orders: { source: { type: sqlite, path: orders.db }, policy: database } }\n`);
      const { stdout } = await person.do(['backup', 'orders']);
      expect(stdout).toContain('integrity_check ok');
      expect(stdout).toContain('verified');
    } finally {
      writer.kill();
    }
    await person.do(['restore', 'latest:orders', '--to', person.path('out')]);
    const copy = new DatabaseSync(person.path('out', 'orders.db'));
    expect(copy.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    const { rows, last } = copy.prepare('SELECT count(*) AS rows, max(id) AS last FROM orders').get() as { rows: number; last: number };
    copy.close();
    expect(rows).toBeGreaterThan(200);
    expect(rows % 200).toBe(0);
    expect(last).toBe(rows);
    const scratch = filesBelow(person.path('xdg', 'state')).filter((file) => file.includes('/scratch/'));
    expect(scratch).toEqual([]);
  });
});

describe('a plan below its floor', () => {
  test('fails before anything is committed, for files too', async () => {
    const person = await withVault();
    mkdirSync(person.path('work', 'data'));
    writeFileSync(person.path('work', 'data', 'file'), 'small');
    const ran = await person.run(['backup', 'data', '--minimum-size', '1 MiB']);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('wanted at least');
    expect(snapshots(person)).toBe(0);
  });
});

describe('a signal', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends a backup cleanly with 130, and the next run reuses what was stored', async (signal) => {
    const person = await withVault();
    const source = person.path('work', 'data');
    mkdirSync(source);
    for (let index = 0; index < 6; index++) writeFileSync(join(source, `file-${index}`), randomBytes(8_000_000));
    const child = person.start(['backup', 'data', '--limit-upload', '30 MB']);
    const running = ended(child);
    while (filesOf(person, 'packs').length === 0) await sleep(5);
    child.kill(signal);
    const ran = await running;
    expect([ran.code, ran.stdout]).toEqual([130, '']);
    expect(ran.stderr).toContain('holdfast: The backup was interrupted');
    expect(snapshots(person)).toBe(0);
    expect(readdirSync(join(person.vault, 'tmp'))).toEqual([]);
    const [next] = await person.json<Saved>(['backup', 'data']);
    expect(next?.statistics.newBytes).toBeLessThan(48_000_000 - 10_000_000);
    const stored = filesOf(person, 'packs').reduce((sum, file) => sum + readFileSync(file).length, 0);
    expect(stored).toBeLessThan(1.1 * 48_000_000);
    await person.do(['restore', 'latest', '--to', person.path('out')]);
    expect(describeTree(person.path('out'))).toEqual(describeTree(source));
  });

  test('two runs of one plan at once: the second is told that the first is busy, exit code 13; a dead run holds nothing', async () => {
    const person = await withVault();
    const first = person.start(['backup', '--command', 'echo begun; sleep 30', '--stdin-name', 'slow']);
    const running = ended(first);
    while (!existsSync(person.path('xdg', 'state')) || filesBelow(person.path('xdg', 'state')).every((file) => !file.endsWith('.holder'))) await sleep(10);
    const second = await person.run(['backup', '--command', 'echo x', '--stdin-name', 'slow']);
    expect(second.code).toBe(13);
    expect(second.stderr).toContain(`process ${first.pid}`);
    first.kill('SIGKILL');
    expect((await running).signal).toBe('SIGKILL');
    expect((await person.run(['backup', '--command', 'echo x', '--stdin-name', 'slow'])).code).toBe(0);
  });
});

function filesOf(person: Person, folder: string): string[] {
  return existsSync(join(person.vault, folder)) ? filesBelow(join(person.vault, folder)) : [];
}
