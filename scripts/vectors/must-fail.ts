import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ObjectInfo } from '../../lib/stores/store.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { HOSTILE_CASES, hostileObjects } from './hostile.ts';

/** One change to one object; a case applies all of its own to a copy of the vault. */
export type Patch =
  | { readonly object: string; readonly flip: number }
  | { readonly object: string; readonly truncate: number }
  | { readonly object: string; readonly remove: true }
  | { readonly object: string; readonly json: Readonly<Record<string, unknown>> }
  | { readonly object: string; readonly contentOf: string }
  /** In base64; sealed with the right keys by someone who lies. */
  | { readonly object: string; readonly bytes: string };

export interface MustFail {
  readonly title: string;
  readonly patches: readonly Patch[];
  readonly code: 'damaged' | 'unsupported-version' | 'wrong-key' | 'vault-not-found' | 'not-found';
  /** A piece of the message. */
  readonly says: string;
}

/** Writes `must-fail.json`. */
export async function makeMustFail(repository: Repository, target: string): Promise<void> {
  const objects = await Array.fromAsync(repository.store.list(''));
  const hostile: MustFail[] = [];
  for (const [title, { says, code = 'damaged', build }] of Object.entries(HOSTILE_CASES)) {
    const patches = [...hostileObjects(repository, build)].map(([object, bytes]) => ({ object, bytes: Buffer.from(bytes).toString('base64') }));
    hostile.push({ title, patches, code, says });
  }
  const cases = [...plainCases(objects), ...hostile];
  writeFileSync(join(target, 'must-fail.json'), `[\n${cases.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
}

/** What anyone who can write into the store can do, without a key. */
function plainCases(objects: readonly ObjectInfo[]): MustFail[] {
  const of = (prefix: string, position = 0) => {
    const found = objects.filter(({ name }) => name.startsWith(prefix)).at(position);
    if (!found) throw new Error(`The vault holds no ${prefix}`);
    return found;
  };
  const data = of('packs/hot/');
  const meta = of('packs/meta/');
  const snapshot = of('snapshots/');
  const kinds: Record<string, ObjectInfo> = { index: of('index/'), snapshot, verdict: of('verdicts/'), refs: of('refs/'), 'data pack': data, 'meta pack': meta };
  const rows: MustFail[] = [];
  for (const [kind, { name, size }] of Object.entries(kinds)) {
    rows.push({ title: `${kind} with one flipped bit in its middle`, patches: [{ object: name, flip: Math.floor(size / 2) }], code: 'damaged', says: '' });
    rows.push({ title: `${kind} that ends early`, patches: [{ object: name, truncate: size - 1 }], code: 'damaged', says: '' });
  }
  for (const kind of ['data pack', 'meta pack']) rows.push({ title: `${kind} that is gone`, patches: [{ object: kinds[kind]?.name ?? '', remove: true }], code: 'not-found', says: '' });
  const refs = of('refs/');
  const otherSnapshot = of('snapshots/', 1);
  return [
    ...rows,
    { title: 'the first byte of a data frame', patches: [{ object: data.name, flip: 16 }], code: 'damaged', says: 'seal' },
    { title: 'the length in the footer of a pack', patches: [{ object: data.name, flip: data.size - 1 }], code: 'damaged', says: '' },
    { title: 'the magic of a footer', patches: [{ object: data.name, flip: data.size - 16 }], code: 'damaged', says: 'does not end like a pack' },
    { title: 'another cipher number in a snapshot', patches: [{ object: snapshot.name, flip: 5 }], code: 'damaged', says: 'cipher' },
    { title: 'a key number that nobody has', patches: [{ object: snapshot.name, flip: 8 }], code: 'damaged', says: 'sealed otherwise' },
    { title: 'a pack under the name of another', patches: [{ object: data.name, contentOf: of('packs/hot/', 1).name }], code: 'damaged', says: '' },
    { title: 'a snapshot under the name of another', patches: [{ object: snapshot.name, contentOf: otherSnapshot.name }], code: 'damaged', says: 'seal' },
    { title: 'an index under the name of another', patches: [{ object: of('index/').name, contentOf: of('index/', 1).name }], code: 'damaged', says: 'seal' },
    { title: 'refs that are gone', patches: [{ object: refs.name, remove: true }], code: 'damaged', says: 'cannot say which packs it needs' },
    { title: 'refs of another backup', patches: [{ object: refs.name, contentOf: of('refs/', 1).name }], code: 'damaged', says: 'not those that the manifest names' },
    { title: 'refs that leave a pack out', patches: [{ object: refs.name, json: { packs: [] } }], code: 'damaged', says: 'not those that the manifest names' },
    { title: 'a later revision of refs that nobody signed', patches: [{ object: refs.name, remove: true }, { object: refs.name.replace(/0$/, '1'), contentOf: refs.name }], code: 'damaged', says: 'genuine' },
    { title: 'no holdfast.json', patches: [{ object: 'holdfast.json', remove: true }], code: 'vault-not-found', says: 'holdfast.json is missing' },
    { title: 'holdfast.json of a newer format', patches: [{ object: 'holdfast.json', json: { format: 2 } }], code: 'unsupported-version', says: 'format version 2' },
    { title: 'holdfast.json of another repository', patches: [{ object: 'holdfast.json', json: { repository: '0123456789abcdef0123456789abcdef' } }], code: 'damaged', says: 'belongs to repository' },
    { title: 'holdfast.json with chunks of a byte', patches: [{ object: 'holdfast.json', json: { chunker: { files: { min: 1, avg: 2, max: 3 }, streams: { min: 4096, avg: 8192, max: 16_384 } } } }], code: 'damaged', says: 'chunk sizes' },
    { title: 'a key slot of a newer format', patches: [{ object: of('keys/').name, json: { format: 2 } }], code: 'unsupported-version', says: 'format version 2' },
    { title: 'key slots with other wrappings', patches: objects.filter(({ name }) => name.startsWith('keys/')).map(({ name }) => ({ object: name, json: { salt: Buffer.alloc(32).toString('base64') } })), code: 'wrong-key', says: 'opens none of the 4 key slots' },
    { title: 'no key slot', patches: objects.filter(({ name }) => name.startsWith('keys/')).map(({ name }) => ({ object: name, remove: true as const })), code: 'damaged', says: 'no readable key slot' },
    { title: 'a snapshot of format zero', patches: [{ object: snapshot.name, flip: 4 }], code: 'damaged', says: 'format version 0' },
  ];
}
