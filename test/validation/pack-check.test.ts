import { randomBytes } from 'node:crypto';
import { newHexId } from '../../lib/model/ids.ts';
import type { PackId } from '../../lib/model/ids.ts';
import { FrameSealer, PackBuilder, directoryOf, names, openRepository, sha256 } from '../../lib/repository/index.ts';
import type { PackedChunk, Repository } from '../../lib/repository/index.ts';
import { PackChecker } from '../../lib/validation/pack-check.ts';
import { failure } from '../sources/reading.ts';
import { memoryVault } from '../support/vault.ts';

const { repository, store } = memoryVault();
const WRITER = 'ab'.repeat(16);

function chunkOf(bytes: Uint8Array): PackedChunk {
  return { id: sha256(bytes), length: bytes.length };
}

/** One pack; each inner list is a frame. */
function packOf(frames: readonly (readonly { bytes: Uint8Array; chunk?: PackedChunk }[])[], by: Repository = repository) {
  const sealer = new FrameSealer(by.keys, by.cipher, 'frame', { algorithm: 'zstd', level: 3 });
  const builder = new PackBuilder(by.keys, by.cipher, new Uint8Array(1 << 16));
  for (const frame of frames) builder.append(sealer.seal(Buffer.concat(frame.map(({ bytes }) => bytes)), frame.map(({ bytes, chunk }) => chunk ?? chunkOf(bytes))));
  const { name, bytes, sha256: digest } = builder.finish(names.pack('hot', WRITER, newHexId<PackId>()));
  return { ref: { name, size: bytes.length, sha256: digest }, bytes };
}

const text = (words: string) => ({ bytes: Buffer.from(words.repeat(30)) });

test('a whole pack has no problems', () => {
  const { ref, bytes } = packOf([[text('one'), text('two')], [text('three')]]);
  expect(new PackChecker(repository.keys).check(ref, bytes)).toEqual({ problems: [], isLost: false });
});

test('a chunk that is not what its id says is found in a frame whose seal is right: a writer lied', () => {
  const lie = { id: randomBytes(32), length: text('two').bytes.length };
  const { ref, bytes } = packOf([[text('one'), { ...text('two'), chunk: lie }, text('three')]]);
  const { problems, isLost } = new PackChecker(repository.keys).check(ref, bytes);
  expect(isLost).toBe(false);
  expect(problems).toMatchObject([{ problem: expect.stringContaining('1 of its chunks are not what their ids say') }]);
  expect(Buffer.from(problems[0]!.ids).equals(lie.id)).toBe(true);
});

test('only the chunks of a damaged frame are lost', () => {
  const { ref, bytes } = packOf([[text('one')], [text('two'), text('three')]]);
  const damaged = Uint8Array.from(bytes);
  damaged[16 + 40]! ^= 1;
  const { problems } = new PackChecker(repository.keys).check(ref, damaged);
  expect(problems).toHaveLength(1);
  expect(Buffer.from(problems[0]!.ids).equals(chunkOf(text('one').bytes).id)).toBe(true);
});

test('a genuine frame of another pack in the place of one is found, though it opens', () => {
  const [one, other] = [packOf([[text('one')], [text('two')]]), packOf([[text('six')], [text('ten')]])];
  const { frames } = directoryOf(repository.keys, one.ref.name, one.bytes);
  const [stranger] = directoryOf(repository.keys, other.ref.name, other.bytes).frames;
  expect(stranger!.sealedLength).toBe(frames[0]!.sealedLength);
  const mixed = Uint8Array.from(one.bytes);
  mixed.set(other.bytes.subarray(stranger!.offset, stranger!.offset + stranger!.sealedLength), frames[0]!.offset);
  const { problems } = new PackChecker(repository.keys).check(one.ref, mixed);
  expect(problems).toMatchObject([{ problem: expect.stringContaining('is not the frame that its directory describes') }]);
});

test('a pack with another digest than the refs say is a problem even when every frame opens', () => {
  const { ref, bytes } = packOf([[text('one')]]);
  const { problems } = new PackChecker(repository.keys).check({ ...ref, sha256: '0'.repeat(64) }, bytes);
  expect(problems.map(({ ids }) => ids.length)).toEqual([0]);
});

test('a frame of a key number that was not given is no damage: it says wrong-key', async () => {
  const rotated = openRepository(store, repository.config, { ...repository.keys.keys, pairs: [...repository.keys.keys.pairs, { number: 2, meta: randomBytes(32), data: randomBytes(32) }] });
  const { ref, bytes } = packOf([[text('one')]], rotated);
  const withoutData = openRepository(store, repository.config, { ...rotated.keys.keys, pairs: rotated.keys.keys.pairs.map((pair) => (pair.number === 2 ? { number: 2, meta: pair.meta } : pair)) });
  expect((await failure((async () => new PackChecker(withoutData.keys).check(ref, bytes))())).code).toBe('wrong-key');
});

test('a pack of a key number that was not given is no damage either: its directory cannot be opened', async () => {
  const rotated = openRepository(store, repository.config, { ...repository.keys.keys, pairs: [...repository.keys.keys.pairs, { number: 2, meta: randomBytes(32), data: randomBytes(32) }] });
  const { ref, bytes } = packOf([[text('one')]], rotated);
  expect((await failure((async () => new PackChecker(repository.keys).check(ref, bytes))())).code).toBe('wrong-key');
});
