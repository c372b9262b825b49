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
  const { ids, ordinals, order } = sortClaims(part);
  const writer = new ByteWriter(order.length * 35 + part.packs.length * 160 + 4096).varint(part.supersedes.length);
  for (const superseded of part.supersedes) writer.sized(Buffer.from(superseded));
  writer.varint(part.packs.length);
  for (const pack of part.packs) writer.sized(Buffer.from(pack.name)).varint(pack.size).bytes(Buffer.from(pack.sha256, 'hex')).varint(pack.keyNumber);
  writer.varint(order.length);
  for (const claim of order) writer.bytes(ids.subarray(claim * 32, claim * 32 + 32));
  for (const claim of order) writer.varint(ordinals[claim] as number);
  return sealObject(keys, 'index', name, writer.view(), cipher, random);
}

/** Bytes that a name takes at least, shorter than any of format §2: counts that no such list could hold are refused before room is made for them. */
const NAME_BYTES = 48;

export function openIndex(keys: Subkeys, name: string, stored: Uint8Array): DecodedIndex {
  const reader = new ByteReader(openObject(keys, 'index', name, stored), name);
  const supersedes = Array.from({ length: reader.count(NAME_BYTES) }, () => Buffer.from(reader.sized()).toString());
  const packs = Array.from({ length: reader.count(NAME_BYTES + 34) }, () => ({
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

/** Positions of all claims in ascending order of their ids; flat arrays, because there may be millions. */
function sortClaims(part: IndexPart): { ids: Buffer; ordinals: Uint32Array; order: Uint32Array } {
  const ids = Buffer.concat(part.packs.map((pack) => pack.ids));
  const count = ids.length / 32;
  const keys = new Float64Array(count);
  const ordinals = new Uint32Array(count);
  const order = new Uint32Array(count);
  let next = 0;
  for (const [ordinal, pack] of part.packs.entries()) for (let at = 0; at < pack.ids.length; at += 32) ordinals[next++] = ordinal;
  for (let claim = 0; claim < count; claim++) {
    order[claim] = claim;
    // The first 53 bits decide nearly always; comparing whole ids costs ten times as much.
    keys[claim] = ids.readUInt32BE(claim * 32) * 0x200000 + (ids.readUInt32BE(claim * 32 + 4) >>> 11);
  }
  order.sort((left, right) => (keys[left] as number) - (keys[right] as number) || ids.compare(ids, right * 32, right * 32 + 32, left * 32, left * 32 + 32));
  return { ids, ordinals, order };
}
