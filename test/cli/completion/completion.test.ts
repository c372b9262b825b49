import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandTable } from '../../../lib/cli/command-table.ts';
import { bashCompletion } from '../../../lib/cli/completion/bash.ts';
import { completedCommands } from '../../../lib/cli/completion/completed-commands.ts';
import { fishCompletion } from '../../../lib/cli/completion/fish.ts';
import { zshCompletion } from '../../../lib/cli/completion/zsh.ts';
import { GROUPS } from '../../../lib/cli/groups.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { Desk } from '../run-in-process.ts';

const commands = completedCommands(GROUPS);
const topWords = [...new Set(commandTable().map(({ name }) => name.split(' ')[0] as string))].sort();
let folder: string;
beforeAll(() => {
  folder = temporaryFolder();
  writeFileSync(join(folder, 'completion.bash'), bashCompletion(commands));
  writeFileSync(join(folder, 'completion.zsh'), zshCompletion(commands));
  writeFileSync(join(folder, 'completion.fish'), fishCompletion(commands));
  mkdirSync(join(folder, 'work', 'some folder'), { recursive: true });
  writeFileSync(join(folder, 'work', 'some file'), '');
});

interface Shell {
  readonly name: string;
  /** What the shell offers for the last of these words; `FILES` and `FOLDERS` where it would look by itself. */
  readonly offer: (words: readonly string[]) => string[];
}

const shell = (program: string, ...args: readonly string[]) => execFileSync(program, args, { cwd: join(folder, 'work'), env: { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C.UTF-8' }, encoding: 'utf8' }).split('\n').filter(Boolean).sort();
const inQuotes = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

const SHELLS: readonly Shell[] = [
  {
    name: 'bash',
    offer: (words) => {
      const line = ['holdfast', ...words].map(inQuotes).join(' ');
      return shell('bash', '--norc', '-euc', `source ${folder}/completion.bash; COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]-}"`);
    },
  },
  {
    name: 'zsh',
    // The completion system itself works in a terminal alone; what it is called with is printed instead.
    offer: (words) => {
      const stubs = 'compdef() { :; }; _files() { [[ "$1" == -/ ]] && print FOLDERS || print FILES; }; compadd() { shift; print -l -- "$@"; }; _describe() { print -l -- "${(@)${(P)4}%%:*}"; }';
      const line = ['holdfast', ...words].map(inQuotes).join(' ');
      const found = shell('zsh', '-fc', `${stubs}; source ${folder}/completion.zsh; words=(${line}); CURRENT=${words.length + 1}; _holdfast`);
      return found.filter((word) => word === word.toUpperCase() || word.startsWith(words.at(-1) as string));
    },
  },
  {
    name: 'fish',
    offer: (words) => shell('fish', '--no-config', '-c', `source ${folder}/completion.fish; complete -C ${inQuotes(['holdfast', ...words].join(' '))}`).map((line) => line.split('\t')[0] as string),
  },
];

const isInstalled = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
/** Every shell that this machine has; bash is one of them everywhere. */
const HERE = SHELLS.filter(({ name }) => name === 'bash' || isInstalled(name));

describe.each(HERE)('completion in $name (F1)', ({ name, offer }) => {
  test('the first word is a command or a group of commands', () => {
    expect(offer([''])).toEqual(expect.arrayContaining(topWords));
    expect(offer(['ver'])).toEqual(['verify', 'version']);
  });

  test('behind a group its members follow, also where the group is a command', () => {
    expect(offer(['keys', 'r'])).toEqual(expect.arrayContaining(['rotate', 'remove']));
    expect(offer(['schedules', ''])).toEqual(['pause', 'resume']);
    expect(offer(['schedules', '--js'])).toEqual(['--json']);
  });

  test.each(commandTable().filter((_, index) => index % 4 === 0).map((row) => row.name))('%s has all of its options', (command) => {
    const { options } = commands.find((candidate) => candidate.name === command)!;
    expect(offer([...command.split(' '), '--'])).toEqual([...new Set(options.flatMap(({ names }) => names.filter((option) => option.startsWith('--'))))].sort());
  });

  test('values are offered where they are known, for the command that is meant', () => {
    expect(offer(['backup', '--compression', ''])).toEqual(['gzip', 'none', 'zstd']);
    expect(offer(['verify', '--level', 's'])).toEqual(['sample', 'structure']);
    expect(offer(['backup', 'somewhere', '--json', '--class', 'w'])).toEqual(['warm']);
    expect(offer(['completion', ''])).toEqual(['bash', 'fish', 'zsh']);
    expect(offer(['verify', '--within', ''])).toEqual([]);
  });

  test('files and folders are offered where they are wanted, with their blanks', () => {
    const files = offer(['backup', 'some']);
    const folders = offer(['restore', 'latest', '--to', 'some']);
    if (name === 'zsh') return expect([files, folders]).toEqual([['FILES'], ['FOLDERS']]);
    const plain = (found: readonly string[]) => found.map((word) => word.replaceAll('\\', '').replace(/\/$/, ''));
    expect(plain(files)).toEqual(['some file', 'some folder']);
    expect(plain(folders)).toEqual(['some folder']);
    expect(plain(offer(['list', 'some']))).toEqual([]);
  });

  test('an argument that is called like a command is no command', () => {
    expect(offer(['backup', 'list', '--trust'])).toEqual(['--trust-writer']);
  });
});

test('bash completes a value behind an equals sign, which it takes for a word of its own', () => {
  expect(SHELLS[0]!.offer(['backup', '--compression', '=', 'z'])).toEqual(['zstd']);
  expect(SHELLS[0]!.offer(['backup', '--compression', '='])).toEqual(['gzip', 'none', 'zstd']);
});

test('the program prints them, and refuses a shell that it does not know', async () => {
  const desk = new Desk();
  expect(await desk.do('completion', 'bash')).toBe(bashCompletion(commands));
  expect((await desk.json<{ shell: string; script: string }>('completion', 'fish'))[0]).toMatchObject({ shell: 'fish', script: fishCompletion(commands) });
  expect(await desk.run('completion', 'tcsh')).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no completion for "tcsh", wanted one of bash, zsh, fish.') as string });
});

test('every command and option that is there can be completed, and the scripts are their own whole lines', () => {
  for (const { name, options } of commandTable()) {
    const completed = commands.find((candidate) => candidate.name === name)!;
    for (const { long } of options) expect(completed.options.flatMap(({ names }) => names)).toContain(long);
    for (const script of [bashCompletion(commands), zshCompletion(commands), fishCompletion(commands)]) expect(script).toContain(name);
  }
});
