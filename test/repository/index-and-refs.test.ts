import fc from 'fast-check';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { ByteWriter, Subkeys, decodeRefs, encodeRefs, isSigned, names, newRepositoryConfig, openIndex, readConfig, readRefs, sealIndex, sealObject, signRefs, writeConfig } from '../../lib/repository/index.ts';
import type { Refs } from '../../lib/repository/index.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';
import { TEST_KEYS, testRepository } from '../support/run-backup.ts';

const { keys } = testRepository();
const damaged = expect.objectContaining({ code: 'damaged' });

describe('the index (format §6)', () => {
  const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
  // Ids that agree in their first bytes are where a sort by those goes wrong.
  const close = fc.uint8Array({ minLength: 2, maxLength: 2 }).map((end) => Uint8Array.from([...new Uint8Array(30), ...end]));

  it('says of every chunk in which pack it lies, ids ascending', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.oneof(id, close), { maxLength: 20 }), { maxLength: 5 }), (packs) => {
        const part = { supersedes: [`index/${'ab'.repeat(16)}/01M7YJTCGE6X6BE50ZDRH1NXJX-0`], packs: packs.map((ids, index) => ({ name: `packs/hot/${'ab'.repeat(16)}/00/${index}`, size: index * 1000, sha256: '5a'.repeat(32), keyNumber: 1, ids: Buffer.concat(ids) })) };
        const opened = openIndex(keys, 'index/w/r-0', sealIndex(keys, 'index/w/r-0', part, 'aes-256-gcm'));
        expect(opened.supersedes).toEqual(part.supersedes);
        expect(opened.packs).toEqual(part.packs.map(({ ids: _ids, ...pack }) => pack));
        const claims = Array.from(opened.ordinals, (ordinal, index) => `${Buffer.from(opened.ids.subarray(index * 32, index * 32 + 32)).toString('hex')} ${ordinal}`);
        const wanted = packs.flatMap((ids, ordinal) => ids.map((one) => `${Buffer.from(one).toString('hex')} ${ordinal}`));
        expect([...claims].sort()).toEqual(wanted.sort());
        const hex = claims.map((claim) => claim.slice(0, 64));
        expect(hex).toEqual([...hex].sort());
      }),
      { numRuns: 50 },
    );
  });

  it('is refused under another name, and when it claims a pack that it does not list', () => {
    const stored = sealIndex(keys, 'index/w/r-0', { supersedes: [], packs: [] }, 'aes-256-gcm');
    expect(() => openIndex(keys, 'index/w/r-1', stored)).toThrow(damaged);
  });

  it('that announces more names than it has room for is refused before room is made for them', () => {
    const lie = new ByteWriter().varint(1 << 20).bytes(new Uint8Array(4 << 20)).finish();
    expect(() => openIndex(keys, 'index/w/r-0', sealObject(keys, 'index', 'index/w/r-0', lie, 'aes-256-gcm'))).toThrow(expect.objectContaining({ code: 'damaged', message: expect.stringContaining('1048576 items announced') }));
  });
});

