import { TarReader } from '../../lib/sources/tar-reader.ts';
import { member, smallTar } from './small-tar.ts';

const MEMBERS = [{ name: 'empty' }, { name: 'folder/', type: '5' }, { name: 'folder/block', content: Buffer.alloc(512, 1) }, { name: 'folder/odd', content: 'seven b' }, { name: 'large', content: Buffer.alloc(5000, 2) }] as const;

function read(bytes: Uint8Array, pieceBytes = bytes.length): { readonly seen: readonly string[] } {
  const seen: string[] = [];
  let content = 0;
  const reader = new TarReader({ member: ({ name, type, size }) => void seen.push(`${name} ${type} ${size}`), data: (part) => void (content += part.length), memberEnd: () => void seen.push(`end after ${content}`) });
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.add(bytes.subarray(at, at + pieceBytes));
  reader.end();
  return { seen };
}

describe('a tar archive that passes by (S2)', () => {
  it('is told in the same way whatever pieces it comes in', () => {
    const tar = smallTar(MEMBERS);
    const { seen } = read(tar);
    expect(seen).toEqual(['empty 0 0', 'end after 0', 'folder/ 5 0', 'end after 0', 'folder/block 0 512', 'end after 512', 'folder/odd 0 7', 'end after 519', 'large 0 5000', 'end after 5519']);
    for (const size of [1, 7, 511, 512, 513, 4096]) expect(read(tar, size).seen).toEqual(seen);
  });

  it('is whole only with its end: cut anywhere before, it is damaged', () => {
    const tar = smallTar(MEMBERS);
    const end = MEMBERS.reduce((sum, one) => sum + member(one).length, 0) + 1024;
    for (let length = 0; length < end; length += 97) expect(() => read(tar.subarray(0, length))).toThrow(/ends (in the middle of|without the two blocks)/);
    for (const length of [end - 512, end - 1]) expect(() => read(tar.subarray(0, length))).toThrow(/without the two blocks/);
    expect(() => read(tar.subarray(0, end))).not.toThrow();
  });

  it.each<readonly [string, (tar: Buffer) => Buffer, RegExp]>([
    ['a header that was changed', (tar) => (tar.writeUInt8(tar.readUInt8(3) ^ 1, 3), tar), /wrong checksum/],
    ['something behind its end', (tar) => Buffer.concat([tar, member({ name: 'late' })]), /goes on after its end/],
    ['bytes that are no archive', () => Buffer.alloc(2048, 'x'), /number that is none|wrong checksum/],
  ])('is damaged by %s', (_what, change, said) => {
    expect(() => read(change(smallTar(MEMBERS)))).toThrow(said);
  });
});
