import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { systemClock } from '../../lib/model/clock.ts';
import { ChunkReader, FrameSealer, PackBuilder, Subkeys, decodeDirectory, decodeFooter, frameOpener, names, openFrame, readPackDirectory, sha256 } from '../../lib/repository/index.ts';
import type { CipherName, Compression, FinishedPack, PackedChunk } from '../../lib/repository/index.ts';
import { directoryOf } from '../../lib/repository/pack-reader.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { TEST_KEYS, TEST_WRITER, testRepository } from '../support/run-backup.ts';

const { keys } = testRepository();
const NAME = names.pack('hot', TEST_WRITER.id, 'f0'.repeat(16));
const ZSTD: Compression = { algorithm: 'zstd', level: 1 };

function packOf(frames: readonly (readonly Buffer[])[], { compression = ZSTD, cipher = 'aes-256-gcm' as CipherName, name = NAME, by = keys } = {}): FinishedPack {
  const builder = new PackBuilder(by, cipher, new Uint8Array(4 << 20));
  const sealer = new FrameSealer(by, cipher, 'frame', compression);
  for (const contents of frames) builder.append(sealer.seal(Buffer.concat(contents), contents.map((content): PackedChunk => ({ id: sha256(content), length: content.length }))));
  return builder.finish(name);
}

/** Every chunk of a pack whose bytes are at hand, in order. */
function chunksOf(bytes: Uint8Array, name = NAME, by = keys): Buffer[] {
  const directory = directoryOf(by, name, bytes);
  return directory.frames.flatMap((frame) => {
    const raw = openFrame(frameOpener(by, 'frame'), directory.cipher, frame, bytes.slice(frame.offset, frame.offset + frame.sealedLength), name);
    let offset = 0;
    return frame.chunks.map(({ length }) => Buffer.from(raw.subarray(offset, (offset += length))));
  });
}

