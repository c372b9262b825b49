import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { commandTable, commonOptions } from '../../lib/cli/command-table.ts';
import { EXIT_CODES, EXIT_CODE_OF, worstOf } from '../../lib/cli/exit-codes.ts';
import { reference } from '../../lib/cli/reference.ts';
import { ERROR_CODES } from '../../lib/model/errors.ts';

const document = (name: string) => readFileSync(join(__dirname, '..', '..', name), 'utf8');

describe('what is documented of the command line', () => {
  test('docs/cli.md holds the tables of the program (mend it with `node scripts/write-cli-docs.ts`)', () => {
    expect(document('docs/cli.md')).toContain(reference());
  });

  test('every error code has an exit code of the table, and those that programs rely on never change', () => {
    for (const code of Object.keys(ERROR_CODES)) expect(EXIT_CODES).toHaveProperty([String(EXIT_CODE_OF[code as keyof typeof EXIT_CODE_OF])]);
    expect(Object.keys(EXIT_CODES).map(Number)).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 130, 200]);
    expect([EXIT_CODE_OF.usage, EXIT_CODE_OF['vault-not-found'], EXIT_CODE_OF['wrong-key'], EXIT_CODE_OF.damaged, EXIT_CODE_OF.busy, EXIT_CODE_OF.interrupted]).toEqual([2, 10, 11, 12, 13, 130]);
  });

  test('of several results the worst decides', () => {
    expect(worstOf([0, 3, 0])).toBe(3);
    expect(worstOf([3, 13, 1])).toBe(1);
    expect(worstOf([])).toBe(0);
  });

  test('commands that other programs rely on are there', () => {
    const names = commandTable().map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['init', 'backup', 'list', 'show', 'ls', 'stats', 'restore', 'cat', 'verify', 'remove', 'prune', 'keys add', 'keys list', 'catalog rebuild']));
  });

  test('no page names a command or an option that is not there', () => {
    const rows = new Map(commandTable().map((row) => [row.name, new Set([...row.options, ...commonOptions()].map(({ long }) => long))]));
    // Some words of the format begin with the name of the program.
    const pages = ['README.md', 'CHANGELOG.md', ...readdirSync(join(__dirname, '..', '..', 'docs')).filter((name) => name.endsWith('.md') && name !== 'repository-format.md').map((name) => `docs/${name}`)];
    const unknown = pages.flatMap((page) => {
      // A command ends with its code span or its line.
      return [...document(page).matchAll(/\bholdfast ([a-z][^`\n#|]*)/g)].flatMap(([, line = '']) => {
        const [first = '', second = ''] = line.split(/[\s/]+/);
        const options = rows.get(`${first} ${second}`) ?? rows.get(first) ?? ([...rows.keys()].some((name) => name.startsWith(`${first} `)) ? undefined : new Set<string>());
        const strange = options === undefined ? [] : [...line.matchAll(/(?<=\s)--[a-z-]+/g)].flatMap(([name]) => (options.has(name) || name === '--help' ? [] : [name]));
        return options?.size === 0 || strange.length > 0 ? [`${page}: holdfast ${line}`] : [];
      });
    });
    expect(unknown).toEqual([]);
  });

  test('the README names only commands that are there', () => {
    const words = new Set(commandTable().flatMap(({ name }) => name.split(' ')));
    for (const file of ['README.md', 'docs/quick-start.md', 'CHANGELOG.md']) {
      for (const [, word] of document(file).matchAll(/`?holdfast ([a-z]+(?:-[a-z]+)*)/g)) expect([file, word, words.has(word ?? '')]).toEqual([file, word, true]);
    }
  });
});
