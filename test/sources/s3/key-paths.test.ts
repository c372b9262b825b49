import type { ByteString } from '../../../lib/model/byte-string.ts';
import { comparePaths } from '../../../lib/model/path-order.ts';
import { checkPath } from '../../../lib/repository/entry.ts';
import { keyOfPath, pathOfKey } from '../../../lib/sources/s3/key-paths.ts';
import { isOdd, randomKeys } from './random-keys.ts';

const key = (text: string) => text as ByteString;

describe('keys of a bucket as paths (S7)', () => {
  it.each([
    ['a/b.txt', 'a/b.txt'],
    ['a//b', 'a/!/b'],
    ['folder/', 'folder/!'],
    ['/a', '!/a'],
    ['/', '!/!'],
    ['../../etc/passwd', '..!/..!/etc/passwd'],
    ['.', '.!'],
    ['./a', '.!/a'],
    ['...', '...'],
    ['.hidden', '.hidden'],
    ['!x', '!!x'],
    ['..!', '..!!'],
    [' x', '! x'],
    ['a\0b', 'a\x01\x01b'],
    ['a\x01b', 'a\x01\x02b'],
    ['x'.repeat(250), 'x'.repeat(250)],
    ['x'.repeat(251), `${'x'.repeat(250)}+/x`],
    [`${'x'.repeat(250)}..`, `${'x'.repeat(250)}+/..!`],
    [`${'x'.repeat(250)}!`, `${'x'.repeat(250)}+/!!`],
  ])('%j is at %j and nowhere else', (given, path) => {
    expect(pathOfKey(key(given))).toBe(path);
    expect(keyOfPath(path as ByteString)).toBe(given);
  });

  it('an object that others lie below is in their folder, before all of them', () => {
    expect(pathOfKey(key('a'), true)).toBe('a/ object');
    expect(keyOfPath(key('a/ object'))).toBe('a');
    for (const below of ['a/', 'a//', 'a/\0', 'a/!', 'a/ ', 'a/ object']) expect(comparePaths('a/ object', pathOfKey(key(below)))).toBeLessThan(0);
  });

  it('gives every key back, leads into the backup alone, and keeps their order', () => {
    const keys = randomKeys(7, 20_000);
    expect(keys.filter(isOdd).length).toBeGreaterThan(1000);
    const paths = keys.map((one) => pathOfKey(one));
    for (const [index, path] of paths.entries()) {
      checkPath(path);
      expect(keyOfPath(path)).toBe(keys[index]);
    }
    expect(new Set(paths).size).toBe(new Set(keys).size);
    const byKey = [...new Set(keys)].sort((left, right) => comparePaths(left, right));
    expect([...new Set(paths)].sort((left, right) => comparePaths(left, right)).map(keyOfPath)).toEqual(byKey);
  });
});
