import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Desk, REAL_WORKERS } from './run-in-process.ts';

/** Numbers of milliseconds since 2001 are no sizes of this vault. */
const EPOCH_MS = 1e12;

function timesOf(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return /(?:At|\.at|\.until|\.since)$/.test(path) || (typeof value === 'number' && value > EPOCH_MS) ? [[path, value]] : [];
  return Object.entries(value).flatMap(([key, inner]) => timesOf(inner, `${path}.${key}`));
}

/** Two backups, of which the newest does not open. */
describe('results for programs (F1)', () => {
  const at = new Desk({}, REAL_WORKERS);
  let newest = '';
  let older = '';

  beforeAll(async () => {
    await at.do('init', '--vault', 'vault', '--key-file', 'key');
    mkdirSync(at.path('files'));
    for (const text of ['one', 'two']) {
      writeFileSync(join(at.path('files'), 'note'), text);
      [older, newest] = [newest, (await at.json<{ backup: string }>('backup', 'files'))[0]!.backup];
    }
    await at.do('verify');
  });

  it.each([[['list']], [['stats']], [['show', 'latest']], [['prune', '--dry-run']], [['prune']], [['runs']], [['keys', 'list']], [['verify', '--level', 'full']], [['verify', '--within', '30']], [['find', 'note']], [['ls', 'latest']], [['export', 'latest', '--to', 'out/']], [['diff', 'latest', '--with', 'files']], [['keys', 'test']]])('%j gives every time as ISO 8601 in UTC', async (args) => {
    const times = (await at.json(...args)).flatMap((result) => timesOf(result));
    for (const time of times) expect(time).toEqual([time[0], expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/)]);
    if (['list', 'stats', 'show', 'find', 'ls'].includes(args[0]!)) expect(times.length).toBeGreaterThan(0);
  });

  describe('when `latest` has to pass over a newer backup', () => {
    beforeAll(() => {
      const [name = ''] = readdirSync(at.path('vault/snapshots'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith(newest));
      const path = at.path(join('vault/snapshots', name));
      const bytes = readFileSync(path);
      bytes[60]! ^= 1;
      rmSync(path);
      writeFileSync(path, bytes);
    });

    it.each([
      [['restore', 'latest', '--to', 'dry', '--dry-run']], [['restore', 'latest', '--to', 'restored']], [['export', 'latest', '--to', 'first/', '--dry-run']], [['export', 'latest', '--to', 'first/']],
      [['diff', 'latest', '--with', 'files']], [['show', 'latest']], [['remove', 'latest', '--dry-run', '--force']], [['verify', 'latest']],
    ])('%j says so in the result and not beside it', async (args) => {
      const ran = await at.run(...args, '--json');
      const last = JSON.parse(ran.stdout.trim().split('\n').at(-1) ?? '') as { notes: readonly (string | { message: string })[] };
      expect([ran.stderr, last.notes.map((note) => (typeof note === 'string' ? note : note.message))]).toEqual(['', [expect.stringMatching(`^${newest} is newer and not good: .*${older} is taken instead`)]]);
      expect((await at.run(...args.map((arg) => arg.replace(/first\/|restored/, 'for-people/')))).stderr).toContain(`${older} is taken instead`);
    });

    it('says so in a line of its own where the result is a list or raw bytes', async () => {
      const [note] = await at.json('ls', 'latest');
      expect(note).toEqual({ type: 'note', message: expect.stringContaining('is taken instead') });
      const content = await at.run('cat', 'latest', 'note', '--json');
      expect([content.stdout, JSON.parse(content.stderr)]).toEqual(['one', { type: 'note', message: expect.stringContaining('is taken instead') }]);
    });
  });
});
