import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { makePipe } from '../../lib/sources/pipe.ts';
import { StdinSource } from '../../lib/sources/stdin.ts';
import { failure, onlyStream, readToEnd } from './reading.ts';

let folder: string;
const opened: number[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-stdin-'));
});
afterEach(() => {
  for (const fd of opened.splice(0)) closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

describe('standard input as a source', () => {
  it('from a pipe gives everything up to its end', async () => {
    const stream = await onlyStream(source(await producer('head -c 3000000 /dev/zero')));
    expect(stream.sizeHint).toBeUndefined();
    const open = await stream.open();
    const seen = await readToEnd(open);
    expect(await open.finish(seen)).toEqual({ bytes: 3_000_000, evidence: ['end of input'] });
    await open.close();
  });

  it('from a file knows its size before', async () => {
    writeFileSync(join(folder, 'file'), 'x'.repeat(5000));
    expect((await onlyStream(source(openFile(join(folder, 'file'))))).sizeHint).toBe(5000);
  });

  it('that ends under the minimum size fails', async () => {
    const open = await (await onlyStream(source(await producer('printf 123'), 4))).open();
    const error = await failure(open.finish(await readToEnd(open)));
    expect(error).toMatchObject({ code: 'source-failed', message: 'Standard input ended after 3 bytes, wanted at least 4.' });
    await open.close();
  });

  it('is refused when it is a terminal', () => {
    const script = `
      const { StdinSource } = require(${JSON.stringify(join(__dirname, '..', '..', 'lib', 'sources', 'stdin.ts'))});
      new StdinSource({ name: 'x', minimumBytes: 1, clock: { now: Date.now } }).check().then(() => console.log('accepted'), (error) => console.log(error.code + ': ' + error.message));`;
    const line = [process.execPath, '--no-warnings', '-e', script].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
    const { stdout } = spawnSync('script', ['-qec', line, '/dev/null'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    expect(stdout.trim()).toBe('usage: Standard input is a terminal, wanted a pipe or a file.');
  });

  it('is refused when it is closed or a folder', async () => {
    expect((await failure(source(openFile(folder)).check())).code).toBe('usage');
    expect((await failure(source(9999).check())).code).toBe('usage');
  });

  it('lets a blocked reader go when the run is aborted, and then keeps nothing', async () => {
    const stop = new AbortController();
    const fd = await producer('echo begun; sleep 1');
    const open = await (await onlyStream(source(fd), stop.signal)).open();
    const seen = await readToEnd(open, () => stop.abort());
    expect(seen.tail.toString('latin1')).toMatch(/^begun\n\0/);
    expect((await failure(open.finish(seen))).code).toBe('interrupted');
    await open.close();
  });
});

function source(fd: number, minimumBytes = 1): StdinSource {
  return new StdinSource({ name: fromText('dump.sql'), minimumBytes, clock: systemClock, fd });
}

/** The read end of a pipe that a shell writes into. */
async function producer(command: string): Promise<number> {
  const { readEnd, writeEnd } = await makePipe(folder);
  spawn('sh', ['-c', command], { stdio: ['ignore', writeEnd, 'inherit'] });
  closeSync(writeEnd);
  opened.push(readEnd);
  return readEnd;
}

function openFile(path: string): number {
  const fd = openSync(path, 'r');
  opened.push(fd);
  return fd;
}
