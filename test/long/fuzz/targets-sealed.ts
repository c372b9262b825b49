import type { ErrorCode } from '../../../lib/model/errors.ts';
import { directoryOf, decodeBody, decodeRefs, frameOpener, openCoverage, openFrame, openIndex, openJson, openManifest, openObject, openVerdict, readPackDirectory, readTreeChunk, sealCoverage, sha256 } from '../../../lib/repository/index.ts';
import type { FrameInfo, SealKind } from '../../../lib/repository/index.ts';
import { resolveRange } from '../../../lib/stores/read-range.ts';
import type { SeededRandom } from '../../simulation/dice.ts';
import { Forge, bombs } from './forge.ts';
import { mutateBytes, varint } from './mutate-bytes.ts';
import { mutateJson } from './mutate-json.ts';
import type { FuzzTarget } from './target.ts';
import type { VectorVault } from './vector-vault.ts';

/** How what is sealed may be refused: the last one because a key number may be anything. */
const SEALED: readonly ErrorCode[] = ['damaged', 'unsupported-version', 'wrong-key'];
/** A frame of 64 MiB is the largest that a reader makes room for (`MAX_RAW_FRAME_BYTES`), in one buffer beside the input's. */
const FRAME_BYTES = 96 << 20;

/** Everything that is found behind a seal, as someone who holds the keys may have written it. */
export function sealedTargets(vault: VectorVault): FuzzTarget[] {
  return [...objectTargets(vault), ...jsonTargets(vault), ...packTargets(vault), ...treeTargets(vault)];
}

function objectTargets(vault: VectorVault): FuzzTarget[] {
  const { keys } = vault.repository;
  const forge = new Forge(keys);
  const index = vault.one('index/');
  const kinds: readonly (readonly [string, SealKind])[] = [['index/', 'index'], ['snapshots/', 'snapshot'], ['verdicts/', 'verdict']];
  const stored = kinds.map(([prefix, kind]) => ({ ...vault.one(prefix), kind }));
  const indexes = all(vault, 'index/').map(({ name, bytes }) => openObject(keys, 'index', name, bytes));
  const bodies = [...bombs().flatMap((bomb) => [16, 1 << 20, 1 << 28].map((announced) => Buffer.concat([Buffer.of(1), varint(announced), bomb]))), Buffer.concat([Buffer.of(0), varint(4), Buffer.from('four')])];
  return [
    {
      name: 'sealed object, as stored', codes: SEALED,
      input: (dice) => mutateBytes(dice, dice.from(stored).bytes, { examples: stored.map(({ bytes }) => bytes), words: [Buffer.from('HFOB')] }),
      decode: (input) => openObject(keys, stored[0]?.kind ?? 'index', stored[0]?.name ?? '', input),
    },
    {
      // 256 MiB may be announced: what is unfolded ends one byte behind that, in pieces that are then joined.
      name: 'sealed object, its body', codes: SEALED, weight: 1, takenBytes: 600 * 2 ** 20,
      input: (dice) => mutateBytes(dice, dice.from(bodies), { examples: bodies, words: [] }),
      decode: (input) => openObject(keys, 'verdict', 'verdicts/a/b', forge.body('verdict', 'verdicts/a/b', input)),
    },
    {
      name: 'index', codes: SEALED,
      input: (dice) => mutateBytes(dice, dice.from(indexes), { examples: indexes, words: [] }),
      decode: (input) => openIndex(keys, index.name, forge.object('index', index.name, input)),
    },
    coverageTarget(vault, forge),
  ];
}

/** When packs were read last: two notes, of which one stands for the other. */
function coverageTarget({ repository }: VectorVault, forge: Forge): FuzzTarget {
  const name = 'coverage/01ARZ3NDEKTSV4RRFFQ69G5FAV';
  const readAt = new Map(['a', 'b', 'c'].map((digit, index) => [digit.repeat(32), (index + 1) * 60_000]));
  const examples = [{ supersedes: [], runs: [60_000], readAt }, { supersedes: [name, `${name}0`], runs: [60_000, 86_400_000], readAt: new Map() }].map((note) => openObject(repository.keys, 'coverage', name, sealCoverage(repository, name, note)));
  return {
    name: 'coverage', codes: SEALED,
    input: (dice) => mutateBytes(dice, dice.from(examples), { examples, words: [] }),
    decode: (input) => openCoverage(repository, name, forge.object('coverage', name, input)),
  };
}

