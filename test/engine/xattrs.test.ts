import { readXattrs } from '../../lib/engine/xattrs.ts';

/** What the native module says is imitated here: no file system of a test machine has attributes of 64 KiB, or none at all. */
function native(attributes: Readonly<Record<string, Buffer | string>>, listing?: string) {
  const fail = (code: string): never => {
    throw Object.assign(new Error(code), { code });
  };
  return {
    listAttributesSync: () => (listing ? fail(listing) : Object.keys(attributes)),
    getAttributeSync: (_path: string, name: string) => {
      const value = attributes[name] ?? fail('ENODATA');
      return typeof value === 'string' ? fail(value) : value;
    },
  };
}

describe('extended attributes', () => {
  it('are kept up to 64 KiB in all, names included; beyond that none, and it is said', () => {
    const most = { 'user.a': Buffer.alloc(65_536 - 12), 'user.b': Buffer.alloc(0) };
    expect(readXattrs(native(most), '')).toMatchObject({ xattrs: [{ name: 'user.a' }, { name: 'user.b' }] });
    const tooMany = readXattrs(native({ ...most, 'user.c': Buffer.alloc(1) }), '');
    expect(tooMany).toMatchObject({ xattrs: [], problem: { code: 'xattrs-too-large' } });
  });

  it('are none on a file system without them', () => {
    for (const code of ['ENOTSUP', 'EOPNOTSUPP']) expect(readXattrs(native({}, code), '')).toEqual({ xattrs: [] });
    expect(readXattrs(native({}, 'EIO'), '')).toMatchObject({ xattrs: [], problem: { code: 'xattrs-unreadable' } });
  });

  it('that vanish meanwhile are passed over, those that may not be read are named, the others kept', () => {
    expect(readXattrs(native({ 'user.gone': 'ENODATA', 'user.kept': Buffer.of(1) }), '')).toEqual({ xattrs: [{ name: 'user.kept', value: Buffer.of(1) }] });
    const refused = readXattrs(native({ 'trusted.x': 'EPERM', 'user.\ufffd': 'ENODATA', 'user.kept': Buffer.of(1) }), '');
    expect(refused.xattrs).toHaveLength(1);
    expect(refused.problem?.message).toContain('trusted.x, user.\ufffd');
  });
});
