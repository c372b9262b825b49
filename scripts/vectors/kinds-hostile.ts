import { ENTRY, packIdOf } from '../../lib/repository/index.ts';
import type { Refs } from '../../lib/repository/index.ts';
import { COMMON } from './hostile.ts';
import type { Hostile, TreeRow } from './hostile.ts';

const folder = (path: string): TreeRow => [path, { ...COMMON, mode: 0o755, type: ENTRY.directory }];
const TOMBSTONE = Uint8Array.of(ENTRY.tombstone);

/** Lies in what `HOSTILE_CASES` leaves out: deltas, lists of chunks, refs, codecs, lengths. */
export const KINDS_HOSTILE: Readonly<Record<string, Hostile>> = {
  'a path of a delta that climbs out': { says: 'not a path inside a backup', build: (forger) => forger.files('x').delta(folder('../evil')) },
  'a tombstone of a path that climbs out': { says: 'not a path inside a backup', build: (forger) => forger.files('x').delta(['a/../../evil', TOMBSTONE]) },
  'paths of a delta that do not ascend': { says: 'do not ascend', build: (forger) => forger.files('x').delta(folder('b'), folder('a')) },
  'a path with an empty component': { says: 'not a path inside a backup', build: (forger) => forger.files('x//y') },
  'a path that ends in a slash': { says: 'not a path inside a backup', build: (forger) => forger.files('x/') },
  'a path with a component of one dot': { says: 'not a path inside a backup', build: (forger) => forger.files('x/./y') },
  'a path that begins with a slash and climbs': { says: 'not a path inside a backup', build: (forger) => forger.files('/../evil') },
  'paths in the order of their bytes alone': { says: 'do not ascend', build: (forger) => forger.tree([folder(''), folder('a'), folder('a-b'), folder('a/b')]) },
  'bytes behind the record of a directory': { says: '', build: (forger) => forger.tree([folder(''), ['x', Uint8Array.of(ENTRY.directory, 0, 0, 0, 0, 0, 0, 7)]]) },
  'a list of chunks that breaks off': { says: '', build: (forger) => forger.files('x').listed((list) => list.subarray(0, list.length - 1)) },
  'a list of chunks in a pack that the refs do not name': { says: 'do not name the pack', build: (forger) => forger.files('x').listed((list) => list.fill(7, 32, 48)) },
  'a list that names a chunk which its pack does not hold': { says: '', build: (forger) => forger.files('x').listed((list) => list.fill(7, 0, 32)) },
  'gzip that is none': { says: 'does not decompress', build: (forger) => forger.files('x').directory((frame) => ({ ...frame, codec: 2 })) },
  'lz4, which is reserved': { says: 'codec 3', build: (forger) => forger.files('x').directory((frame) => ({ ...frame, codec: 3 })) },
  'a frame that announces a gigabyte': { says: 'at most 67108864', build: (forger) => forger.files('x').directory((frame) => ({ ...frame, codec: 1, rawLength: 1 << 30, chunks: frame.chunks.map((chunk) => ({ ...chunk, length: 1 << 30 })) })) },
  'a frame of a key number that nobody has': { says: 'key number 9', code: 'wrong-key', build: (forger) => forger.files('x').directory((frame) => ({ ...frame, keyNumber: 9 })) },
  'refs of another repository, bound by their manifest': { says: 'belongs to repository', build: (forger) => forger.files('x').refs((refs) => ({ ...refs, repository: '0123456789abcdef0123456789abcdef' })) },
  'refs that leave out the pack of the contents': { says: 'do not name the pack', build: (forger) => forger.files('x').refs(withoutData) },
  'signed refs that leave out the pack of the contents': { says: 'do not name the pack', build: (forger) => forger.files('x').later(withoutData) },
  'replacements that go in a circle': { says: 'do not name the pack', build: (forger) => forger.files('x').later(circling) },
};

function withoutData(refs: Refs): Refs {
  return { ...refs, packs: refs.packs.filter(({ name }) => name.startsWith('packs/meta/')) };
}

function circling(refs: Refs): Refs {
  const id = packIdOf(refs.packs[0]?.name ?? '');
  const other = 'f'.repeat(32);
  return { ...withoutData(refs), replaced: [{ old: id, new: other }, { old: other, new: id }] };
}
