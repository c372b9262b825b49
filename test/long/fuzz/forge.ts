import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { ByteWriter, CIPHERS, FORMAT_VERSION, SEAL_OVERHEAD_BYTES, associatedData, packHeader, sealInto, sealObject, sha256 } from '../../../lib/repository/index.ts';
import type { FrameInfo, SealKind, Subkeys } from '../../../lib/repository/index.ts';

/** Seals what no honest writer would: all of it opens, and then the decoder is alone with it. */
export class Forge {
  readonly #keys: Subkeys;

  constructor(keys: Subkeys) {
    this.#keys = keys;
  }

  object(kind: SealKind, name: string, plain: Uint8Array): Uint8Array {
    return sealObject(this.#keys, kind, name, plain, 'aes-256-gcm', zeroes);
  }

  /** An object whose plaintext is this body: codec, announced length and all. */
  body(kind: SealKind, name: string, body: Uint8Array): Uint8Array {
    const head = Buffer.from([...Buffer.from('HFOB'), FORMAT_VERSION, CIPHERS['aes-256-gcm'], 0, 0, 0, 0, 0, this.#keys.current]);
    return Buffer.concat([head, this.unit(kind, name, body)]);
  }

  unit(kind: SealKind, name: string, plain: Uint8Array): Uint8Array {
    const aad = associatedData({ repository: this.#keys.repository, cipher: 'aes-256-gcm', keyNumber: this.#keys.current, kind, name });
    const unit = Buffer.alloc(plain.length + SEAL_OVERHEAD_BYTES);
    sealInto(unit, plain, { subkey: this.#keys.subkey(kind), digest: sha256(plain), aad, cipher: 'aes-256-gcm', random: zeroes });
    return unit;
  }

  /** A pack of these frames whose directory says this. */
  pack(name: string, frames: Uint8Array, directory: Uint8Array): Uint8Array {
    const unit = this.unit('directory', name, directory);
    const footer = packHeader('aes-256-gcm', this.#keys.current);
    footer.write('HFPE', 0, 'latin1');
    footer.writeUInt32BE(unit.length, 12);
    return Buffer.concat([packHeader('aes-256-gcm', this.#keys.current), frames, unit, footer]);
  }

  /** A directory, field by field as it is given. */
  static directory(frames: readonly Omit<FrameInfo, 'offset'>[]): Uint8Array {
    const writer = new ByteWriter().varint(frames.length);
    for (const { sealedLength, rawLength, codec, keyNumber, tag, chunks } of frames) {
      writer.varint(sealedLength).varint(rawLength).u8(codec).varint(keyNumber).bytes(tag).varint(chunks.length);
      for (const { id, length } of chunks) writer.bytes(id).varint(length);
    }
    return writer.finish();
  }
}

/** Seals are the same in every run of a case. */
function zeroes(size: number): Uint8Array {
  return new Uint8Array(size);
}

const MIB = 1 << 20;

/** Few bytes that unfold to many: with and without their length at the front, several in a row, followed by something. */
export function bombs(): readonly Uint8Array[] {
  const zeroesOf = (size: number) => Buffer.alloc(size);
  const level = { [constants.ZSTD_c_compressionLevel]: 19 };
  const nameless = (size: number) => zstdCompressSync(zeroesOf(size), { params: { ...level, [constants.ZSTD_c_contentSizeFlag]: 0 } });
  const zstd = (size: number) => zstdCompressSync(zeroesOf(size), { params: level, pledgedSrcSize: size });
  const wide = zstdCompressSync(zeroesOf(MIB), { params: { ...level, [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 } });
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff]);
  return [
    zstd(16), zstd(MIB), zstd(32 * MIB), nameless(16), nameless(32 * MIB), wide, Buffer.concat([zstd(MIB), zstd(MIB), zstd(16)]), Buffer.concat([skippable, zstd(16)]), Buffer.concat([zstd(16), Buffer.from('more')]),
    gzipSync(zeroesOf(16)), gzipSync(zeroesOf(32 * MIB), { level: 9 }), Buffer.concat([gzipSync(zeroesOf(MIB)), gzipSync(zeroesOf(16))]), Buffer.concat([gzipSync(zeroesOf(16)), Buffer.from('more')]),
  ];
}