describe('packs (format §5)', () => {
  it.each<[Compression['algorithm'], CipherName]>([
    ['zstd', 'aes-256-gcm'],
    ['gzip', 'aes-256-gcm'],
    ['none', 'chacha20-poly1305'],
  ])('give back what was put in, by %s and %s', (algorithm, cipher) => {
    const chunk = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 1, max: 20_000 }).map((length) => new Uint8Array(length).fill(7))).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.array(fc.array(chunk, { minLength: 1, maxLength: 5 }), { maxLength: 4 }), (frames) => {
        const pack = packOf(frames, { compression: { algorithm, level: 1 }, cipher });
        expect(chunksOf(pack.bytes)).toEqual(frames.flat());
        expect(pack.sha256).toBe(sha256(pack.bytes).toString('hex'));
      }),
      { numRuns: 30 },
    );
  });

  it('show no plain byte, and are different each time though the content is the same', () => {
    const content = Buffer.alloc(1000, 'SECRET');
    const [one, two] = [packOf([[content]], { compression: { algorithm: 'none', level: 0 } }), packOf([[content]])];
    expect(Buffer.from(one.bytes).includes('SECRET')).toBe(false);
    expect(Buffer.from(one.bytes).includes(sha256(content))).toBe(false);
    expect(Buffer.from(one.bytes).equals(two.bytes)).toBe(false);
  });

  it('every flipped bit is damaged, but in the heads, which say nothing that is believed', () => {
    const frames = [[Buffer.from('one'), Buffer.from('two')], [Buffer.alloc(300, 'three')]];
    const { bytes } = packOf(frames);
    const silent: number[] = [];
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
      try {
        expect(chunksOf(flipped)).toEqual(frames.flat());
        silent.push(at);
      } catch (error) {
        expect(error).toMatchObject({ code: 'damaged' });
      }
    }
    const footer = bytes.length - 16;
    // The pack's first 16 bytes, and the two reserved ones of its footer: the digest in refs covers them.
    expect(silent).toEqual([...Array.from({ length: 16 }, (_, index) => index), footer + 6, footer + 7]);
  });

  it('every missing end is damaged', () => {
    const { bytes } = packOf([[Buffer.from('one')]]);
    for (let length = 0; length < bytes.length; length++) expect(() => chunksOf(bytes.slice(0, length))).toThrow(expect.objectContaining({ code: 'damaged' }));
  });

  it('frames of one pack cannot take the place of another, and a directory speaks for its own name only', () => {
    const { bytes, frames } = packOf([[Buffer.alloc(500, 1)], [Buffer.alloc(500, 2)]], { compression: { algorithm: 'none', level: 0 } });
    const swapped = Buffer.from(bytes);
    const [first, second] = frames as [(typeof frames)[0], (typeof frames)[0]];
    swapped.set(bytes.subarray(second.offset, second.offset + second.sealedLength), first.offset);
    expect(() => chunksOf(swapped)).toThrow(expect.objectContaining({ code: 'damaged' }));
    expect(() => chunksOf(bytes, names.pack('hot', TEST_WRITER.id, 'f1'.repeat(16)))).toThrow(expect.objectContaining({ code: 'damaged' }));
    expect(() => chunksOf(bytes, names.pack('cold', TEST_WRITER.id, 'f0'.repeat(16)))).toThrow(expect.objectContaining({ code: 'damaged' }));
  });

  it('a directory may be longer than the one read of a pack\'s end', async () => {
    const store = new MemoryStore(systemClock);
    const contents = Array.from({ length: 6000 }, (_, index) => Buffer.from(`chunk ${index}`));
    const { bytes } = packOf([contents]);
    await store.put(NAME, bytes);
    const directory = await readPackDirectory(store, keys, NAME, bytes.length);
    expect(directory.frames[0]?.chunks).toHaveLength(6000);
    const reader = new ChunkReader(store, keys, 'frame', async () => bytes.length);
    expect(Buffer.from((await reader.read(NAME, sha256(contents[4321] as Buffer))) ?? []).toString()).toBe('chunk 4321');
    expect(await reader.read(NAME, sha256(Buffer.from('never stored')))).toBeUndefined();
  });

  it('a frame that decodes to something else than its directory says is refused, also when its writer had the keys', () => {
    const content = Buffer.alloc(1000, 'x');
    const sealer = new FrameSealer(keys, 'aes-256-gcm', 'frame', ZSTD);
    const lies: PackedChunk[][] = [[{ id: sha256(content), length: 999 }], [{ id: randomBytes(32), length: 1000 }], [{ id: sha256(content), length: 1001 }], []];
    for (const chunks of lies) {
      const builder = new PackBuilder(keys, 'aes-256-gcm', new Uint8Array(1 << 20));
      const sealed = sealer.seal(content, chunks);
      const sum = chunks.reduce((total, { length }) => total + length, 0);
      builder.append({ parts: sealed.parts, info: { ...sealed.info, rawLength: sum } });
      const { bytes } = builder.finish(NAME);
      expect(() => chunksOf(bytes)).toThrow(expect.objectContaining({ code: 'damaged' }));
      const honest = new PackBuilder(keys, 'aes-256-gcm', new Uint8Array(1 << 20));
      honest.append(sealed);
      if (sum !== 1000) expect(() => honest.finish(NAME)).toThrow(expect.objectContaining({ code: 'damaged' }));
    }
  });

  it('a small frame that unfolds to far more than it announces costs no memory', () => {
    const sealer = new FrameSealer(keys, 'aes-256-gcm', 'frame', ZSTD);
    const bomb = Buffer.alloc(32 << 20);
    const sealed = sealer.seal(bomb, [{ id: sha256(bomb), length: bomb.length }]);
    const builder = new PackBuilder(keys, 'aes-256-gcm', new Uint8Array(1 << 20));
    builder.append({ parts: sealed.parts, info: { ...sealed.info, rawLength: 10, chunks: [{ id: sha256(bomb), length: 10 }] } });
    const { bytes } = builder.finish(NAME);
    expect(() => chunksOf(bytes)).toThrow(expect.objectContaining({ code: 'damaged' }));
  });

  it('takes frames over byte for byte, and they open there', () => {
    const source = packOf([[Buffer.from('one')], [Buffer.from('two')]]);
    const builder = new PackBuilder(keys, 'aes-256-gcm', new Uint8Array(1 << 20));
    builder.absorb(source.frames.slice(1), source.bytes);
    const other = names.pack('warm', TEST_WRITER.id, 'f2'.repeat(16));
    expect(chunksOf(builder.finish(other).bytes, other)).toEqual([Buffer.from('two')]);
  });

  it('whoever holds only the meta key reads the directory and no content', () => {
    const { bytes } = packOf([[Buffer.from('one')]]);
    const metaOnly = new Subkeys(keys.repository, { ...TEST_KEYS, pairs: TEST_KEYS.pairs.map(({ number, meta }) => ({ number, meta })) });
    expect(directoryOf(metaOnly, NAME, bytes).frames).toHaveLength(1);
    expect(() => chunksOf(bytes, NAME, metaOnly)).toThrow(expect.objectContaining({ code: 'wrong-key' }));
    const footer = decodeFooter(bytes.subarray(bytes.length - 16), NAME, bytes.length);
    const end = bytes.length - 16;
    expect(decodeDirectory(metaOnly, NAME, bytes.subarray(end - footer.directoryLength, end), footer, bytes.length).name).toBe(NAME);
  });

  it('says before it is full how long it will be, its directory included', () => {
    const contents = Array.from({ length: 5000 }, (_, index) => Buffer.from(String(index)));
    const builder = new PackBuilder(keys, 'aes-256-gcm', new Uint8Array(1 << 20));
    builder.append(new FrameSealer(keys, 'aes-256-gcm', 'frame', ZSTD).seal(Buffer.concat(contents), contents.map((content) => ({ id: sha256(content), length: content.length }))));
    const estimate = builder.finishedLength;
    const { length } = builder.finish(NAME).bytes;
    expect(estimate).toBeGreaterThan(length * 0.9);
    expect(builder.length).toBeLessThan(length * 0.5);
  });
});
