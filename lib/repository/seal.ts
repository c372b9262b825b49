import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hash, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { invariant } from '../model/errors.ts';
import { CIPHERS, FORMAT_VERSION, SALT_BYTES, SEAL_OVERHEAD_BYTES, TAG_BYTES, damaged } from './format.ts';
import type { CipherName, SealKind } from './format.ts';
import { releaseBytes } from './scratch.ts';
import type { Scratch } from './scratch.ts';

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

/** What sealing takes beside the plaintext; `digest` must determine it. */
export interface Sealing {
  readonly subkey: Uint8Array;
  readonly digest: Uint8Array;
  readonly aad: Uint8Array;
  readonly cipher: CipherName;
  readonly random?: ((size: number) => Uint8Array) | undefined;
}

/**
 * A cipher answers each piece in new memory. Pieces of this size come from the allocator's pool again and again, still in
 * the processor's cache; a whole frame would be mapped, zeroed page by page and unmapped.
 */
const PIECE_BYTES = 128 << 10;

/**
 * Seals `plain` under a key made for this unit alone: salt, ciphertext and tag, from the beginning of `target`, which may
 * be shared memory and must have room for `SEAL_OVERHEAD_BYTES` more than `plain`. Returns the tag.
 */
export function sealInto(target: Buffer, plain: Uint8Array, { subkey, digest, aad, cipher, random = randomBytes }: Sealing): Buffer {
  invariant(target.length >= plain.length + SEAL_OVERHEAD_BYTES, `a unit of ${plain.length} bytes was to be sealed into ${target.length}`);
  const salt = createHmac('sha256', createSecretKey(subkey)).update(random(32)).update(digest).digest();
  salt.copy(target);
  const sealer = createCipher(cipher, unitKey(subkey, salt));
  sealer.setAAD(aad, { plaintextLength: plain.length });
  passInto(target.subarray(SALT_BYTES), sealer, plain);
  sealer.final();
  const tag = sealer.getAuthTag();
  tag.copy(target, SALT_BYTES + plain.length);
  return tag;
}

function passInto(target: Buffer, cipher: { update(bytes: Uint8Array): Buffer }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = cipher.update(bytes.subarray(at, at + PIECE_BYTES));
    piece.copy(target, at);
    releaseBytes(piece);
  }
}

export function seal(subkey: Uint8Array, plain: Uint8Array, context: SealContext, random?: (size: number) => Uint8Array): Buffer {
  const unit = Buffer.allocUnsafe(plain.length + SEAL_OVERHEAD_BYTES);
  sealInto(unit, plain, { subkey, digest: sha256(plain), aad: associatedData(context), cipher: context.cipher, random });
  return unit;
}

/**
 * Opens a sealed unit, or fails as `damaged`: one flipped bit, another place, another kind, another key all end here. With
 * `scratch` the plaintext lies there, until the next unit is opened into it.
 */
export function open(subkey: Uint8Array, unit: Uint8Array, aad: Uint8Array, cipher: CipherName, what: string, scratch?: Scratch): Buffer {
  if (unit.length < SALT_BYTES + TAG_BYTES) throw damaged(`${what}: ${unit.length} bytes are too few for a sealed unit`);
  const opener = createDecipher(cipher, unitKey(subkey, unit.subarray(0, SALT_BYTES)));
  const body = unit.subarray(SALT_BYTES, unit.length - TAG_BYTES);
  opener.setAAD(aad, { plaintextLength: body.length });
  opener.setAuthTag(unit.subarray(unit.length - TAG_BYTES));
  const plain = scratch ? scratch.take(body.length) : opener.update(body);
  if (scratch) passInto(plain, opener, body);
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
