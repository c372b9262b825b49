import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders } from '../../lib/local/make-folders.ts';
import { takeRunLock } from '../../lib/local/run-lock.ts';
import { machineId, writerIdentity } from '../../lib/local/writer-identity.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MACHINE = '0123456789abcdef0123456789abcdef';
const nameless = { chunkerSecret: Buffer.alloc(32, 1), machine: undefined, uid: 1000 };

describe('the identity of a writer', () => {
  test('outlives its state directory, and tells vaults, machines and users apart (K3)', async () => {
    const origin = { ...nameless, machine: MACHINE };
    const idOf = async (given: typeof origin) => (await writerIdentity(join(temporaryFolder(), 'state'), given)).id;
    const id = await idOf(origin);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(await idOf(origin)).toBe(id);
    const others = await Promise.all([idOf({ ...origin, uid: 1001 }), idOf({ ...origin, machine: MACHINE.replace('0', 'f') }), idOf({ ...origin, chunkerSecret: Buffer.alloc(32, 2) })]);
    expect(new Set([id, ...others]).size).toBe(4);
  });

  test('comes from the first machine id that is one', async () => {
    const folder = temporaryFolder();
    const file = (name: string, text: string) => (writeFileSync(join(folder, name), text), join(folder, name));
    const files = [join(folder, 'absent'), file('empty', ''), file('new', 'uninitialized\n'), file('zero', `${'0'.repeat(32)}\n`)];
    expect(await machineId(files)).toBeUndefined();
    expect(await machineId([...files, file('good', `${MACHINE}\n`)])).toBe(MACHINE);
  });

  test('without a machine id is made once and kept; first runs at once agree on one', async () => {
    const folder = join(temporaryFolder(), 'state');
    const writers = await Promise.all(Array.from({ length: 8 }, () => writerIdentity(folder, nameless)));
    expect(new Set(writers.map(({ id }) => id)).size).toBe(1);
    expect((await writerIdentity(folder, { ...nameless, machine: MACHINE })).id).toBe(writers[0]?.id);
    expect(readdirSync(folder)).toEqual(['writer']);
    expect(statSync(join(folder, 'writer')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'writer'), 'latin1')).toMatch(/^[0-9a-f]{32}\n$/);
  });

  test('is refused when the file holds something else: a wrong id would mix up two writers', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'writer'), '../../evil\n');
    await expect(writerIdentity(folder, nameless)).rejects.toMatchObject({ code: 'damaged' });
  });
});

describe('the folders of the state', () => {
  test('are made one by one, for their owner alone', () => {
    const path = join(temporaryFolder(), 'a', 'b');
    makeFolders(path);
    makeFolders(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  test('below /proc fail by name: the recursive mkdir of Node would never return', () => {
    expect(() => makeFolders('/proc/nope/holdfast')).toThrow(expect.objectContaining({ code: 'permission', message: expect.stringContaining('/proc/nope/holdfast') }));
    expect(() => makeFolders('/dev/null/holdfast')).toThrow(expect.objectContaining({ code: 'permission' }));
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
