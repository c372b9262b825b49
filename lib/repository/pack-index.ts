import { ByteReader, ByteWriter } from './bytes.ts';
import type { CipherName } from './format.ts';
import { damaged } from './format.ts';
import type { Subkeys } from './keys.ts';
import { openObject, sealObject } from './sealed-object.ts';
import type { PackRef } from './refs.ts';

/** What one run added to the vault: its packs and which chunks they hold (format §6). */
export interface IndexPart {
  readonly supersedes: readonly string[];
  readonly packs: readonly (PackRef & { readonly keyNumber: number; /** Chunk ids, 32 bytes each. */ readonly ids: Uint8Array })[];
}

export interface DecodedIndex {
  readonly supersedes: readonly string[];
  readonly packs: readonly (PackRef & { readonly keyNumber: number })[];
  /** Chunk ids, ascending, 32 bytes each, and beside each the ordinal of its pack. */
  readonly ids: Uint8Array;
  readonly ordinals: Uint32Array;
}

export function sealIndex(keys: Subkeys, name: string, part: IndexPart, cipher: CipherName, random?: (size: number) => Uint8Array): Buffer {
  const claims = sortClaims(part);
  const writer = new ByteWriter(claims.length * 34 + 4096).varint(part.supersedes.length);
  for (const superseded of part.supersedes) writer.sized(Buffer.from(superseded));
  writer.varint(part.packs.length);
  for (const pack of part.packs) writer.sized(Buffer.from(pack.name)).varint(pack.size).bytes(Buffer.from(pack.sha256, 'hex')).varint(pack.keyNumber);
  writer.varint(claims.length);
  for (const claim of claims) writer.bytes(claim.id);
  for (const claim of claims) writer.varint(claim.ordinal);
  return sealObject(keys, 'index', name, writer.view(), cipher, random);
}

export function openIndex(keys: Subkeys, name: string, stored: Uint8Array): DecodedIndex {
  const reader = new ByteReader(openObject(keys, 'index', name, stored), name);
  const supersedes = Array.from({ length: reader.count(2) }, () => Buffer.from(reader.sized()).toString());
  const packs = Array.from({ length: reader.count(36) }, () => ({
    name: Buffer.from(reader.sized()).toString(),
    size: reader.varint(),
    sha256: Buffer.from(reader.bytes(32)).toString('hex'),
    keyNumber: reader.varint(),
  }));
  const count = reader.count(33);
  const ids = reader.bytes(count * 32);
  const ordinals = new Uint32Array(count);
  for (let index = 0; index < count; index++) {
    const ordinal = reader.varint();
    if (ordinal >= packs.length) throw damaged(`${name} claims a chunk in pack ${ordinal} of ${packs.length}`);
    ordinals[index] = ordinal;
  }
  reader.end();
  return { supersedes, packs, ids, ordinals };
}

interface Claim {
  readonly key: number;
  readonly id: Uint8Array;
  readonly ordinal: number;
}

function sortClaims(part: IndexPart): Claim[] {
  const claims: Claim[] = [];
  for (const [ordinal, { ids }] of part.packs.entries()) {
    const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength);
    for (let at = 0; at < ids.length; at += 32) claims.push({ key: view.getUint32(at) * 0x200000 + (view.getUint32(at + 4) >>> 11), id: ids.subarray(at, at + 32), ordinal });
  }
  // The first 53 bits decide nearly always; comparing whole ids costs ten times as much.
  return claims.sort((left, right) => left.key - right.key || Buffer.compare(left.id, right.id));
}
