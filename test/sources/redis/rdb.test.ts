import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isHoldfastError } from '../../../lib/model/errors.ts';
import { Crc64 } from '../../../lib/sources/redis/crc64.ts';
import { payloadOf } from '../../../lib/sources/redis/payload.ts';
import { RdbReader } from '../../../lib/sources/redis/rdb.ts';
import type { RdbSummary } from '../../../lib/sources/redis/rdb.ts';
import type { RdbRecord } from '../../../lib/sources/redis/snapshots-in.ts';
import { recordName } from '../../../lib/sources/redis/target.ts';

const vector = (name: string) => readFileSync(join(__dirname, 'vectors', name));

/** Pushed in pieces of this many bytes. */
function read(rdb: Buffer, piece = rdb.length): { readonly summary: RdbSummary; readonly records: RdbRecord[] } {
  const records: RdbRecord[] = [];
  const reader = new RdbReader((record) => records.push(record));
  for (let at = 0; at < rdb.length; at += piece) reader.push(rdb.subarray(at, at + piece));
  return { summary: reader.end(), records };
}

function told(rdb: Buffer): unknown {
  try {
    const reader = new RdbReader();
    reader.push(rdb);
    return reader.end();
  } catch (error) {
    return error;
  }
}

function line(record: RdbRecord): string {
  if (record.kind === 'functions') return recordName(record);
  return `${recordName(record)} type ${record.type} ends ${record.expiresAt ?? '-'} ${createHash('sha256').update(record.value).digest('hex').slice(0, 16)}`;
}

/** A file out of parts, with its head, end and checksum. */
function made(version: string, ...parts: readonly (Buffer | string | number)[]): Buffer {
  const body = Buffer.concat([Buffer.from(version), ...parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part as string))), Buffer.of(255)]);
  return Buffer.concat([body, new Crc64().update(body).digest()]);
}

const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')]);

describe('CRC64 as Redis computes it (S4)', () => {
  it.each([['123456789', 'cad9b8c414d9c6e9'], ['', '0000000000000000'], ['This is a test of the emergency broadcast system.', undefined]])('of %j', (words, digest) => {
    const whole = new Crc64().update(Buffer.from(words)).digest().toString('hex');
    if (digest !== undefined) expect(whole).toBe(digest);
    // In pieces of every size: those of eight bytes go another way.
    for (let piece = 1; piece < 20; piece++) {
      const crc = new Crc64();
      for (let at = 0; at < words.length; at += piece) crc.update(Buffer.from(words.slice(at, at + piece)));
      expect(crc.digest().toString('hex')).toBe(whole);
    }
  });
});

describe.each([['redis-7.0', 10, { 0: 20, 9: 1 }], ['valkey-9.1', 80, { 0: 21, 9: 1 }]] as const)('the frozen snapshot of %s (S4)', (name, version, keys) => {
  const rdb = vector(`${name}.rdb`);

  it.each([rdb.length, 4096, 61, 1])('has every record as it was, in pieces of %i bytes', (piece) => {
    const { summary, records } = read(rdb, piece);
    expect(records.map(line).sort().join('\n')).toBe(vector(`${name}.txt`).toString().trimEnd());
    expect(summary).toMatchObject({ version, functions: 1, isChecksummed: true });
    expect(Object.fromEntries(summary.keys)).toEqual(keys);
  });

  it('is not whole when it was cut at any byte', () => {
    const lengths = [...Array.from({ length: Math.floor(rdb.length / 23) }, (_, at) => at * 23), ...Array.from({ length: 60 }, (_, cut) => rdb.length - cut - 1)];
    expect(lengths.filter((length) => !isHoldfastError(told(rdb.subarray(0, length)), 'damaged'))).toEqual([]);
  });

  it('is damaged when any bit of it is another', () => {
    const places = Array.from({ length: Math.floor(rdb.length / 19) }, (_, at) => at * 19);
    const passed = places.filter((at) => {
      const other = Buffer.from(rdb);
      other[at]! ^= 1 << (at & 7);
      return !isHoldfastError(told(other));
    });
    expect(passed).toEqual([]);
  });

  it.each<[string, Buffer]>([['a letter', Buffer.from('x')], ['its end once more', rdb.subarray(-9)], ['40 zero bytes', Buffer.alloc(40)]])('is damaged when more follows: %s', (_what, more) => {
    expect(told(Buffer.concat([rdb, more]))).toMatchObject({ code: 'damaged' });
  });

  it('without a checksum says so, and is cut when it is cut', () => {
    const without = Buffer.concat([rdb.subarray(0, -8), Buffer.alloc(8)]);
    expect(told(without)).toMatchObject({ isChecksummed: false });
    expect(told(without.subarray(0, -9))).toMatchObject({ code: 'damaged' });
  });
});

