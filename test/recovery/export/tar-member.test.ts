import { execFileSync, spawnSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { byteString, fromText } from '../../../lib/model/byte-string.ts';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import { BLOCK_BYTES, TAR_TYPE, endOfArchive } from '../../../lib/recovery/export/tar-header.ts';
import { memberHeader } from '../../../lib/recovery/export/tar-member.ts';
import type { TarMember } from '../../../lib/recovery/export/tar-member.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const FILE: TarMember = { type: TAR_TYPE.file, path: fromText('a/b'), size: 0, mode: 0o644, uid: 1, gid: 2, mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 0 };

/** Keywords and values of the extended header, read as POSIX says; nothing where there is none. */
function recordsOf(header: Uint8Array): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  if (String.fromCharCode(header[156] ?? 0) !== 'x') return records;
  const size = Number.parseInt(Buffer.from(header.subarray(124, 135)).toString(), 8);
  for (let rest = Buffer.from(header.subarray(BLOCK_BYTES, BLOCK_BYTES + size)); rest.length > 0; ) {
    const length = Number.parseInt(rest.toString('latin1'), 10);
    const text = rest.subarray(rest.indexOf(' ') + 1, length - 1);
    const equals = text.indexOf('=');
    expect(rest[length - 1]).toBe(10);
    records.set(text.subarray(0, equals).toString('latin1'), text.subarray(equals + 1));
    rest = rest.subarray(length);
  }
  return records;
}

