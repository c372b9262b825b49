import { chmodSync, cpSync, linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareTrees } from '../../lib/recovery/compare-trees.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function pair(): [string, string] {
  const folder = temporaryFolder();
  const [left, right] = [join(folder, 'left'), join(folder, 'right')];
  mkdirSync(join(left, 'd'), { recursive: true });
  writeFileSync(join(left, 'd/f'), Buffer.alloc(3 << 20, 'x'));
  writeFileSync(join(left, 'g'), 'g');
  symlinkSync('g', join(left, 'l'));
  for (const path of ['d/f', 'g', 'd', '.']) utimesSync(join(left, path), 1_700_000_000, 1_700_000_000.123456);
  cpSync(left, right, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  for (const path of ['d/f', 'g', 'd', '.']) utimesSync(join(right, path), 1_700_000_000, 1_700_000_000.123456);
  return [left, right];
}

describe('comparing two trees', () => {
  const equalLinks = (difference: { path: string; what: string }) => !(difference.path === 'l' && difference.what === 'time');

  it('finds none between equal ones and counts every byte', () => {
    const [left, right] = pair();
    const { files, bytes, differences } = compareTrees(left, right, { top: true });
    expect({ files, bytes, differences: differences.filter(equalLinks) }).toEqual({ files: 2, bytes: (3 << 20) + 1, differences: [] });
  });

  it.each<[string, (right: string) => void, { path: string; what: string }]>([
    ['a byte near the end', (right) => writeFileSync(join(right, 'd/f'), Buffer.concat([Buffer.alloc((3 << 20) - 1, 'x'), Buffer.from('y')])), { path: 'd/f', what: 'content' }],
    ['a longer file', (right) => writeFileSync(join(right, 'g'), 'gg'), { path: 'g', what: 'content' }],
    ['a mode', (right) => chmodSync(join(right, 'g'), 0o600), { path: 'g', what: 'mode' }],
    ['a time', (right) => utimesSync(join(right, 'd'), 1, 1), { path: 'd', what: 'time' }],
    ['an extra entry', (right) => writeFileSync(join(right, 'new'), ''), { path: 'new', what: 'extra' }],
    ['hard links', (right) => linkSync(join(right, 'g'), join(right, 'd/g')), { path: 'd/g', what: 'extra' }],
  ])('finds %s', (_what, change, wanted) => {
    const [left, right] = pair();
    change(right);
    expect(compareTrees(left, right).differences).toContainEqual(wanted);
  });

  it('finds what is missing, another type, another link target', () => {
    const [left, right] = pair();
    writeFileSync(join(left, 'only'), '');
    symlinkSync('a', join(left, 'm'));
    symlinkSync('b', join(right, 'm'));
    mkdirSync(join(left, 'n'));
    writeFileSync(join(right, 'n'), '');
    const found = compareTrees(left, right).differences.map(({ path, what }) => `${path} ${what}`);
    expect(found).toEqual(expect.arrayContaining(['only missing', 'm target', 'n type']));
  });
});
