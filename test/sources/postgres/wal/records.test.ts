import { formatLsn, parseLsn, segmentName, segmentNumber, segmentOf } from '../../../../lib/sources/postgres/wal/lsn.ts';
import { checkSegment, segmentHeader } from '../../../../lib/sources/postgres/wal/page-header.ts';
import { summariseWal } from '../../../../lib/sources/postgres/wal/records.ts';
import { parseTimelineHistory } from '../../../../lib/sources/postgres/wal/timeline-history.ts';
import { MADE_SYSTEM, makeSegment } from '../../../../scripts/vectors/made-wal.ts';

const NAME = '000000010000000000000003';
const MIB = 1 << 20;
const NOON = Date.UTC(2026, 10, 28, 12);

describe('positions in WAL (R4)', () => {
  it.each([['0/0', 0n], ['0/3000028', 0x3000028n], ['16/B374D848', 0x16b374d848n], ['FFFFFFFF/FFFFFFFF', 0xffffffffffffffffn]])('%s is %s, and back', (text, lsn) => {
    expect(parseLsn(text)).toBe(lsn);
    expect(formatLsn(lsn)).toBe(text);
  });

  it('may be written in small letters, as PostgreSQL itself takes them', () => expect(parseLsn('16/b374d848')).toBe(0x16b374d848n));

  it.each(['', '0', '0/', '/0', '0/G', '0/123456789', '0x1/0', '0/0/0'])('refuses %j', (text) => expect(() => parseLsn(text)).toThrow(expect.objectContaining({ code: 'usage' })));

  it.each([[16 * MIB, '0000000100000001000000FF', 0x1ff], [MIB, '000000010000000100000FFF', 0x1fff], [1024 * MIB, '000000010000000100000003', 7]])('counts segments of %i bytes over the border of 4 GiB', (segmentBytes, name, number) => {
    expect(segmentNumber(name, segmentBytes)).toBe(number);
    expect(segmentName(1, number, segmentBytes)).toBe(name);
  });

  it.each([[1, '0/2000028', 16 * MIB, '000000010000000000000002'], [26, '1A/FF000000', 16 * MIB, '0000001A0000001A000000FF'], [1, '3/40000000', 1024 * MIB, '000000010000000300000001']])('names the segment of timeline %i that holds %s', (timeline, lsn, segmentBytes, name) => {
    expect(segmentName(timeline, segmentOf(parseLsn(lsn), segmentBytes), segmentBytes)).toBe(name);
  });
});

describe('the header of a segment (S2)', () => {
  it.each<[string, (bytes: Buffer) => void, object, string]>([
    ['zeroes', (bytes) => bytes.fill(0), {}, 'begins with 0x0000'],
    ['the position of another segment', (bytes) => bytes.writeBigUInt64LE(1n, 8), {}, 'begins at 1'],
    ['another system', () => undefined, { systemId: '1' }, 'of the system'],
    ['a later timeline than its name', (bytes) => bytes.writeUInt32LE(2, 4), {}, 'of timeline 2'],
    ['another size than its header says', (bytes) => bytes.writeUInt32LE(2 * MIB, 32), {}, `has ${MIB} bytes`],
    ['a segment size that initdb refuses', (bytes) => bytes.writeUInt32LE(3 * MIB, 32), {}, 'segments have'],
    ['a page in the middle of a segment', (bytes) => bytes.writeUInt16LE(0, 2), {}, 'not that of a segment'],
  ])('refuses %s', (_, change, expected, says) => {
    const bytes = makeSegment({ name: NAME });
    change(bytes);
    expect(() => checkSegment(segmentHeader(bytes, NAME), { name: NAME, timeline: 1, sizeBytes: bytes.length, ...expected })).toThrow(expect.objectContaining({ code: 'source-failed', message: expect.stringContaining(says) }));
  });

  it('says that a big-endian server wrote it', () => {
    const bytes = makeSegment({ name: NAME });
    bytes.writeUInt16BE(0xd118, 0);
    expect(() => segmentHeader(bytes, NAME)).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });

  it('takes the first segment of a timeline, whose first page is a copy of the one before', () => {
    const name = '000000020000000000000003';
    expect(() => checkSegment(segmentHeader(makeSegment({ name, pageTimeline: 1 }), name), { name, timeline: 2, sizeBytes: MIB, systemId: MADE_SYSTEM })).not.toThrow();
  });
});