describe('what servers that are not here write (S4)', () => {
  const DEADLINE = Buffer.from('0011223344556677', 'hex');
  it.each<[string, string, readonly (Buffer | string | number)[], number, number]>([
    ['a hash as a zipmap (2.4)', 'REDIS0006', [9, text('k'), text('\x01\x01a\x01\0b\xff')], 9, 8],
    ['lists and hashes as ziplists (2.6)', 'REDIS0006', [10, text('k'), text('ziplist')], 10, 8],
    ['a sorted set with scores as text', 'REDIS0006', [3, text('k'), 3, text('a'), text('1.5'), text('b'), 253, text('c'), 255], 3, 13],
    ['a list of ziplists (3.2)', 'REDIS0007', [14, text('k'), 2, text('ab'), text('cd')], 14, 7],
    ['an expiry in seconds, and a hint of use', 'REDIS0009', [253, Buffer.from('00000060', 'hex'), 248, 5, 249, 7, 0, text('k'), text('v')], 0, 2],
    ['a stream of version 1 with a group', 'REDIS0009', [15, text('k'), 1, text('a'), text('b'), 1, 2, 0, 1, text('g'), 2, 0, 1, Buffer.alloc(24), 1, 1, text('c'), Buffer.alloc(8), 1, Buffer.alloc(16)], 15, 67],
    ['a value of a module', 'REDIS0009', [7, text('k'), 0x81, Buffer.alloc(8, 1), 2, 9, 5, text('s'), 4, Buffer.alloc(8), 3, Buffer.alloc(4), 0], 7, 29],
    ['fields of a hash that end (Redis 7.4)', 'REDIS0012', [24, text('k'), DEADLINE, 2, 0, text('f'), text('v'), 5, text('g'), text('w')], 24, 19],
    ['the same in one piece (Redis 7.4)', 'REDIS0012', [25, text('k'), DEADLINE, text('listpack')], 25, 17],
    ['slots of a cluster (Valkey)', 'VALKEY080', [244, 7, 1, 0, 243, text('job'), 1, 0, 5, 0, text('k'), text('v')], 0, 2],
  ])('%s', (_what, version, parts, type, bytes) => {
    const rdb = made(version, 254, 2, 251, 1, 0, ...parts);
    for (const piece of [rdb.length, 1]) {
      const { records, summary } = read(rdb, piece);
      expect(records).toEqual([expect.objectContaining({ kind: 'key', database: 2, name: Buffer.from('k'), type })]);
      expect((records[0] as { value: Buffer }).value).toHaveLength(bytes);
      expect(summary.isChecksummed).toBe(true);
    }
    for (let cut = 1; cut < rdb.length - 9; cut++) expect(told(rdb.subarray(0, cut))).toMatchObject({ code: 'damaged' });
  });

  it('a type that nobody knows is kept by its end and checksum, and not counted; it cannot be restored key by key', () => {
    const rdb = made('REDIS0099', 0, text('a'), text('b'), 77, text('k'), 'anything at all');
    expect(told(rdb)).toMatchObject({ unknownType: 77, isChecksummed: true, version: 99 });
    expect(told(Buffer.concat([rdb.subarray(0, -9), rdb.subarray(-8)]))).toMatchObject({ code: 'damaged' });
    expect(told(Buffer.concat([rdb.subarray(0, -1), Buffer.of(1)]))).toMatchObject({ code: 'damaged' });
    expect(() => read(rdb)).toThrow(/value of type 77 .*does not know/);
  });

  it.each<[string, Buffer, RegExp]>([
    ['no RDB', made('SQLITE003'), /^It begins with "SQLITE003", wanted the head of an RDB/],
    ['an RDB without a checksum in its format', made('REDIS0004'), /of version 4, wanted 5/],
    ['a word that nobody knows', made('REDIS0011', 246), /unknown word 246 at byte 9/],
    ['a length that is none', made('REDIS0011', 0, 0x82, 1, 2, 3), /0x82 where a length begins/],
    ['a string of an unknown encoding', made('REDIS0011', 0, 0xc7, 1), /unknown encoding 7/],
    ['a packed string that reaches before its beginning', made('REDIS0011', 250, 0xc3, 3, 10, 0x20, 5, 0, 'x'), /packed string/],
    ['a packed string that claims to be huge', made('REDIS0011', 250, 0xc3, 1, 0x80, Buffer.from('7fffffff', 'hex'), 0, 'x'), /packed string .*wanted 2147483647/],
    ['a module without an end', made('REDIS0011', 7, text('k'), 1, 9), /unknown word 9 in a value of a module/],
    ['the end of another file', Buffer.concat([made('REDIS0011').subarray(0, -8), Buffer.from('0102030405060708', 'hex')]), /has the checksum [0-9a-f]{16}, and its end says 0807060504030201/],
  ])('%s is refused', (_what, rdb, message) => {
    expect(told(rdb)).toMatchObject({ code: expect.stringMatching(/^(damaged|unsupported)$/), message: expect.stringMatching(message) });
  });
});

describe('a payload for RESTORE (S4)', () => {
  it('is what DUMP gives, of the version that first had the type', () => {
    expect(payloadOf({ type: 16, value: Buffer.of(2, 65, 66) }, 80).readUInt16LE(4)).toBe(10);
    expect(payloadOf({ type: 21, value: Buffer.of(1) }, 80).readUInt16LE(2)).toBe(11);
    expect(payloadOf({ type: 22, value: Buffer.of(1) }, 80).readUInt16LE(2)).toBe(80);
    expect(payloadOf({ type: 0, value: Buffer.of(0xc0, 7) }, 5).toString('hex')).toMatch(/^00c0070500[0-9a-f]{16}$/);
    const payload = payloadOf({ type: 0, value: Buffer.of(0xc0, 7) }, 80);
    expect(payload.subarray(-8)).toEqual(new Crc64().update(payload.subarray(0, -8)).digest());
  });
});