describe('refs (format §8)', () => {
  const refs: Refs = { format: 1, repository: keys.repository, kind: 'refs', plan: 'p', backup: 'b', run: 'r', revision: 1, packs: [{ name: 'packs/hot/w/00/x', size: 1, sha256: 'ab' }], replaced: [{ old: 'x', new: 'y' }] };
  const name = names.refs('p', 'b', 1);

  it('come back, and a signature holds for exactly them under their name', () => {
    const signed = signRefs(keys, name, refs);
    expect(decodeRefs(encodeRefs(signed), name, keys.repository)).toEqual(signed);
    expect(isSigned(keys, name, signed)).toBe(true);
    // Whatever order the keys came in.
    expect(isSigned(keys, name, Object.fromEntries(Object.entries(signed).reverse()) as Refs)).toBe(true);
  });

  it.each<[string, Partial<Refs>, string]>([
    ['under another name', {}, names.refs('p', 'b', 2)],
    ['with a pack more', { packs: [...refs.packs, { name: 'packs/hot/w/00/z', size: 1, sha256: 'ab' }] }, name],
    ['with a pack less', { packs: [] }, name],
    ['with another replacement', { replaced: [{ old: 'x', new: 'z' }] }, name],
    ['without a signature', { mac: undefined }, name],
    ['with a short signature', { mac: 'AAAA' }, name],
  ])('are not genuine %s', (_what, change, under) => {
    expect(isSigned(keys, under, { ...signRefs(keys, name, refs), ...change } as Refs)).toBe(false);
  });

  it('are not genuine under other keys, and stay genuine after a rotation', () => {
    const signed = signRefs(keys, name, refs);
    const other = new Subkeys(keys.repository, { ...TEST_KEYS, pairs: [{ number: 1, meta: new Uint8Array(32).fill(7) }] });
    const rotated = new Subkeys(keys.repository, { ...TEST_KEYS, pairs: [...TEST_KEYS.pairs, { number: 2, meta: new Uint8Array(32).fill(7) }] });
    expect(isSigned(other, name, signed)).toBe(false);
    expect(isSigned(rotated, name, signed)).toBe(true);
  });

  it('are not hidden by what only looks like a later revision: anyone who writes to the store can put it there', async () => {
    const store = new MemoryStore(systemClock);
    const fixture = new FixtureSnapshot(store);
    const { manifest } = await (await fixture.file('x', 'content')).build();
    const revision0 = names.refs(manifest.plan, manifest.backup, 0);
    for (const revision of ['7', '007', '99999999999999999999', '1.0', '1e3']) await store.put(`${revision0.slice(0, -1)}${revision}`, Buffer.from('{}'));
    expect(await readRefs(fixture.repository, manifest)).toMatchObject({ revision: 0, packs: [{}, {}] });
  });

  it('of a repository with an endless name that would steer a terminal are refused in a few words', () => {
    const hostile = encodeRefs({ ...refs, repository: `\u009b\u202e${'x'.repeat(100_000)}` });
    expect(() => decodeRefs(hostile, name, keys.repository)).toThrow(expect.objectContaining({ code: 'damaged', message: expect.stringMatching(/^[\x20-\x7e]{1,300}$/) }));
  });

  it('of another repository, or what is no refs, are damaged; a newer format asks for a newer program', () => {
    expect(() => decodeRefs(encodeRefs(refs), name, 'ee'.repeat(16))).toThrow(damaged);
    for (const odd of ['', 'packs/', 'packs/hot/../x', 'snapshots/x', 'packs/a b', `packs/${'x'.repeat(300)}`]) expect(() => decodeRefs(encodeRefs({ ...refs, packs: [{ name: odd, size: 1, sha256: '' }] }), name)).toThrow(damaged);
    for (const text of ['', '{', 'null', '[]', '{"format":1}']) expect(() => decodeRefs(Buffer.from(text), name)).toThrow(damaged);
    expect(() => decodeRefs(encodeRefs({ ...refs, format: 2 }), name)).toThrow(expect.objectContaining({ code: 'unsupported-version' }));
  });
});

describe('the configuration (format §2)', () => {
  const store = () => new MemoryStore(systemClock);

  it('comes back as it was written; where none is, no vault is', async () => {
    const empty = store();
    await expect(readConfig(empty)).rejects.toMatchObject({ code: 'vault-not-found' });
    const config = newRepositoryConfig();
    await writeConfig(empty, config);
    expect(await readConfig(empty)).toEqual(config);
  });

  it.each([
    ['chunks without a bound', { files: { min: 4096, avg: 8192, max: 2 ** 30 } }, 'damaged'],
    ['chunks of a byte', { files: { min: 1, avg: 2, max: 3 } }, 'damaged'],
    ['an average out of order', { files: { min: 8192, avg: 8192, max: 16_384 } }, 'damaged'],
  ])('with %s is refused', async (_what, chunker, code) => {
    const memory = store();
    const config = newRepositoryConfig();
    await memory.put('holdfast.json', Buffer.from(JSON.stringify({ ...config, chunker: { ...config.chunker, ...chunker } })));
    await expect(readConfig(memory)).rejects.toMatchObject({ code });
  });

  it('of a newer format is refused as such, of no sense as damaged', async () => {
    for (const [text, code] of [['{"format":2,"other":true}', 'unsupported-version'], ['{"format":1}', 'damaged'], ['no json', 'damaged'], ['null', 'damaged']] as const) {
      const memory = store();
      await memory.put('holdfast.json', Buffer.from(text));
      await expect(readConfig(memory)).rejects.toMatchObject({ code });
    }
  });

  it('keys: every kind has its own subkey, of its own repository', () => {
    const kinds = ['frame', 'tree', 'directory', 'index', 'snapshot', 'partial', 'verdict', 'plan', 'refs-mac'] as const;
    const seen = kinds.map((kind) => Buffer.from(keys.subkey(kind)).toString('hex'));
    const elsewhere = new Subkeys('ee'.repeat(16) as RepositoryId, TEST_KEYS);
    expect(new Set([...seen, ...kinds.map((kind) => Buffer.from(elsewhere.subkey(kind)).toString('hex'))]).size).toBe(kinds.length * 2);
  });
});
