import { existsSync } from 'node:fs';
import { runScript } from '../support/holdfast-wal.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const NAME = '000000010000000000000003';
const SHELLS = ['dash', 'bash'].filter((shell) => existsSync(`/bin/${shell}`));

function run(words: readonly string[], environment: Readonly<Record<string, string>> = {}, shell = 'sh') {
  const workingFolder = temporaryFolder();
  return runScript(words, { environment: { HOME: workingFolder, ...environment }, workingFolder, shell });
}

describe.each(SHELLS)('bin/holdfast-wal in %s (S2, R4)', (shell) => {
  it.each([['archive', `pg_wal/${NAME}`, NAME], ['fetch', NAME, 'pg_wal/RECOVERYXLOG']])('asks the program for what nobody did ahead, word by word: %s', (command, first, second) => {
    const { status, stdout, stderr } = run([command, first, second, '--plan', 'a  plan', '', '--key-file', "it's"], {}, shell);
    expect([status, stderr]).toEqual([77, '']);
    expect(stdout.split('\n').slice(1, -1)).toEqual([`wal-${command}`, first, second, '--plan', 'a  plan', '', '--key-file', "it's"]);
    expect(stdout).toMatch(/^[^\n]*holdfast\.mjs\n/);
  });

  it.each<[string, readonly string[]]>([['--help', ['fetch', '--help']], ['a file that is missing', ['fetch', NAME]], ['options in front', ['fetch', '--plan', 'x', NAME, 'y']]])('leaves %s to the program', (_, words) => {
    expect(run(words, {}, shell)).toMatchObject({ status: 77, stderr: '' });
  });

  it('never ends as the end of WAL does when it cannot even ask: 1 for archive, above 125 for fetch', () => {
    const broken = { PATH: '/nonexistent' };
    expect(run(['archive', 'x', NAME], broken, `/bin/${shell}`).status).toBe(1);
    expect(run(['fetch', NAME, 'x'], broken, `/bin/${shell}`).status).toBe(200);
    expect(run(['fetch', NAME, 'x'], { HOME: '' }, shell).status).toBe(77);
  });

  it.each<[readonly string[]]>([[[]], [['wal-fetch', NAME, 'x']], [['fetch_', NAME, 'x']]])('says what it wants when called as %j, which is no end of WAL either', (words) => {
    const { status, stderr } = run(words, {}, shell);
    expect(status).toBe(200);
    expect(stderr).toContain('holdfast-wal: wanted `holdfast-wal archive %p %f …` or `holdfast-wal fetch %f %p …`');
  });

  it('shows its use when asked', () => {
    const { status, stdout, stderr } = run(['--help'], {}, shell);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('holdfast-wal fetch   %f %p --plan NAME --also-next 30');
  });
});
