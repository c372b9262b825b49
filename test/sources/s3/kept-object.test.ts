import { attributeOf, isSameObject, s3ObjectOf } from '../../../lib/sources/s3/kept-object.ts';

const OBJECT = { etag: 'a1', modified: 1_767_225_600_000, contentType: 'image/webp', metadata: { owner: 'ops' }, tags: { team: 'blue' } };
const LISTED = { size: 5, etag: 'a1', modified: 1_767_225_600_000 };
const kept = { size: 5, mtimeSeconds: 0, mtimeNanoseconds: 0, attributes: [attributeOf(OBJECT)] };

describe('what is kept of an object beside its bytes (S7)', () => {
  it('comes back as it was', () => {
    expect(s3ObjectOf([attributeOf(OBJECT)])).toEqual(OBJECT);
    expect(s3ObjectOf([])).toBeUndefined();
  });

  it.each([
    ['everything is as it was', {}, true],
    ['the ETag is another', { etag: 'a2' }, false],
    ['the size is another', { size: 6 }, false],
    ['the time is another: headers may be', { modified: 1_767_225_601_000 }, false],
  ])('is taken over or not: %s', (_what, difference, expected) => {
    expect(isSameObject(kept, { ...LISTED, ...difference })).toBe(expected);
  });

  it('of an entry that came from no bucket nothing is taken over', () => {
    expect(isSameObject({ size: 5, mtimeSeconds: 0, mtimeNanoseconds: 0, attributes: [] }, LISTED)).toBe(false);
  });

  it.each(['{', '{"etag":1}', '{"etag":"a","modified":1,"tags":{"a":1}}'])('%s is damage, not an object', (text) => {
    expect(() => s3ObjectOf([{ ...attributeOf(OBJECT), value: Buffer.from(text) }])).toThrow(expect.objectContaining({ code: 'damaged' }));
  });
});
