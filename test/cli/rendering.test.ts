import { PassThrough } from 'node:stream';
import { buildProgram, runCli } from '../../lib/cli/main.ts';
import { commandTable } from '../../lib/cli/command-table.ts';
import { Output } from '../../lib/cli/output.ts';
import { Progress, progressLine } from '../../lib/cli/progress.ts';
import { pairLines, tableLines } from '../../lib/cli/table.ts';
import { bytesInWords, counted, durationInWords, numberInWords, ratioInWords, warningInWords } from '../../lib/cli/words.ts';
import type { Surroundings } from '../../lib/cli/runtime.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { LeapingClock } from '../support/fake-clock.ts';

class Terminal extends PassThrough {
  columns = 60;
  isTTY: boolean;
  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
  get text(): string {
    return (this.read() as Buffer | null)?.toString() ?? '';
  }
}

function surroundings(isTTY = false, environment: Record<string, string> = {}, failure?: unknown) {
  const stdout = new Terminal(isTTY);
  const stderr = new Terminal(isTTY);
  const all: Surroundings = {
    version: '1.2.3', clock: new LeapingClock(), environment, workingFolder: '/w', userName: 'u', stdout, stderr, stdin: new Terminal(isTTY), signal: new AbortController().signal,
    loadRuntime: async () => {
      throw failure;
    },
  };
  return { all, stdout, stderr };
}

describe('help', () => {
  test.each(commandTable().map(({ name }) => name))('%s shows what it is for, the common options, and examples', async (name) => {
    const { all, stdout } = surroundings();
    expect(await runCli([...name.split(' '), '--help'], all)).toBe(0);
    const text = stdout.text;
    for (const wanted of ['Examples:', `$ holdfast ${name}`, '--vault <dir>', '--key-file <file>', '--passphrase-file <file>', '--json']) expect(text).toContain(wanted);
  });

  test('without a command the help is shown; every command is in it', async () => {
    const { all } = surroundings();
    const text = buildProgram(all, () => undefined).helpInformation();
    for (const { name } of commandTable()) expect(text).toContain(name.split(' ')[0]);
  });
});

describe('errors', () => {
  const failure = new HoldfastError('busy', 'The plan x is being backed up already.', { nextStep: 'Wait.' });

  test('are one line and the next step, with the exit code of the table', async () => {
    const { all, stdout, stderr } = surroundings(false, {}, failure);
    expect(await runCli(['list'], all)).toBe(13);
    expect([stdout.text, stderr.text]).toEqual(['', 'holdfast: The plan x is being backed up already.\nWait.\n']);
  });

  test('are JSON for programs', async () => {
    const { all, stderr } = surroundings(false, {}, failure);
    expect(await runCli(['list', '--json'], all)).toBe(13);
    expect(JSON.parse(stderr.text)).toEqual({ type: 'error', code: 'busy', message: 'The plan x is being backed up already.', nextStep: 'Wait.', exitCode: 13 });
  });

  test('quote what lies in a vault without letting it steer the terminal', async () => {
    const hostile = new HoldfastError('damaged', 'It belongs to \u001b[2J\u202egnp\nand more.', { nextStep: 'Look at \u009bx.' });
    const { all, stderr } = surroundings(true, {}, hostile);
    await runCli(['list'], all);
    expect(stderr.text).toBe('holdfast: It belongs to \\x1b[2J\\u202egnp\nholdfast: and more.\nLook at \\x9bx.\n');
  });

  test('that nobody foresaw are told as what they are, with a stack only when asked for', async () => {
    const quiet = surroundings(false, {}, new TypeError('x is not a function'));
    expect(await runCli(['list'], quiet.all)).toBe(1);
    const said = quiet.stderr.text;
    expect(said).toContain('x is not a function');
    expect(said).not.toContain('    at ');
    const loud = surroundings(false, { HOLDFAST_DEBUG: '1' }, new TypeError('x is not a function'));
    await runCli(['list'], loud.all);
    expect(loud.stderr.text).toContain('    at ');
  });

  test('of usage are one line of JSON too, wherever --json stands', async () => {
    for (const args of [['list', '--nonsense', '--json'], ['--json', 'list', '--nonsense'], ['nonsense', '--json'], ['--json'], ['backup', 'x', '--limit-upload', '0', '--json'], ['restore', 'latest', '--json']]) {
      const { all, stdout, stderr } = surroundings();
      expect([args, await runCli(args, all)]).toEqual([args, 2]);
      const said = stderr.text;
      expect(said.trim().split('\n')).toHaveLength(1);
      expect(JSON.parse(said)).toMatchObject({ type: 'error', code: 'usage', exitCode: 2 });
      expect(stdout.text).toBe('');
    }
  });

  test('--json may stand before the command', async () => {
    const { all, stdout } = surroundings();
    const ready: Surroundings = { ...all, loadRuntime: async () => ({}) as never };
    expect(await runCli(['--json', 'version'], ready)).toBe(0);
    expect(JSON.parse(stdout.text)).toMatchObject({ type: 'version', version: '1.2.3' });
  });

  test('a limit of nothing a second is refused with what is wanted', async () => {
    const { all, stderr } = surroundings();
    expect(await runCli(['backup', 'x', '--limit-upload', '0'], all)).toBe(2);
    expect(stderr.text).toMatch(/--limit-upload.*Wanted more than 0.*10 MiB/);
  });

  test.each([[['nonsense']], [['backup', '--threads', 'many']], [['restore', 'latest']], [['verify', '--level', 'deep']], [['list', '--nonsense']]])('%j is usage', async (args) => {
    const { all, stderr } = surroundings();
    expect(await runCli(args, all)).toBe(2);
    expect(stderr.text).toMatch(/^holdfast: /);
  });
});