describe('what the records of a segment say (R4)', () => {
  it.each(['promotion', 'recovery'] as const)('is when a timeline began by %s, and which transactions came behind a position', (kind) => {
    const records = [{ kind: 'commit', at: NOON }, { kind: 'filler', bytes: 9000 }, { kind, timeline: 2, parent: 1, at: NOON + 1000 }, { kind: 'commit', at: NOON + 2000 }, { kind: 'abort', at: NOON + 3000 }] as const;
    const bytes = makeSegment({ name: NAME, records });
    expect(summariseWal(bytes, NAME)).toMatchObject({ firstTransactionAt: NOON, lastTransactionAt: NOON + 3000, begunAt: NOON + 1000 });
    expect(summariseWal(bytes, NAME, 3n * BigInt(MIB) + 8192n)).toMatchObject({ firstTransactionAt: NOON + 2000, lastTransactionAt: NOON + 3000, begunAt: NOON + 1000 });
    expect(summariseWal(bytes, NAME, 4n * BigInt(MIB))).toMatchObject({ firstTransactionAt: undefined, lastTransactionAt: undefined, begunAt: undefined });
    // An ordinary shutdown.
    expect(summariseWal(makeSegment({ name: NAME, records: [{ kind: 'recovery', timeline: 1, parent: 1, at: NOON }] }), NAME).begunAt).toBeUndefined();
  });

  it('is where they end, when the last transaction did, and which points were named', () => {
    const records = [{ kind: 'commit', at: NOON }, { kind: 'filler', bytes: 30_000 }, { kind: 'point', name: 'before migration', at: NOON + 1 }, { kind: 'abort', at: NOON + 5000.25 }, { kind: 'filler', bytes: 20 }] as const;
    const found = summariseWal(makeSegment({ name: NAME, records }), NAME);
    expect(found).toMatchObject({ systemId: MADE_SYSTEM, startLsn: 3n * BigInt(MIB), lastTransactionAt: NOON + 5000.25, restorePoints: [{ name: 'before migration', at: NOON + 1 }] });
    // Headers: one of 40 and three of 24; records: 34, 30,029 and the rest, each at a multiple of 8.
    expect(Number(found.endLsn - found.startLsn)).toBeGreaterThan(30_000 + 40 + 3 * 24);
    expect(Number(found.endLsn - found.startLsn)).toBeLessThan(30_500);
  });

  it('leaves out a record that is cut, at whatever byte', () => {
    const records = [{ kind: 'commit', at: NOON }, { kind: 'filler', bytes: 9000 }, { kind: 'commit', at: NOON + 1 }] as const;
    const bytes = makeSegment({ name: NAME, records });
    const whole = Number(summariseWal(bytes, NAME).endLsn) % MIB;
    // The last bytes of a time are zeroes themselves.
    for (let end = 80; end < whole - 2; end += 7) {
      const { endLsn, lastTransactionAt } = summariseWal(Buffer.concat([bytes.subarray(0, end), Buffer.alloc(MIB - end)]), NAME);
      expect(Number(endLsn) % MIB).toBeLessThan(whole);
      expect(lastTransactionAt).toBe(NOON);
    }
  });

  it('begins behind what a record of the segment before left over, and ends at a switch', () => {
    const records = [{ kind: 'commit', at: NOON }, { kind: 'switch' }] as const;
    expect(summariseWal(makeSegment({ name: NAME, records, remaining: 20_001 }), NAME)).toMatchObject({ endLsn: 4n * BigInt(MIB), lastTransactionAt: NOON });
  });

  it('ends where a page is what an older use of the file left', () => {
    const records = [{ kind: 'commit', at: NOON }, { kind: 'filler', bytes: 20_000 }, { kind: 'commit', at: NOON + 1 }] as const;
    const bytes = makeSegment({ name: NAME, records });
    bytes.writeBigUInt64LE(0n, 2 * 8192 + 8);
    expect(summariseWal(bytes, NAME).lastTransactionAt).toBe(NOON);
  });
});

describe('a timeline history (R4)', () => {
  it('names all ancestors', () => {
    expect(parseTimelineHistory('1\t0/3000000\tno recovery target specified\n\n2\t16/B374D848\tbefore 2026-11-28\n', 'x')).toEqual([{ parent: 1, switchLsn: 0x3000000n }, { parent: 2, switchLsn: 0x16b374d848n }]);
  });

  it.each(['not one', '1\t3000000', '2\t0/1\n1\t0/2', '1\t0/1\n1\t0/2'])('is not %j', (text) => expect(() => parseTimelineHistory(text, 'x')).toThrow(expect.objectContaining({ code: 'source-failed' })));
});
