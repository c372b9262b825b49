import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hash, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { CIPHERS, SALT_BYTES, TAG_BYTES, FORMAT_VERSION, damaged } from './format.ts';
import type { CipherName, SealKind } from './format.ts';

/** What a sealed unit is bound to (format §4). `name` is empty for frames: they are not bound to a place. */
export interface SealContext {
  readonly repository: string;
  readonly cipher: CipherName;
  readonly keyNumber: number;
  readonly kind: SealKind;
  readonly name: string;
}

const NONCE = Buffer.alloc(12);
const UNIT_INFO = Buffer.from('holdfast/1 unit\x01', 'latin1');

/**
 * Seals `plain` under a key made for this unit alone. `digest` must determine the plaintext. Returns the parts
 * salt, ciphertext, tag in order, so that callers gather them without another copy.
 */
export function sealParts(subkey: Uint8Array, plain: Uint8Array, digest: Uint8Array, aad: Uint8Array, cipher: CipherName, random: (size: number) => Uint8Array = randomBytes): [Uint8Array, Uint8Array, Uint8Array] {
  const salt = createHmac('sha256', createSecretKey(subkey)).update(random(32)).update(digest).digest();
  const sealer = createCipher(cipher, unitKey(subkey, salt));
  sealer.setAAD(aad, { plaintextLength: plain.length });
  const body = sealer.update(plain);
  sealer.final();
  return [salt, body, sealer.getAuthTag()];
}

export function seal(subkey: Uint8Array, plain: Uint8Array, context: SealContext, random?: (size: number) => Uint8Array): Buffer {
  return Buffer.concat(sealParts(subkey, plain, sha256(plain), associatedData(context), context.cipher, random));
}

/** Opens a sealed unit, or fails as `damaged`: one flipped bit, another place, another kind, another key all end here. */
export function open(subkey: Uint8Array, unit: Uint8Array, aad: Uint8Array, cipher: CipherName, what: string): Buffer {
  if (unit.length < SALT_BYTES + TAG_BYTES) throw damaged(`${what}: ${unit.length} bytes are too few for a sealed unit`);
  const opener = createDecipher(cipher, unitKey(subkey, unit.subarray(0, SALT_BYTES)));
  const body = unit.subarray(SALT_BYTES, unit.length - TAG_BYTES);
  opener.setAAD(aad, { plaintextLength: body.length });
  opener.setAuthTag(unit.subarray(unit.length - TAG_BYTES));
  const plain = opener.update(body);
  try {
    opener.final();
  } catch (cause) {
    throw damagedSeal(what, cause);
  }
  return plain;
}

export function associatedData(context: SealContext): Buffer {
  const head = Buffer.alloc(8 + 2 + 16 + 4);
  head.write('holdfast', 0, 'latin1');
  head[8] = FORMAT_VERSION;
  head[9] = CIPHERS[context.cipher];
  head.write(context.repository, 10, 'hex');
  head.writeUInt32BE(context.keyNumber, 26);
  const name = Buffer.from(context.name, 'utf8');
  const kind = Buffer.from(context.kind, 'latin1');
  return Buffer.concat([head, Buffer.of(kind.length), kind, Buffer.of(name.length >> 8, name.length & 255), name]);
}

export function cipherByNumber(number: number, what: string): CipherName {
  for (const [name, value] of Object.entries(CIPHERS)) if (value === number) return name as CipherName;
  throw damaged(`${what}: cipher ${number} is unknown, wanted 1 or 2`);
}

export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer') as Buffer;
}

/** As key objects: bytes handed over as a key cost Node five times as much, which small units feel. */
function unitKey(subkey: Uint8Array, salt: Uint8Array): KeyObject {
  const extracted = createHmac('sha256', createSecretKey(subkey)).update(salt).digest();
  return createSecretKey(createHmac('sha256', createSecretKey(extracted)).update(UNIT_INFO).digest());
}

function createCipher(cipher: CipherName, key: KeyObject) {
  return cipher === 'aes-256-gcm' ? createCipheriv('aes-256-gcm', key, NONCE) : createCipheriv('chacha20-poly1305', key, NONCE, { authTagLength: TAG_BYTES });
}

function createDecipher(cipher: CipherName, key: KeyObject) {
  return cipher === 'aes-256-gcm' ? createDecipheriv('aes-256-gcm', key, NONCE, { authTagLength: TAG_BYTES }) : createDecipheriv('chacha20-poly1305', key, NONCE, { authTagLength: TAG_BYTES });
}

function damagedSeal(what: string, cause: unknown): Error {
  const error = damaged(`${what}: the seal is broken; the bytes are not what was written there`);
  error.cause = cause;
  return error;
}