/** What GNU tar shows of an archive with this one member; its content is a hole of the archive's file. */
function listed(member: TarMember): string {
  const archive = join(temporaryFolder(), 'a.tar');
  const header = memberHeader(member);
  writeFileSync(archive, header);
  const end = header.length + member.size + ((BLOCK_BYTES - (member.size % BLOCK_BYTES)) % BLOCK_BYTES);
  truncateSync(archive, end + endOfArchive(end).length);
  return execFileSync('tar', ['-tv', '--full-time', '--quoting-style=escape', '--numeric-owner', '-f', archive], { encoding: 'utf8', env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

describe('one member of an export (K9)', () => {
  it('takes one block when everything fits into it, and the same bytes every time', () => {
    expect(memberHeader(FILE)).toHaveLength(BLOCK_BYTES);
    expect(memberHeader({ ...FILE })).toEqual(memberHeader(FILE));
  });

  it.each<[string, Partial<TarMember>, string]>([
    ['a file of 9 GiB', { size: 9 * 2 ** 30 + 1 }, '-rw-r--r-- 1/2 9663676417 2023-11-14 22:13:20 a/b'],
    ['a file of 8 TiB', { size: 8 * 2 ** 40 }, '-rw-r--r-- 1/2 8796093022208 2023-11-14 22:13:20 a/b'],
    ['nanoseconds', { mtimeNanoseconds: 123_456_789 }, '-rw-r--r-- 1/2 0 2023-11-14 22:13:20.123456789 a/b'],
    ['a time before 1970', { mtimeSeconds: -86_400 }, '-rw-r--r-- 1/2 0 1969-12-31 00:00:00 a/b'],
    ['owners beyond seven octal digits', { uid: 3_000_000, gid: 4_294_967_294 }, '-rw-r--r-- 3000000/4294967294 0 2023-11-14 22:13:20 a/b'],
    ['setuid, setgid and sticky bits', { mode: 0o7755 }, '-rwsr-sr-t 1/2 0 2023-11-14 22:13:20 a/b'],
    ['a name of 300 bytes', { path: fromText(`${'d'.repeat(200)}/${'f'.repeat(99)}`) }, `-rw-r--r-- 1/2 0 2023-11-14 22:13:20 ${'d'.repeat(200)}/${'f'.repeat(99)}`],
    ['a short name that is no UTF-8', { path: byteString(Buffer.from([0x61, 0xff])) }, String.raw`-rw-r--r-- 1/2 0 2023-11-14 22:13:20 a\377`],
    ['a long name that is no UTF-8', { path: `${'x'.repeat(150)}\xff` as ByteString }, String.raw`-rw-r--r-- 1/2 0 2023-11-14 22:13:20 ${'x'.repeat(150)}\377`],
    ['the top directory', { type: TAR_TYPE.directory, path: '' as ByteString, mode: 0o700 }, 'drwx------ 1/2 0 2023-11-14 22:13:20 ./'],
    ['a symbolic link to a long target', { type: TAR_TYPE.symlink, linkTarget: fromText('t'.repeat(150)) }, `lrw-r--r-- 1/2 0 2023-11-14 22:13:20 a/b -> ${'t'.repeat(150)}`],
    ['a hard link', { type: TAR_TYPE.hardLink, linkTarget: fromText('first') }, 'hrw-r--r-- 1/2 0 2023-11-14 22:13:20 a/b link to first'],
    ['a device', { type: TAR_TYPE.blockDevice, device: { major: 259, minor: 1_048_575 } }, 'brw-r--r-- 1/2 259,1048575 2023-11-14 22:13:20 a/b'],
    ['a device with numbers beyond seven octal digits', { type: TAR_TYPE.characterDevice, device: { major: 0o10000000, minor: 7 } }, 'crw-r--r-- 1/2 2097152,7 2023-11-14 22:13:20 a/b'],
  ])('is read by GNU tar as it was: %s', (_what, fields, line) => {
    expect(listed({ ...FILE, ...fields }).replaceAll(/ {2,}/g, ' ')).toBe(line);
  });

  it('says in the extended header what ustar cannot hold, and that names there are no UTF-8', () => {
    expect([...recordsOf(memberHeader({ ...FILE, path: `${'x'.repeat(150)}\xff` as ByteString })).keys()]).toEqual(['hdrcharset', 'path']);
    expect([...recordsOf(memberHeader({ ...FILE, path: fromText('ü'.repeat(80)) })).keys()]).toEqual(['path']);
    expect(recordsOf(memberHeader({ ...FILE, size: 2 ** 53 - 1 })).get('size')?.toString()).toBe('9007199254740991');
  });

  it('counts down before 1970, where a record counts nanoseconds up', () => {
    // GNU tar restores it so and lists another fraction.
    expect(recordsOf(memberHeader({ ...FILE, mtimeSeconds: -86_400, mtimeNanoseconds: 250_000_000 })).get('mtime')?.toString()).toBe('-86399.750000000');
  });

  it('keeps extended attributes as bytes under escaped names', () => {
    const value = Buffer.from([0, 10, 255, 61]);
    const records = recordsOf(memberHeader({ ...FILE, xattrs: [{ name: 'user.a=b%' as ByteString, value }, { name: 'user.n' as ByteString, value: Buffer.alloc(0) }] }));
    expect(records.get('SCHILY.xattr.user.a%3Db%25')).toEqual(value);
    expect(records.get('SCHILY.xattr.user.n')).toHaveLength(0);
  });

  it('counts the length of a record with its own digits, whatever the length', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 1200 }), (length) => {
      const value = Buffer.alloc(length, 7);
      expect(recordsOf(memberHeader({ ...FILE, xattrs: [{ name: 'n' as ByteString, value }] })).get('SCHILY.xattr.n')).toEqual(value);
    }), { numRuns: 300 });
  });

  it('ends an archive with two blocks of zeros, on a border of 10 KiB', () => {
    for (const bytes of [0, 512, 9216, 9728, 10_240]) {
      const end = endOfArchive(bytes);
      expect([bytes, (bytes + end.length) % 10_240, end.length >= 1024]).toEqual([bytes, 0, true]);
    }
    const broken = join(temporaryFolder(), 'b.tar');
    const header = Buffer.from(memberHeader(FILE));
    header[0] = 0x7a;
    writeFileSync(broken, Buffer.concat([header, endOfArchive(512)]));
    expect(spawnSync('tar', ['-tf', broken]).status).not.toBe(0);
  });
});
