import fc from 'fast-check';
import type { ByteString } from '../../lib/model/byte-string.ts';
import { ByteWriter, ENTRY, FLAG, checkPath, comparePaths, decodeBody, encodeBody, encodeFileWithRefs, encodeRef } from '../../lib/repository/index.ts';
import type { ChunkRef, EntryBody, FileBody, Xattr } from '../../lib/repository/index.ts';

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const byteText = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((value) => Buffer.from(value).toString('latin1') as ByteString);
const common = { mode: fc.nat(0o7777), uid: fc.nat(2 ** 32 - 1), gid: fc.nat(2 ** 32 - 1), mtimeSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), mtimeNanoseconds: fc.nat(999_999_999) };
const xattrs = fc.option(fc.array(fc.record({ name: byteText, value: fc.uint8Array({ maxLength: 50 }) }), { minLength: 1, maxLength: 4 }), { nil: undefined });
const ref: fc.Arbitrary<ChunkRef> = fc.record({ id: bytes(32), pack: bytes(16), length: fc.nat(2 ** 31) });

const file = fc
  .record({ ...common, type: fc.constantFrom(ENTRY.file, ENTRY.stream), size: fc.maxSafeNat(), ctimeSeconds: fc.integer(), ctimeNanoseconds: fc.nat(999_999_999), inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), refs: fc.array(ref, { maxLength: 5 }), linkGroup: fc.option(bytes(16), { nil: undefined }), sha256: fc.option(bytes(32), { nil: undefined }), xattrs, racy: fc.boolean() })
  .map(({ linkGroup, sha256, xattrs: attributes, racy, ...rest }): EntryBody => {
    const flags = (racy ? FLAG.racy : 0) | (linkGroup ? FLAG.linked : 0) | (sha256 ? FLAG.digest : 0) | (attributes ? FLAG.xattrs : 0);
    return { ...rest, flags, ...(linkGroup && { linkGroup }), ...(sha256 && { sha256 }), ...(attributes && { xattrs: attributes }) };
  });
function withXattrs<T extends { xattrs: readonly Xattr[] | undefined }>({ xattrs: attributes, ...rest }: T) {
  return { ...rest, flags: attributes ? FLAG.xattrs : 0, ...(attributes && { xattrs: attributes }) };
}
const directory = fc.record({ ...common, type: fc.constant(ENTRY.directory), xattrs }).map((record) => withXattrs(record) as EntryBody);
const symlink = fc.record({ ...common, type: fc.constant(ENTRY.symlink), target: byteText.filter((target) => !target.includes('\0')), xattrs }).map((record) => withXattrs(record) as EntryBody);
const special = fc.record({ ...common, flags: fc.constant(0), type: fc.constantFrom(ENTRY.fifo, ENTRY.socket, ENTRY.characterDevice, ENTRY.blockDevice), major: fc.nat(4095), minor: fc.nat(2 ** 20) });

function encoded(body: EntryBody): Uint8Array {
  const writer = new ByteWriter(1);
  encodeBody(body, writer);
  return writer.finish();
}

/** Views and buffers as one kind, so that equal bytes are equal. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part)));
}

describe('entries (format §7)', () => {
  it('every entry comes back as it was', () => {
    fc.assert(fc.property(fc.oneof(file, directory, symlink, special), (body) => expect(plain(decodeBody(encoded(body), 'test'))).toEqual(plain(body))));
  });

  it('a body that lost its end, or has more behind it, is damaged', () => {
    fc.assert(
      fc.property(fc.oneof(file, directory, symlink, special), fc.nat(), (body, seed) => {
        const whole = encoded(body);
        expect(() => decodeBody(whole.subarray(0, seed % whole.length), 'test')).toThrow(expect.objectContaining({ code: 'damaged' }));
        expect(() => decodeBody(Buffer.concat([whole, Buffer.of(0)]), 'test')).toThrow(expect.objectContaining({ code: 'damaged' }));
      }),
    );
  });

  it('no bytes whatever are taken for an entry without being one, or end in another error than damaged', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        try {
          decodeBody(noise, 'test');
        } catch (error) {
          expect(error).toMatchObject({ code: 'damaged' });
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each(['', '\0', 'a\0b'])('a symbolic link to %j is refused: no link leads there, and an export would name another target (K9)', (target) => {
    const link = { type: ENTRY.symlink, flags: 0, mode: 0o777, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, target: target as ByteString };
    expect(() => decodeBody(encoded(link), 'entry a')).toThrow(expect.objectContaining({ code: 'damaged', message: expect.stringContaining('is no target of a symbolic link') }));
  });

  it('refs that are encoded already give the same bytes', () => {
    fc.assert(
      fc.property(file, (body) => {
        const { refs } = body as FileBody;
        const writer = new ByteWriter(1);
        for (const one of refs) encodeRef(one, writer);
        const whole = new ByteWriter(1);
        encodeFileWithRefs(body as FileBody, refs.length, writer.view(), whole);
        expect(Buffer.from(whole.view()).equals(encoded(body))).toBe(true);
      }),
    );
  });
});

const component = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', '\x01', '\xff', '0'), minLength: 1, maxLength: 4 }).filter((name) => name !== '.' && name !== '..');
const path = fc.array(component, { maxLength: 4 }).map((parts) => parts.join('/'));

describe('paths', () => {
  it('sort component by component, byte by byte, a directory before what it holds', () => {
    const byComponents = (left: string, right: string) => {
      const [a, b] = [left === '' ? [] : left.split('/'), right === '' ? [] : right.split('/')];
      for (let index = 0; index < Math.min(a.length, b.length); index++) {
        const order = Buffer.compare(Buffer.from(a[index] as string, 'latin1'), Buffer.from(b[index] as string, 'latin1'));
        if (order !== 0) return order;
      }
      return Math.sign(a.length - b.length);
    };
    fc.assert(fc.property(path, path, (left, right) => expect(Math.sign(comparePaths(left, right))).toBe(byComponents(left, right))), { numRuns: 2000 });
    expect(comparePaths('a/b', 'a.b')).toBeLessThan(0);
  });

  it.each(['/', '/a', 'a/', 'a//b', '.', '..', 'a/..', '../a', 'a/../b', 'a/./b', './a', 'a\0b', '\0', 'x'.repeat(256), `a/${'x'.repeat(256)}`])('%j is refused', (given) => {
    expect(() => checkPath(given)).toThrow(expect.objectContaining({ code: 'damaged' }));
  });

  it.each(['', 'a', '...', '.a', 'a.', '..a', 'a/...', '\xff', 'new\nline', 'x'.repeat(255)])('%j is fine', (given) => {
    expect(() => checkPath(given)).not.toThrow();
  });
});
