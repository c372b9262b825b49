import { mkdirSync, mkdtempSync, read, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { CommandSource } from '../../lib/sources/command.ts';
import type { CommandOptions } from '../../lib/sources/command.ts';
import { failure, onlyStream, readToEnd } from './reading.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-command-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a command source (S12)', () => {
  it('gives what the command writes, and says why it believes that this is all', async () => {
    const stream = await onlyStream(source("printf 'one\\ntwo\\n'"));
    expect(stream).toMatchObject({ name: 'dump.sql', attributes: { mode: 0o600, uid: process.getuid?.() } });
    const open = await stream.open();
    const seen = await readToEnd(open);
    expect(seen.tail.toString()).toBe('one\ntwo\n');
    expect(await open.finish(seen)).toEqual({ bytes: 8, evidence: ['exit code 0'] });
    await open.close();
    await open.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes a program with its arguments without a shell', async () => {
    const { outcome, seen } = await run(source(['printf', '%s', '$HOME; `x`']));
    expect(seen.tail.toString()).toBe('$HOME; `x`');
    expect(outcome).toMatchObject({ bytes: 10 });
  });

  it('that exits 1 after 100 MB fails with its last words', async () => {
    const { outcome, seen } = await run(source('head -c 100000000 /dev/zero; echo "connection lost" >&2; exit 1'));
    expect(seen.bytes).toBe(100_000_000);
    expect(outcome).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/ended with exit code 1 after 100000000 bytes, wanted 0\. It said: connection lost$/) });
  });

  it.each([
    ['is killed', 'echo half; kill -KILL $$', /was killed by SIGKILL after 5 bytes/],
    ['is not there', 'no-such-program-at-all', /exit code 127/],
    ['writes nothing', 'true', /wrote 0 bytes, wanted at least 1/],
  ])('that %s fails', async (_what, command, message) => {
    expect((await run(source(command))).outcome).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message) });
  });

  it.each([
    ['its first part', '(echo half; exit 3) | cat', /ended with exit code 3 after 5 bytes/],
    ['a part in the middle', 'echo whole | (cat; exit 4) | cat', /ended with exit code 4/],
    ['its last part', 'echo whole | (cat; exit 5)', /ended with exit code 5/],
  ])('with a pipe fails when %s fails (S12)', async (_which, command, message) => {
    expect((await run(source(command))).outcome).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message) });
  });

  it('with a pipe passes when all of its parts do', async () => {
    expect((await run(source('echo whole | cat | cat'))).outcome).toMatchObject({ bytes: 6 });
  });

  it('whose pipe is closed early by a later part says what the exit code 141 means', async () => {
    expect((await run(source('yes | head -1'))).outcome).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/exit code 141 after 2 bytes, wanted 0: a part of its pipe stopped reading/) });
  });

  it('with a pipe is refused where no shell can tell that its first part failed', async () => {
    const environment = { PATH: folderWithOldShell() };
    expect(await failure(source('/bin/echo half | /bin/cat', { environment }).check())).toMatchObject({ code: 'source-failed', message: expect.stringContaining('contains a pipe'), nextStep: expect.stringContaining('install bash') });
    const both = source('/bin/false || /bin/echo whole', { environment });
    await both.check();
    expect((await run(both)).outcome).toMatchObject({ bytes: 6 });
  });

  it('whose output stays under the minimum size fails, at the minimum it passes', async () => {
    expect((await run(source('printf 12345', { minimumBytes: 6 }))).outcome).toMatchObject({ code: 'source-failed', message: expect.stringContaining('wrote 5 bytes, wanted at least 6') });
    expect((await run(source('printf 12345', { minimumBytes: 5 }))).outcome).toMatchObject({ bytes: 5 });
  });

  it('whose end marker is missing from the last 4 KiB fails', async () => {
    const endMarker = '-- dump complete';
    expect((await run(source('head -c 200000 /dev/zero; echo "-- dump complete"', { endMarker }))).outcome).toMatchObject({ evidence: ['exit code 0', 'end marker seen'] });
    expect((await run(source('echo "-- dump comp"', { endMarker }))).outcome).toMatchObject({ code: 'source-failed', message: expect.stringContaining('the output was cut') });
    expect((await run(source('echo "-- dump complete"; head -c 5000 /dev/zero', { endMarker }))).outcome).toMatchObject({ code: 'source-failed' });
  });

  it('that fails takes what it left in the background with it, so that the reader sees the end', async () => {
    const { outcome } = await run(source('sleep 1000 & echo $! > pid; echo half; exit 3'));
    expect(outcome).toMatchObject({ code: 'source-failed' });
    await expectGone(Number(readFileSync(join(folder, 'pid'), 'utf8')));
  });

  it('is stopped as a group by an abort', async () => {
    const stop = new AbortController();
    const stream = await onlyStream(source('sh -c "sleep 1000 & echo \\$! > pid; echo begun; wait"'), stop.signal);
    const open = await stream.open();
    const reading = readToEnd(open, () => stop.abort());
    const seen = await reading;
    expect((await failure(open.finish(seen))).code).toBe('interrupted');
    await open.close();
    await expectGone(Number(readFileSync(join(folder, 'pid'), 'utf8')));
  });

  it('that ignores SIGTERM is killed after the grace', async () => {
    let now = 0;
    const hurried = { now: () => now, sleep: (milliseconds: number) => new Promise<void>((resolve) => void setTimeout(resolve, ((now += milliseconds), 1))) };
    const stop = new AbortController();
    const stream = await onlyStream(source('trap "" TERM; echo $$ > pid; echo begun; while :; do sleep 0.1; done', { clock: hurried }), stop.signal);
    const open = await stream.open();
    const seen = await readToEnd(open, () => stop.abort());
    expect((await failure(open.finish(seen))).code).toBe('interrupted');
    await open.close();
    await expectGone(Number(readFileSync(join(folder, 'pid'), 'utf8')));
  });

  it('lets a blocked reader go when it is closed, also when something outside of the group holds the pipe', async () => {
    const stream = await onlyStream(source('setsid sh -c "echo \\$\\$ > pid; echo begun; exec sleep 1000" & wait'));
    const open = await stream.open();
    const readOnce = () => new Promise<string>((resolve, reject) => read(open.fd, Buffer.alloc(100), 0, 100, null, (error, length, bytes) => (error ? reject(error) : resolve(bytes.toString('latin1', 0, length)))));
    expect(await readOnce()).toBe('begun\n');
    try {
      const blocked = readOnce();
      await open.close();
      expect(await blocked).toBe('\0');
    } finally {
      process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
    }
  });

  it('shows no secret in its description or in what the command said, and no control characters', async () => {
    const secrets = ['hunter2', 'hunter2-and-more', 'geheim-ü'];
    const failing = source('printf "pass hunter2-and-more and geheim-ü\\033[2J\\n" >&2; printf "hun" >&2; sleep 0.1; printf "ter2" >&2; exit 1; : hunter2', { secrets });
    expect(failing.description).not.toMatch(/hunter|geheim/);
    const { outcome } = await run(failing);
    expect((outcome as Error).message).toMatch(/It said: pass \*\*\* and \*\*\*\\x1b\[2J \| \*\*\*$/);
  });

  it('keeps only the last 4 KiB of what the command said', async () => {
    const { outcome } = await run(source('i=0; while [ $i -lt 3000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1'));
    const { message } = outcome as Error;
    expect(message).toContain('| line 2999');
    expect(message).not.toContain('line 1000 ');
    expect(message.length).toBeLessThan(6000);
  });

  it('reads nothing from the terminal or standard input of its parent', async () => {
    expect((await run(source('cat; echo done'))).seen.tail.toString()).toBe('done\n');
  });

  it('says before a run that a line is no shell, or that a program is missing', async () => {
    await source('echo fine').check();
    await source(['sh', '-c', 'true']).check();
    expect((await failure(source('if then').check())).code).toBe('source-failed');
    expect(await failure(source(['no-such-program']).check())).toMatchObject({ code: 'source-failed', message: expect.stringContaining('no-such-program') });
  });
});

function source(command: string | readonly string[], options: Partial<CommandOptions> = {}): CommandSource {
  return new CommandSource({ command, name: fromText('dump.sql'), minimumBytes: 1, environment: { PATH: process.env['PATH'] }, folder, temporaryFolder: folder, clock: systemClock, ...options });
}

/** A folder whose only program is an `sh` that does not know `pipefail`. */
function folderWithOldShell(): string {
  const programs = join(folder, 'programs');
  mkdirSync(programs);
  writeFileSync(join(programs, 'sh'), '#!/bin/sh\ncase "$1$2" in *pipefail*) exit 2 ;; esac\nexec /bin/sh "$@"\n', { mode: 0o755 });
  return programs;
}

async function run(command: CommandSource) {
  const stream = await onlyStream(command);
  const open = await stream.open();
  try {
    const seen = await readToEnd(open);
    return { seen, outcome: await open.finish(seen).catch((error: unknown) => error) };
  } finally {
    await open.close();
  }
}

async function expectGone(pid: number): Promise<void> {
  for (let left = 50; left > 0 && isRunning(pid); left--) await systemClock.sleep(20);
  expect(isRunning(pid)).toBe(false);
}

/** A zombie that nobody reaps has ended, too. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
