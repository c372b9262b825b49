import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { decodeZstd } from '../../../../lib/cli/kit/older-node/zstd.ts';
import { sha256 } from '../../../../lib/repository/index.ts';

const LEVELS = [-5, 1, 3, 6, 12, 19, 22];
const compress = (bytes: Uint8Array, level: number, hasChecksum = false) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: hasChecksum ? 1 : 0 }, pledgedSrcSize: bytes.length });
const noise = (length: number) => Buffer.concat(Array.from({ length: Math.ceil(length / 32) }, (_, index) => sha256(Buffer.from(String(index))))).subarray(0, length);
const text = readFileSync(join(__dirname, '..', '..', '..', '..', 'package-lock.json'));

describe('the zstd decoder of the recovery kit, for a Node without zstd (K10)', () => {
  const samples: Readonly<Record<string, Buffer>> = {
    nothing: Buffer.alloc(0),
    'one byte': Buffer.of(7),
    'one byte, often': Buffer.alloc(300_000, 7),
    'a short text': text.subarray(0, 700),
    'a text over many blocks': text,
    noise: noise(200_000),
    'text and noise in turns': Buffer.concat(Array.from({ length: 40 }, (_, index) => [text.subarray(index * 2000, index * 2000 + 1500), noise(900 + index)]).flat()),
    numbers: Buffer.from(Uint32Array.from({ length: 60_000 }, (_, index) => index * 3).buffer),
    'two bytes': Buffer.from(Array.from({ length: 50_000 }, (_, index) => ((index * index) >> 3) & 1)),
  };

  it.each(Object.entries(samples))('decodes what Node makes of %s, at every level, with and without checksum', (_, bytes) => {
    for (const level of LEVELS) for (const hasChecksum of [false, true]) expect(decodeZstd(compress(bytes, level, hasChecksum), bytes.length).equals(bytes)).toBe(true);
  });

  it('decodes frames one after another, and passes over those that are to be skipped', () => {
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    expect(decodeZstd(Buffer.concat([compress(Buffer.from('one '), 3), skipped, compress(Buffer.from('two'), 3)]), 100).toString()).toBe('one two');
  });

  it('decodes anything, and never makes more than it may', () => {
    const parts = fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.nat(2000).map((from) => new Uint8Array(text.subarray(from, from + 400)))), { maxLength: 12 });
    fc.assert(
      fc.property(parts, fc.constantFrom(...LEVELS), (pieces, level) => {
        const bytes = Buffer.concat(pieces);
        const packed = compress(bytes, level);
        expect(decodeZstd(packed, bytes.length).equals(bytes)).toBe(true);
        if (bytes.length > 0) expect(() => decodeZstd(packed, bytes.length - 1)).toThrow('it holds more than');
      }),
      { numRuns: 150 },
    );
  });

  it('answers altered bytes with a plain error or other bytes, within its bounds', () => {
    const packed = compress(Buffer.concat([text.subarray(0, 40_000), noise(2000)]), 6);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), fc.nat(packed.length), (changes, cut) => {
        const altered = Buffer.from(packed);
        for (const [index, byte] of changes) altered[index] = byte;
        for (const bytes of [altered, altered.subarray(0, cut)]) {
          try {
            expect(decodeZstd(bytes, 50_000).length).toBeLessThanOrEqual(50_000);
          } catch (error) {
            expect((error as Error).constructor).toBe(Error);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
