import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Person } from './program.ts';

interface Version { readonly type: string; readonly path: string; readonly size: number; readonly backups: number; readonly first: { readonly backup: string }; readonly last: { readonly backup: string } }
interface Difference { readonly type: string; readonly change: string; readonly path: string; readonly aspects: readonly string[] }

describe('finding files and differences from the command line (R7)', () => {
  const person = new Person();
  const source = person.path('work', 'source');
  const ids: string[] = [];

  beforeAll(async () => {
    Object.assign(person.environment, { HOLDFAST_VAULT: person.vault, HOLDFAST_KEY_FILE: person.path('key') });
    mkdirSync(join(source, 'deep', 'down'), { recursive: true });
    await person.do(['init', '--no-yaml']);
    for (const content of ['one', 'one', 'three']) {
      writeFileSync(join(source, 'deep', 'down', 'report.txt'), content);
      ids.push((await person.json<{ backup: string }>(['backup', source]))[0]?.backup ?? '');
    }
    await person.do(['backup', '-', '--stdin-name', 'report.sql'], 'select 1;');
  });

  test('find shows each version once, with the first and the last backup that have it', async () => {
    const lines = await person.json<Version>(['find', 'report.txt']);
    expect(lines.map(({ type, size, backups, first, last }) => [type, size, backups, first?.backup, last?.backup])).toEqual([
      ['version', 5, 1, ids[2], ids[2]], ['version', 3, 2, ids[0], ids[1]], ['find', undefined, 4, undefined, undefined],
    ]);
    const { stdout, stderr } = await person.do(['find', 'report.*']);
    expect(stdout).toMatch(/^MODIFIED .* PLAN +PATH\n.*deep\/down\/report\.txt\n.*deep\/down\/report\.txt\n.*report\.sql\n$/);
    expect(stderr).toContain('3 versions in 4 backups. One comes back with `holdfast restore');
    expect((await person.do(['find', 'report.*', '--plan', 'report.sql'])).stdout.split('\n')).toHaveLength(3);
  });

  test('find chooses by time, and says when there is nothing', async () => {
    expect((await person.json<Version>(['find', 'report.txt', '--newer', '1h'])).filter(({ type }) => type === 'version')).toHaveLength(2);
    for (const [args, code, says] of [
      [['report.txt', '--older', '1d'], 1, 'with such a time'], [['no-such-name'], 1, 'Nothing in 4 backups matches no-such-name'],
      [['x', '--newer', 'soon'], 2, '--newer has the value "soon"'], [['x', '--plan', 'reprt.sql'], 1, 'no backup of the plan reprt.sql'],
    ] as const) {
      const ran = await person.run(['find', ...args]);
      expect([args, ran.code, ran.stderr]).toEqual([args, code, expect.stringContaining(says)]);
    }
  });

  test('diff shows what changed between two backups, and ends with 3 only when asked', async () => {
    const [first = '', second = '', third = ''] = ids;
    const lines = await person.json<Difference>(['diff', second, third]);
    expect(lines.map(({ type, change, path, aspects }) => [type, change, path, aspects])).toEqual([
      ['difference', 'changed', 'deep/down/report.txt', ['content', 'time']], ['diff', undefined, undefined, { content: 1, time: 1 }],
    ]);
    expect((await person.do(['diff', second, third])).stdout).toMatch(/^changed +3 B -> 5 B {2}deep\/down\/report\.txt {2}\(content, time\)\nFrom .* 0 entries added \(0 B\), 0 removed \(0 B\), 1 changed \(\+2 B; content 1, time 1\)\.\n$/);
    expect((await person.do(['diff', first, third, '--stat'])).stdout.split('\n')).toHaveLength(2);
    expect([(await person.run(['diff', second, third, '--exit-code'])).code, (await person.run(['diff', third, third, '--exit-code'])).code]).toEqual([3, 0]);
  });

  test('diff compares a backup with a directory, and reads contents when asked', async () => {
    expect((await person.do(['diff', `latest:${source}`, '--with', source, '--content', '--exit-code'])).stdout).toContain('are the same.');
    writeFileSync(join(source, 'new'), 'new');
    const { stdout } = await person.do(['diff', `latest:${source}`, '--with', source]);
    expect(stdout).toMatch(/changed +- {2}\. {2}\(time\)\nadded +3 B {2}new\n/);
    rmSync(join(source, 'new'));
    for (const [args, code] of [[['latest'], 2], [['latest', 'latest', '--with', source], 2], [['latest', '--with', join(source, 'nothing')], 1], [['latest', '--with', ''], 2], [['latest', 'latest', '--content'], 2]] as const) {
      expect([args, (await person.run(['diff', ...args])).code]).toEqual([args, code]);
    }
  });

  test('damage of a list of entries is said and ends with 12', async () => {
    const meta = join(person.vault, 'packs', 'meta');
    for (const name of readdirSync(meta, { recursive: true, withFileTypes: true })) if (name.isFile()) rmSync(join(name.parentPath, name.name));
    const found = await person.run(['find', 'report.txt']);
    expect([found.code, found.stderr]).toEqual([12, expect.stringContaining('could not be searched whole')]);
    const [first = '', , third = ''] = ids;
    const differing = await person.run(['diff', first, third]);
    expect([differing.code, differing.stdout, differing.stderr]).toEqual([12, expect.stringContaining('as far as they could be read'), expect.stringContaining('nothing is said about what lies from the top')]);
  });
});
