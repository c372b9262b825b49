import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { takeRunLock } from '../../lib/local/run-lock.ts';
import { writerIdentity } from '../../lib/local/writer-identity.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('the identity of a writer', () => {
  test('is made once and kept; first runs at once agree on one', async () => {
    const folder = join(temporaryFolder(), 'state');
    const writers = await Promise.all(Array.from({ length: 8 }, () => writerIdentity(folder)));
    expect(new Set(writers.map(({ id }) => id)).size).toBe(1);
    expect((await writerIdentity(folder)).id).toBe(writers[0]?.id);
    expect(readdirSync(folder)).toEqual(['writer']);
    expect(statSync(join(folder, 'writer')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'writer'), 'latin1')).toMatch(/^[0-9a-f]{32}\n$/);
  });

  test('is refused when the file holds something else: a wrong id would mix up two writers', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'writer'), '../../evil\n');
    await expect(writerIdentity(folder)).rejects.toMatchObject({ code: 'damaged' });
  });
});

describe('the lock of a plan', () => {
  test('keeps a second run out until it is released', () => {
    const path = join(temporaryFolder(), 'locks', 'plan');
    const lock = takeRunLock(path, 'docs');
    expect(() => takeRunLock(path, 'docs')).toThrow(expect.objectContaining({ code: 'busy', message: `The plan docs is being backed up already by process ${process.pid}.` }));
    lock.release();
    takeRunLock(path, 'docs').release();
  });

  test('of a dead process is gone with it', () => {
    const path = join(temporaryFolder(), 'plan');
    const program = `import(${JSON.stringify(join(__dirname, '..', '..', 'lib', 'local', 'run-lock.ts'))}).then(({ takeRunLock }) => { takeRunLock(${JSON.stringify(path)}, 'docs'); process.kill(process.pid, 'SIGKILL'); })`;
    expect(spawnSync(process.execPath, ['--no-warnings', '-e', program]).signal).toBe('SIGKILL');
    expect(readFileSync(`${path}.holder`, 'latin1')).toMatch(/^\d+\n$/);
    takeRunLock(path, 'docs').release();
  });

  test('of one plan does not keep another out', () => {
    const folder = temporaryFolder();
    const locks = [takeRunLock(join(folder, 'a'), 'a'), takeRunLock(join(folder, 'b'), 'b')];
    for (const lock of locks) lock.release();
  });
});
