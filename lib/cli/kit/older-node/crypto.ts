import * as crypto from 'node:crypto';

/** Stands in for `node:crypto` in the kit's bundle, for the reason that `zlib.ts` gives. */
export const { createCipheriv, createDecipheriv, createHash, createHmac, createSecretKey, hkdfSync, randomBytes, scrypt, timingSafeEqual } = crypto;

export const hash: (algorithm: string, bytes: Uint8Array, encoding: 'buffer') => Buffer = (crypto as Partial<typeof crypto>).hash ?? ((algorithm, bytes) => createHash(algorithm).update(bytes).digest());

export default crypto;
