import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { Desk, REAL_WORKERS } from './run-in-process.ts';

describe('the first backup (F1)', () => {
  it.each<[string, string[], string]>([
    ['a path that is not there', ['backup', '/not/there'], 'The path /not/there is not there (ENOENT).'],
    ['one of several paths', ['backup', '.', 'nor/this'], 'nor/this is not there'],
    ['a command that cannot be run', ['backup', '--command', 'if', '--stdin-name', 'x'], 'holdfast: '],
  ])('of %s fails before a vault or a key is made', async (_what, args, says) => {
    const at = new Desk({}, REAL_WORKERS);
    const ran = await at.run(...args);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain(says);
    expect(ran.stderr).not.toContain('Made a vault');
    expect(readdirSync(at.path('home'))).toEqual([]);
  });

  it('of a path that is there makes both', async () => {
    const at = new Desk({}, REAL_WORKERS);
    mkdirSync(at.path('documents'));
    const ran = await at.run('backup', 'documents');
    expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining('Made a vault at ')]);
    expect(existsSync(at.path('home/.config/holdfast'))).toBe(true);
  });
});
