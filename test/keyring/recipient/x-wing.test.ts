import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { X_WING_CIPHERTEXT_BYTES, X_WING_PUBLIC_KEY_BYTES, encapsulateTo, xWingKey } from '../../../lib/keyring/recipient/x-wing.ts';

interface KnownAnswer {
  readonly seed: string;
  readonly publicKeySha256: string;
  readonly ciphertext: string;
  readonly sharedSecret: string;
}

/** Seeds and secrets of draft-connolly-cfrg-xwing-kem-09, appendix C; the long values were made by an independent implementation that meets them. */
const KNOWN = JSON.parse(readFileSync(join(__dirname, '../../vectors/x-wing/draft-09.json'), 'utf8')) as readonly KnownAnswer[];
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

describe('X-Wing (K11)', () => {
  it.each(KNOWN)('gives the public key and the secret that its draft publishes for the seed $seed', ({ seed, publicKeySha256, ciphertext, sharedSecret }) => {
    const key = xWingKey(Buffer.from(seed, 'hex'));
    expect(createHash('sha256').update(key.publicKey).digest('hex')).toBe(publicKeySha256);
    expect(hex(key.decapsulate(Buffer.from(ciphertext, 'hex')))).toBe(sharedSecret);
  });

  it('gives sender and receiver one secret, another one each time', () => {
    const key = xWingKey(randomBytes(32));
    expect(key.publicKey).toHaveLength(X_WING_PUBLIC_KEY_BYTES);
    const [first, second] = [encapsulateTo(key.publicKey)!, encapsulateTo(key.publicKey)!];
    expect(first.ciphertext).toHaveLength(X_WING_CIPHERTEXT_BYTES);
    expect(hex(key.decapsulate(first.ciphertext))).toBe(hex(first.sharedSecret));
    expect(hex(second.sharedSecret)).not.toBe(hex(first.sharedSecret));
  });

  it.each([0, 1087, 1088, 1118])('gives another secret when byte %i of the ciphertext is altered', (at) => {
    const key = xWingKey(randomBytes(32));
    const { ciphertext, sharedSecret } = encapsulateTo(key.publicKey)!;
    const altered = Buffer.from(ciphertext);
    altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
    expect(hex(key.decapsulate(altered))).not.toBe(hex(sharedSecret));
  });

  // RFC 7748 section 6.1; the points of small order of Curve25519 and their other encodings.
  it.each([
    '00'.repeat(32), `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'ff'.repeat(30)}7f`, `ed${'ff'.repeat(30)}7f`, `ee${'ff'.repeat(30)}7f`,
  ])('refuses the point of low order %s as a share and in a public key', (point) => {
    const key = xWingKey(randomBytes(32));
    const { ciphertext } = encapsulateTo(key.publicKey)!;
    expect(key.decapsulate(Buffer.concat([ciphertext.subarray(0, 1088), Buffer.from(point, 'hex')]))).toBeUndefined();
    expect(encapsulateTo(Buffer.concat([key.publicKey.subarray(0, 1184), Buffer.from(point, 'hex')]))).toBeUndefined();
  });

  it('refuses a public key whose ML-KEM half is out of range', () => {
    const { publicKey } = xWingKey(randomBytes(32));
    expect(encapsulateTo(Buffer.concat([Buffer.alloc(1184, 0xff), publicKey.subarray(1184)]))).toBeUndefined();
  });
});