function jsonTargets(vault: VectorVault): FuzzTarget[] {
  const { keys, config } = vault.repository;
  const forge = new Forge(keys);
  const snapshot = vault.one('snapshots/');
  const verdict = vault.one('verdicts/');
  const manifests = all(vault, 'snapshots/').map(({ name, bytes }) => openJson(keys, 'snapshot', name, bytes));
  const found = openJson(keys, 'verdict', verdict.name, verdict.bytes) as object;
  const verdicts = [found, { ...found, level: 'sample', result: 'corrupted', damaged: [{ name: 'packs/x', problem: 'gone' }], sample: { part: 1, parts: 7 } }];
  const refs = vault.one('refs/');
  const lists = all(vault, 'refs/').map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as object);
  lists.push({ ...lists[0], kind: 'partial', backup: '', index: ['index/a/b'] }, { ...lists[0], revision: 1, mac: 'AAAA', replaced: [{ old: 'aa', new: 'bb' }] });
  return [
    json('manifest', manifests, (input) => openManifest(keys, snapshot.name, forge.object('snapshot', snapshot.name, input))),
    json('verdict', verdicts, (input) => openVerdict(vault.repository, verdict.name, forge.object('verdict', verdict.name, input))),
    { ...json('refs and partial', lists, (input) => decodeRefs(input, refs.name, config.repository)), codes: ['damaged', 'unsupported-version'] },
  ];
}

/** Inputs are mutated values, and once in a while mutated text. */
function json(name: string, values: readonly unknown[], decode: FuzzTarget['decode']): FuzzTarget {
  const texts = values.map((value) => Buffer.from(JSON.stringify(value)));
  const input = (dice: SeededRandom) => (dice.isOnceIn(5) ? mutateBytes(dice, dice.from(texts), { examples: texts, words: [] }) : Buffer.from(mutateJson(dice, dice.from(values))));
  return { name, codes: SEALED, input, decode };
}

function packTargets(vault: VectorVault): FuzzTarget[] {
  const { keys, cipher } = vault.repository;
  const forge = new Forge(keys);
  const packs = all(vault, 'packs/');
  const { name } = packs[0] as { name: string };
  const directories = packs.map((pack) => ({ ...pack, frames: directoryOf(keys, pack.name, pack.bytes).frames }));
  const plain = directories.map(({ frames }) => Forge.directory(frames));
  const data = frameOpener(keys, 'frame');
  const read = (pack: Uint8Array) => {
    for (const frame of directoryOf(keys, name, pack).frames) openFrame(data, cipher, frame, pack.subarray(frame.offset, frame.offset + frame.sealedLength), name);
  };
  const bodies = bombs();
  const small = packs.map(({ bytes }) => bytes).filter(({ length }) => length < 1000);
  return [
    {
      name: 'pack directory', codes: SEALED, takenBytes: FRAME_BYTES,
      input: (dice) => (dice.isOnceIn(2) ? mutateBytes(dice, dice.from(plain), { examples: plain, words: [] }) : Forge.directory(lyingFrames(dice, dice.from(directories).frames))),
      decode: (input) => read(forge.pack(name, (packs[0] as { bytes: Uint8Array }).bytes.subarray(16, 16 + (directories[0]?.frames[0]?.sealedLength ?? 0)), input)),
    },
    {
      name: 'pack, as stored', codes: SEALED, takenBytes: FRAME_BYTES,
      input: (dice) => mutateBytes(dice, dice.from(packs).bytes, { examples: packs.map(({ bytes }) => bytes.subarray(-64)), words: [Buffer.from('HFPE'), Buffer.from('HFPK')] }),
      decode: read,
    },
    {
      name: 'pack footer, of a pack with another size than was listed', codes: SEALED,
      input: (dice) => Buffer.concat([varint(dice.from([...small.map(({ length }) => length), 0, 1, 15, 16, 17, 31, 32, 33, 80, 100, 1000, 2 ** 26, 2 ** 31, 2 ** 53 - 1])), mutateBytes(dice, dice.from(small), { examples: packs.map(({ bytes }) => bytes.subarray(-16)), words: [Buffer.from('HFPE')] })]),
      decode: (input) => {
        const size = sizeIn(input);
        const pack = input.subarray(varint(size).length);
        return readPackDirectory({ get: async (_, range) => rangeOf(pack, range) }, keys, (packs.find(({ bytes }) => bytes.length < 1000) ?? { name }).name, size);
      },
    },
    {
      // Codec, announced length, body: sealed as a frame that its directory describes in just this way.
      name: 'frame', codes: SEALED, weight: 1, takenBytes: FRAME_BYTES,
      input: (dice) => Buffer.concat([Buffer.of(dice.pick(5)), varint(dice.from([0, 1, 15, 16, 17, 1 << 20, (1 << 20) + 1, 1 << 25, 1 << 26, (1 << 26) + 1, 2 ** 40])), dice.isOnceIn(3) ? mutateBytes(dice, dice.from(bodies), { examples: bodies, words: [] }) : dice.from(bodies)]),
      decode: (input) => {
        const rawLength = sizeIn(input.subarray(1));
        const sealed = forge.unit('frame', '', input.subarray(1 + varint(rawLength).length));
        const frame: FrameInfo = { offset: 16, sealedLength: sealed.length, rawLength, codec: input[0] ?? 0, keyNumber: keys.current, tag: sealed.subarray(-16), chunks: [{ id: sha256(Buffer.alloc(0)), length: rawLength }] };
        const raw = openFrame(data, cipher, frame, sealed, name, { isChecked: false });
        if (raw.length !== rawLength) throw new Error(`a frame of ${rawLength} bytes unfolded to ${raw.length}`);
      },
    },
  ];
}