describe('output', () => {
  test('a warning names the path that it is about', () => {
    expect(warningInWords({ path: 'etc/shadow', message: 'this user may not read it' })).toBe('etc/shadow: this user may not read it');
    expect(warningInWords({ message: 'the tree could not be read' })).toBe('the tree could not be read');
  });

  test('JSON is one document a line and nothing else', () => {
    const { all, stdout } = surroundings();
    new Output(all, true).result({ type: 'x', text: 'a\nb' }, () => 'for people');
    expect(stdout.text).toBe('{"type":"x","text":"a\\nb"}\n');
  });

  test('colour is only on a terminal, and never with NO_COLOR', () => {
    expect(new Output(surroundings(true).all, false).paint('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(new Output(surroundings(false).all, false).paint('red', 'x')).toBe('x');
    expect(new Output(surroundings(true, { NO_COLOR: '1' }).all, false).paint('red', 'x')).toBe('x');
  });

  test('tables are aligned, wide letters too, without trailing blanks', () => {
    expect(tableLines([{ head: 'NAME' }, { head: 'SIZE', align: 'right' }], [['a', '1'], ['日本', '1,000']])).toEqual(['NAME   SIZE', 'a         1', '日本  1,000']);
    expect(pairLines([['a', '1'], ['long', '']])).toEqual(['a     1', 'long']);
  });

  test('figures read as people say them', () => {
    expect([0, 999, 1000, 1023, 1024 * 1024, 408 * 1024 * 1024, 5e12].map(bytesInWords)).toEqual(['0 B', '999 B', '1.0 KiB', '1.0 KiB', '1.0 MiB', '408 MiB', '4.5 TiB']);
    expect([0, 400, 9940, 9960, 59_400, 59_600, 3_725_000].map(durationInWords)).toEqual(['0.0 s', '0.4 s', '9.9 s', '10 s', '59 s', '1 min 0 s', '1 h 2 min']);
    expect([counted(1, 'file'), counted(1234, 'file'), counted(0, 'entry', 'entries'), numberInWords(1_234_567), ratioInWords(30, 10), ratioInWords(1, 0)]).toEqual(['1 file', '1,234 files', '0 entries', '1,234,567', '3.0 : 1', '-']);
  });
});

describe('progress', () => {
  const state = { phase: 'storing', files: 3, bytes: 25 << 20, totalBytes: 100 << 20 };

  test('tells phase, files, bytes, share and the time that is left', () => {
    expect(progressLine(state, 2000)).toBe('storing  3 files  25.0 MiB of 100 MiB  25 %  ETA 6.0 s');
    expect(progressLine({ phase: 'storing', files: 1, bytes: 5 }, 10)).toBe('storing  1 file  5 B');
  });

  test('is silent without a terminal unless asked for, and then whole lines, one a second', () => {
    const { all, stderr } = surroundings(false);
    new Progress(all, false).show(state);
    expect(stderr.text).toBe('');
    const asked = new Progress(all, true);
    asked.show(state);
    asked.show(state);
    expect(stderr.text).toBe('storing  3 files  25.0 MiB of 100 MiB  25 %\n');
  });

  test('is one line that fits the terminal and is wiped away', () => {
    const { all, stderr } = surroundings(true);
    const progress = new Progress(all, false);
    progress.show({ ...state, phase: 'x'.repeat(200) });
    expect(stderr.text).toBe(`\r\u001b[2K${'x'.repeat(59)}`);
    progress.clear();
    expect(stderr.text).toBe('\r\u001b[2K');
  });
});
