import fc from 'fast-check';
import { findWal, listWal, openWalPart, parseWalFile, parseWalObjectName, putWal, readWhole, walFile, walObjectName } from '../../../lib/repository/index.ts';
import type { NewWalFile, Repository, WalBytes } from '../../../lib/repository/index.ts';
import { faulty } from '../../../lib/stores/faulty.ts';
import { memoryVault } from '../../support/vault.ts';

const PLAN = 'a'.repeat(32);
const SYSTEM = '7400000000000000001';
const SEGMENT = '000000010000000000000003';
const MIB = 1 << 20;
const place = { plan: PLAN, systemId: SYSTEM };

describe('names of WAL (S2)', () => {
  it.each([
    ['000000010000000A000000FF', 'segment', 1],
    ['0000000A0000000000000001.partial', 'partial', 10],
    ['00000002.history', 'history', 2],
    ['000000010000000000000003.00000028.backup', 'label', 1],
  ])('of PostgreSQL: %s is a %s', (name, kind, timeline) => expect(parseWalFile(name)).toMatchObject({ kind, timeline }));

  it.each(['', 'RECOVERYXLOG', '00000001000000000000003', '00000001000000000000000g', '00000002.history.tmp', '../00000002.history', '000000010000000000000003.backup', '000000000000000000000003'])('refuses %j as the name of a file', (name) => {
    expect(() => walFile(name)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('of objects are read back as they were made, whatever they are of', () => {
    const hex = (length: number) => fc.string({ unit: fc.constantFrom(...Array.from('0123456789ABCDEF')), minLength: length, maxLength: length });
    const file = fc.oneof(hex(24).map((name) => ({ name, kind: 'segment' as const })), hex(8).map((name) => ({ name: `${name}.history`, kind: 'history' as const })), fc.tuple(hex(24), hex(8)).map(([name, at]) => ({ name: `${name}.${at}.backup`, kind: 'label' as const })));
    fc.assert(fc.property(file, fc.integer({ min: 1, max: 32 }), fc.nat(2 ** 30), fc.boolean(), ({ name, kind }, parts, bytes, isPartial) => {
      const timeline = Number.parseInt(name.slice(0, 8), 16);
      fc.pre(timeline > 0);
      const partial = isPartial && kind === 'segment' ? { partial: { bytes, id: '01KAP2Q8X0J5T3M6W9RZB4V7CD' } } : {};
      const wanted = { ...place, name, timeline, ...partial, part: parts, parts };
      expect(parseWalObjectName(walObjectName(wanted))).toEqual({ ...wanted, kind: 'partial' in partial ? 'partial' : kind });
    }));
  });

  it.each([
    `wal/${PLAN}/${SYSTEM}/00000002/${SEGMENT}`, `wal/${PLAN}/${SYSTEM}/00000001/${SEGMENT}.1-1`, `wal/${PLAN}/${SYSTEM}/00000001/${SEGMENT}.3-2`, `wal/${PLAN}/${SYSTEM}/00000001/${SEGMENT}.partial.16.x`,
    `wal/${PLAN}/012/00000001/${SEGMENT}`, `wal/plan/${SYSTEM}/00000001/${SEGMENT}`, `wal/${PLAN}/${SYSTEM}/00000001/x/${SEGMENT}`, `wal/${PLAN}/${SYSTEM}/00000002/00000002.history.partial.1.01KAP2Q8X0J5T3M6W9RZB4V7CD`,
  ])('that say two things are nobody\'s: %s', (name) => expect(parseWalObjectName(name)).toBeUndefined());
});

describe('WAL in a vault (S2)', () => {
  it('leaves memory alone that a store shares with others, and gives its own back', async () => {
    const { repository, store } = memoryVault();
    const bytes = Buffer.from(Array.from({ length: 2 * MIB }, () => Math.floor(Math.random() * 256)));
    const { names: [name = ''] } = await putWal(repository, { ...segment(), segmentBytes: 2 * MIB }, of(bytes));
    const stored = await store.get(name);
    const cache = new Uint8Array(stored.length + 100);
    cache.set(stored, 50);
    const lending = { ...repository, store: { get: async () => cache.subarray(50, 50 + stored.length) } } as unknown as Repository;
    const [entry] = await listWal(store, PLAN);
    for (let turn = 0; turn < 2; turn++) expect((await readWhole(lending, entry as NonNullable<typeof entry>)).bytes.equals(bytes)).toBe(true);
    expect(cache.length).toBe(stored.length + 100);
  });

  it('keeps a segment once: the same bytes again are success, others are refused with both digests, and the first stay', async () => {
    const { repository } = memoryVault();
    const bytes = Buffer.alloc(MIB, 'wal ');
    const first = await putWal(repository, segment(), of(bytes));
    expect(first).toMatchObject({ isNew: true, names: [`wal/${PLAN}/${SYSTEM}/00000001/${SEGMENT}`] });
    expect(first.storedBytes).toBeLessThan(10_000);
    expect(await putWal(repository, segment(), of(bytes))).toMatchObject({ isNew: false, sha256: first.sha256, storedBytes: 0 });
    const other = Buffer.from(bytes);
    other[MIB - 1] = 0;
    const error = await putWal(repository, segment(), of(other)).then(() => undefined, (thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'already-exists', message: expect.stringContaining(first.sha256), data: { stored: first.sha256, given: expect.stringMatching(/^[0-9a-f]{64}$/) } });
    expect((await only(repository)).bytes).toEqual(bytes);
  });

  it('takes an answer that was lost for success when the same bytes arrived (V2)', async () => {
    const { repository } = memoryVault();
    const losing = { ...repository, store: faulty(repository.store, [{ effect: 'lost-response', operation: 'put', nth: 1 }]) };
    await expect(putWal(losing, segment(), of(Buffer.alloc(MIB, 1)))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await putWal(losing, segment(), of(Buffer.alloc(MIB, 1)))).toMatchObject({ isNew: false });
  });

  it('keeps a segment of 64 MiB in parts, and goes on where a killed writer stopped', async () => {
    const { repository } = memoryVault();
    const bytes = Buffer.alloc(64 * MIB, 'a');
    bytes.fill('b', 32 * MIB);
    const file = { ...segment(), segmentBytes: 64 * MIB };
    const dying = { ...repository, store: faulty(repository.store, [{ effect: 'fail', operation: 'put', nth: 2 }]) };
    await expect(putWal(dying, file, of(bytes))).rejects.toMatchObject({ code: 'unavailable' });
    expect((await listWal(repository.store, PLAN)).map(({ isComplete }) => isComplete)).toEqual([false]);
    expect((await putWal(repository, file, of(bytes))).names.map((name) => name.slice(-3))).toEqual(['1-2', '2-2']);
    const read = await only(repository);
    expect(read.bytes.equals(bytes)).toBe(true);
    // What the vault holds of it counts, whoever comes later with the same first half.
    bytes[63 * MIB] = 0;
    await expect(putWal(repository, file, of(bytes))).rejects.toMatchObject({ code: 'already-exists' });
  });

  it('finds of a segment the whole and every state of its beginning, and nothing of its neighbours', async () => {
    const { repository } = memoryVault();
    for (const name of ['000000010000000000000002', SEGMENT, '000000010000000000000004', '000000010000000000000031']) await putWal(repository, { ...segment(), name }, of(Buffer.alloc(MIB, name)));
    for (const [bytes, id] of [[8192, '01KAP2Q8X0J5T3M6W9RZB4V7CD'], [16_384, '01KAP2Q8X0J5T3M6W9RZB4V7CE']] as const) await putWal(repository, { ...segment(), kind: 'partial', partial: { bytes, id } }, of(Buffer.alloc(bytes, 1)));
    await putWal(repository, { ...place, kind: 'label', name: `${SEGMENT}.00000028.backup`, timeline: 1, segmentBytes: 0 }, of(Buffer.from('START WAL LOCATION')));
    const found = await findWal(repository.store, place, { name: SEGMENT, timeline: 1 });
    expect(found.map(({ kind, partial }) => [kind, partial?.bytes])).toEqual([['segment', undefined], ['partial', 16_384], ['partial', 8192]]);
    expect(await findWal(repository.store, place, { name: '000000010000000000000005', timeline: 1 })).toEqual([]);
    expect((await findWal(repository.store, place, { name: '000000010000000000000031', timeline: 1 })).map(({ name }) => name)).toEqual(['000000010000000000000031']);
  });

  it('is content: the meta key opens none of it (K2)', async () => {
    const { repository, store } = memoryVault();
    const { names: [name = ''] } = await putWal(repository, segment(), of(Buffer.alloc(MIB, 1)));
    const { openRepository } = await import('../../../lib/repository/index.ts');
    const { keys: { pairs: [pair], chunker } } = repository.keys;
    const meta = openRepository(store, repository.config, { pairs: [{ number: 1, meta: pair?.meta ?? new Uint8Array(32) }], chunker });
    const stored = await store.get(name);
    expect(() => openWalPart(meta, name, stored)).toThrow(expect.objectContaining({ code: 'wrong-key' }));
  });

  it('does not believe a vault that gives the bytes of another segment, or loses a part', async () => {
    const { repository, store } = memoryVault();
    const { names: [first = ''] } = await putWal(repository, segment(), of(Buffer.alloc(MIB, 1)));
    const { names: [second = ''] } = await putWal(repository, { ...segment(), name: '000000010000000000000004' }, of(Buffer.alloc(MIB, 2)));
    const swapped = await store.get(first);
    expect(() => openWalPart(repository, second, swapped)).toThrow(expect.objectContaining({ code: 'damaged' }));
    const [entry] = await listWal(store, PLAN);
    await expect(readWhole(repository, { ...entry!, isComplete: false })).rejects.toMatchObject({ code: 'damaged' });
  });
});

function segment(): NewWalFile {
  return { ...place, kind: 'segment', name: SEGMENT, timeline: 1, segmentBytes: MIB };
}

function of(bytes: Buffer): WalBytes {
  return { sizeBytes: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

async function only(repository: Repository): Promise<{ readonly bytes: Buffer }> {
  const [entry] = await listWal(repository.store, PLAN);
  return readWhole(repository, entry!);
}