/** Fields that lie; every other time the sums fit all the same, so that the lie is carried further in. */
function lyingFrames(dice: SeededRandom, frames: readonly FrameInfo[]): FrameInfo[] {
  const number = () => dice.from([0, 1, 15, 16, 47, 48, 49, 100, 1 << 20, 1 << 26, (1 << 26) + 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1]);
  const lied = frames.map((frame) => {
    if (dice.isOnceIn(2)) return frame;
    const rawLength = dice.isOnceIn(2) ? number() : frame.rawLength;
    const chunks = dice.isOnceIn(2) ? [{ id: dice.bytes(32), length: rawLength }] : frame.chunks.map((chunk) => (dice.isOnceIn(4) ? { ...chunk, length: number() } : chunk));
    return { ...frame, rawLength, chunks, codec: dice.isOnceIn(3) ? dice.pick(5) : frame.codec, keyNumber: dice.isOnceIn(4) ? number() : frame.keyNumber, sealedLength: dice.isOnceIn(6) ? number() : frame.sealedLength };
  });
  return dice.isOnceIn(4) ? lied.slice(0, 1) : dice.isOnceIn(4) ? Array.from({ length: 1 + dice.pick(2000) }, (_, at) => lied[at % Math.max(1, lied.length)] ?? (frames[0] as FrameInfo)) : lied;
}

function treeTargets(vault: VectorVault): FuzzTarget[] {
  const { keys } = vault.repository;
  const opener = frameOpener(keys, 'tree');
  const chunks = all(vault, 'packs/meta/').flatMap(({ name, bytes }) => {
    const { frames, cipher } = directoryOf(keys, name, bytes);
    return frames.map((frame) => openFrame(opener, cipher, frame, bytes.subarray(frame.offset, frame.offset + frame.sealedLength), name));
  });
  const bodies = chunks.flatMap((chunk) => [...readTreeChunk(chunk, 'tree')].map(({ body }) => body)).filter(({ length }) => length > 1);
  return [
    {
      name: 'tree chunk', codes: ['damaged'],
      input: (dice) => mutateBytes(dice, dice.from(chunks), { examples: chunks, words: [Buffer.from('../'), Buffer.from('/'), Buffer.of(0)] }),
      decode: (input) => {
        for (const { path, body } of readTreeChunk(input, 'tree')) if (body[0] !== 0) decodeBody(body, path);
      },
    },
    {
      name: 'record of an entry', codes: ['damaged'],
      input: (dice) => mutateBytes(dice, dice.from(bodies), { examples: bodies, words: [varint(255), varint(16), varint(8)] }),
      decode: (input) => decodeBody(input, 'entry'),
    },
  ];
}

function all(vault: VectorVault, prefix: string): { name: string; bytes: Uint8Array }[] {
  return [...vault.objects].filter(([name]) => name.startsWith(prefix)).map(([name, bytes]) => ({ name, bytes }));
}

/** What a store answers: a range that is not in the object is damaged (`resolveRange`). */
function rangeOf(bytes: Uint8Array, range: { readonly offset: number; readonly length: number } = { offset: 0, length: bytes.length }): Uint8Array {
  const { offset, length } = resolveRange('pack', bytes.length, range);
  return bytes.subarray(offset, offset + length);
}

/** The number that an input begins with. */
function sizeIn(input: Uint8Array): number {
  let value = 0;
  for (const [index, byte] of input.subarray(0, 8).entries()) {
    value += (byte & 127) * 128 ** index;
    if (byte < 128) break;
  }
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}
