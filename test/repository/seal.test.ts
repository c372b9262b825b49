import { randomBytes } from 'node:crypto';
import { Scratch, releaseBytes, sealInto, sha256 } from '../../lib/repository/index.ts';
import type { CipherName } from '../../lib/repository/index.ts';
import { open } from '../../lib/repository/seal.ts';

const subkey = randomBytes(32);
const aad = randomBytes(20);
const OVERHEAD_BYTES = 48;

function sealed(plain: Uint8Array, cipher: CipherName, target: Buffer = Buffer.alloc(plain.length + OVERHEAD_BYTES)): Buffer {
  const tag = sealInto(target, plain, { subkey, digest: sha256(plain), aad, cipher });
  expect(target.subarray(plain.length + 32, plain.length + OVERHEAD_BYTES).equals(tag)).toBe(true);
  return target.subarray(0, plain.length + OVERHEAD_BYTES);
}

describe('sealing into memory that is there (P4)', () => {
  it.each(['aes-256-gcm', 'chacha20-poly1305'] as const)('units of any length open again, with memory of one\'s own or without: %s', (cipher) => {
    const scratch = new Scratch();
    for (const length of [0, 1, 4096, 131_071, 131_072, 131_073, 400_000]) {
      const plain = randomBytes(length);
      const unit = sealed(plain, cipher);
      expect(open(subkey, unit, aad, cipher, 'unit').equals(plain)).toBe(true);
      expect(open(subkey, unit, aad, cipher, 'unit', scratch).equals(plain)).toBe(true);
    }
  });

  it('writes into the middle of shared memory and touches nothing beside', () => {
    const shared = Buffer.from(new SharedArrayBuffer(300_000)).fill(7);
    const plain = randomBytes(200_000);
    sealed(plain, 'aes-256-gcm', shared.subarray(1000));
    expect(shared.subarray(0, 1000).every((byte) => byte === 7)).toBe(true);
    expect(shared.subarray(1000 + 200_000 + OVERHEAD_BYTES).every((byte) => byte === 7)).toBe(true);
    expect(open(subkey, shared.subarray(1000, 201_000 + OVERHEAD_BYTES), aad, 'aes-256-gcm', 'unit').equals(plain)).toBe(true);
  });

  it('refuses a place that is too small instead of cutting the unit off', () => {
    expect(() => sealInto(Buffer.alloc(1000 + OVERHEAD_BYTES - 1), Buffer.alloc(1000), { subkey, digest: sha256(Buffer.alloc(1000)), aad, cipher: 'aes-256-gcm' })).toThrow(expect.objectContaining({ code: 'broken-invariant' }));
  });

  it('one flipped bit in any piece is damage, also with memory of one\'s own', () => {
    const unit = sealed(randomBytes(300_000), 'aes-256-gcm');
    for (const at of [0, 40, 140_000, 299_000, unit.length - 1]) {
      const flipped = Buffer.from(unit);
      flipped[at] = (flipped[at] as number) ^ 1;
      expect(() => open(subkey, flipped, aad, 'aes-256-gcm', 'unit', new Scratch())).toThrow(expect.objectContaining({ code: 'damaged' }));
    }
  });
});

describe('memory that is used again', () => {
  it('is the same memory each time, and nobody can release it by mistake', () => {
    const scratch = new Scratch();
    const first = scratch.take(100_000);
    releaseBytes(first);
    expect(first.length).toBe(100_000);
    expect(scratch.take(50_000).buffer).toBe(first.buffer);
  });

  it('bytes of one\'s own are gone once they are released, views of others are not', () => {
    const own = Buffer.allocUnsafeSlow(100_000);
    releaseBytes(own);
    expect(own.length).toBe(0);
    const shared = Buffer.allocUnsafeSlow(100_000);
    releaseBytes(shared.subarray(0, 50_000));
    expect(shared.length).toBe(100_000);
  });
});
