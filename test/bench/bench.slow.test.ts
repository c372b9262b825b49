import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChangingTree, changeStream, filesBelow, makeStream, makeTree } from '../../bench/data.ts';
import { measure } from '../../bench/measure.ts';
import { difference } from '../../bench/restored.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('the comparison with other tools', () => {
  it('measures CPU time and memory of all processes of a step together', async () => {
    const folder = temporaryFolder();
    const busy = `'${process.execPath}' -e "const b = Buffer.alloc(100 << 20, 1); const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end); console.log(b.length)"`;
    const outcome = await measure(`${busy} & ${busy} & wait`, process.env, join(folder, 'times'));
    expect(outcome).toMatchObject({ cpuSeconds: expect.any(Number) });
    if ('message' in outcome) return;
    expect(outcome.cpuSeconds).toBeGreaterThan(0.6);
    expect(outcome.peakKiB).toBeGreaterThan(200 << 10);
    expect(outcome.peakKiB).toBeLessThan(600 << 10);
  });

  it('a step that fails is told with its exit code and last words', async () => {
    expect(await measure('echo broken >&2; exit 3', process.env, join(temporaryFolder(), 'times'))).toEqual({ exitCode: 3, message: 'broken' });
  });

  it('makes the same data every time, and changes one file in a hundred and back', () => {
    const folder = temporaryFolder();
    for (const name of ['one', 'two']) makeTree(join(folder, name), 200);
    expect(difference(join(folder, 'one'), join(folder, 'two'))).toBeUndefined();
    const tree = new ChangingTree(join(folder, 'one'), folder);
    const inodes = () => filesBelow(tree.root).map((path) => statSync(join(tree.root, path)).ino);
    const before = inodes();
    tree.change();
    expect(inodes().filter((inode, index) => inode !== before[index])).toHaveLength(2);
    expect(difference(join(folder, 'one'), tree.root)).toMatch(/has another content$/);
    tree.changeBack();
    expect(difference(join(folder, 'one'), tree.root)).toBeUndefined();
    expect(inodes()).toEqual(before);
  });

  it('changes one byte in a hundred of a dump, in a few runs', async () => {
    const folder = temporaryFolder();
    makeStream(join(folder, 'first'), 2);
    await changeStream(join(folder, 'first'), join(folder, 'second'));
    const [first, second] = [readFileSync(join(folder, 'first')), readFileSync(join(folder, 'second'))];
    let changed = 0;
    for (const [index, byte] of first.entries()) if (byte !== second[index]) changed++;
    expect(second).toHaveLength(first.length);
    expect(changed / first.length).toBeGreaterThan(0.006);
    expect(changed / first.length).toBeLessThan(0.0101);
  });

  it('notices a restored tree that lacks a name, or differs in one byte', () => {
    const folder = temporaryFolder();
    for (const name of ['source', 'restored']) mkdirSync(join(folder, name, 'inner'), { recursive: true });
    const [source, restored] = [join(folder, 'source'), join(folder, 'restored')];
    writeFileSync(join(source, 'inner', 'file'), randomBytes(5000));
    expect(difference(source, restored)).toMatch(/holds 0 names, wanted 1$/);
    copyFileSync(join(source, 'inner', 'file'), join(restored, 'inner', 'file'));
    expect(difference(source, restored)).toBeUndefined();
    const bytes = readFileSync(join(source, 'inner', 'file'));
    bytes[4999] = (bytes[4999] as number) ^ 1;
    writeFileSync(join(restored, 'inner', 'file'), bytes);
    expect(difference(source, restored)).toMatch(/has another content$/);
  });
});
