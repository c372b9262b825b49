import { ByteWriter, directoryOf, encodeMark, encodeRuling, openJson, openObject, packIdOf, sha256 } from '../../../lib/repository/index.ts';
import type { SeededRandom } from '../../simulation/dice.ts';
import { Forge } from './forge.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateJson } from './mutate-json.ts';
import type { VectorVault } from './vector-vault.ts';

type Objects = Map<string, Uint8Array>;
/** Changes a vault and says how. */
type Change = (dice: SeededRandom, objects: Objects) => string;

const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const NAMES = ['0', '00', '1', '99999999999999999999', '-1', '.0', '..1', '__proto__', 'constructor', 'a', 'ruling', 'x.ruling', ULID, 'f'.repeat(32), 'z'.repeat(200), 'tree.1.2.3'];

/** Makes a vault that somebody tampered with, from outside or with its keys. */
export class VaultForger {
  readonly #vault: VectorVault;
  readonly #forge: Forge;
  readonly #changes: readonly Change[];

  constructor(vault: VectorVault) {
    this.#vault = vault;
    this.#forge = new Forge(vault.repository.keys);
    this.#changes = [
      (dice, objects) => this.#bytes(dice, objects), (dice, objects) => this.#gone(dice, objects), (dice, objects) => this.#misplaced(dice, objects), (dice, objects) => this.#oddName(dice, objects),
      (dice, objects) => this.#manifest(dice, objects), (dice, objects) => this.#manifest(dice, objects), (dice, objects) => this.#refs(dice, objects), (dice, objects) => this.#refs(dice, objects),
      (dice, objects) => this.#verdict(dice, objects), (dice, objects) => this.#index(dice, objects), (dice, objects) => this.#directory(dice, objects), (dice, objects) => this.#fact(dice, objects),
    ];
  }

  forge(dice: SeededRandom): { objects: ReadonlyMap<string, Uint8Array>; changes: readonly string[] } {
    const objects = new Map(this.#vault.objects);
    const changes = Array.from({ length: 1 + dice.pick(2) }, () => dice.from(this.#changes)(dice, objects));
    return { objects, changes };
  }

  #bytes(dice: SeededRandom, objects: Objects): string {
    const [name, bytes] = dice.from([...objects]);
    objects.set(name, mutateBytes(dice, bytes, { examples: [bytes], words: [] }));
    return `${name} altered`;
  }

  #gone(dice: SeededRandom, objects: Objects): string {
    const name = dice.from([...objects.keys()]);
    objects.delete(name);
    return `${name} gone`;
  }

  #misplaced(dice: SeededRandom, objects: Objects): string {
    const [from, to] = [dice.from([...objects.keys()]), dice.from([...objects.keys()])];
    objects.set(to, objects.get(from) as Uint8Array);
    return `${from} in the place of ${to}`;
  }

  /** An object whose name is like that of another: whoever may write to the store may choose it. */
  #oddName(dice: SeededRandom, objects: Objects): string {
    const [name, bytes] = dice.from([...objects].filter(([candidate]) => candidate.includes('/')));
    const stem = dice.isOnceIn(2) ? `${name}.` : name.slice(0, name.lastIndexOf('/') + 1);
    const odd = `${stem}${dice.from(NAMES)}`;
    objects.set(odd, dice.isOnceIn(2) ? bytes : Buffer.from('{}'));
    if (dice.isOnceIn(3)) objects.delete(name);
    return `${odd} beside or instead of ${name}`;
  }

  #manifest(dice: SeededRandom, objects: Objects): string {
    const name = this.#pick(dice, objects, 'snapshots/');
    if (name === undefined) return 'no snapshot';
    const manifest = this.#json('snapshot', name);
    objects.set(name, this.#forge.object('snapshot', name, Buffer.from(mutateJson(dice, manifest))));
    return `the manifest ${name} lying`;
  }

  /** Lists of packs that lie, bound by a manifest that was sealed again, so that they are believed. */
  #refs(dice: SeededRandom, objects: Objects): string {
    const name = this.#pick(dice, objects, 'refs/');
    const snapshot = name?.replace(/^refs\/(.*)\.\d+$/, 'snapshots/$1') ?? '';
    if (name === undefined || !this.#vault.objects.has(name) || !this.#vault.objects.has(snapshot)) return 'no list of packs';
    const refs = Buffer.from(mutateJson(dice, JSON.parse(Buffer.from(this.#vault.objects.get(name) ?? []).toString())));
    objects.set(name, refs);
    const manifest = { ...(this.#json('snapshot', snapshot) as object), refsSha256: sha256(refs).toString('hex') };
    objects.set(snapshot, this.#forge.object('snapshot', snapshot, Buffer.from(JSON.stringify(manifest))));
    return `the list of packs ${name} lying, and bound: ${refs.toString().slice(0, 2000)}`;
  }

  #verdict(dice: SeededRandom, objects: Objects): string {
    const { name } = this.#vault.one('verdicts/');
    const text = mutateJson(dice, this.#json('verdict', name));
    const backup = this.#pick(dice, objects, 'snapshots/')?.split('/')[2] ?? 'x';
    for (const target of [name, `verdicts/${backup}/${ULID}`]) objects.set(target, this.#forge.object('verdict', target, Buffer.from(text.replaceAll(name.split('/')[1] as string, target.split('/')[1] as string))));
    return `a verdict lying: ${text.slice(0, 500)}`;
  }

  #index(dice: SeededRandom, objects: Objects): string {
    const name = this.#pick(dice, objects, 'index/');
    const stored = this.#vault.objects.get(name ?? '');
    if (name === undefined || !stored) return 'no index';
    const plain = openObject(this.#vault.repository.keys, 'index', name, stored);
    objects.set(name, this.#forge.object('index', name, mutateBytes(dice, plain, { examples: [plain], words: [] })));
    return `the index ${name} lying`;
  }

  #directory(dice: SeededRandom, objects: Objects): string {
    const name = this.#pick(dice, objects, 'packs/');
    const stored = this.#vault.objects.get(name ?? '');
    if (name === undefined || !stored) return 'no pack';
    const { frames } = directoryOf(this.#vault.repository.keys, name, stored);
    const end = frames.reduce((sum, { sealedLength }) => sum + sealedLength, 16);
    const plain = Forge.directory(frames);
    objects.set(name, this.#forge.pack(name, stored.subarray(16, end), mutateBytes(dice, plain, { examples: [plain], words: [] })));
    return `the directory of ${name} lying`;
  }

  #fact(dice: SeededRandom, objects: Objects): string {
    const pack = this.#pick(dice, objects, 'packs/') ?? 'packs/hot/x';
    const id = packIdOf(pack);
    const refs = JSON.parse(Buffer.from(this.#vault.one('refs/').bytes).toString()) as { plan: string; run: string };
    const facts: Record<string, Uint8Array> = {
      [`damaged/${id}`]: Buffer.from(JSON.stringify({ pack, seen: 'x' })),
      [`condemned/${id}.${ULID}`]: encodeMark(pack),
      [`condemned/${id}.${ULID}.ruling`]: encodeRuling('doomed'),
      [`partial/${refs.plan}/${refs.run}-0`]: Buffer.from(JSON.stringify({ ...refs, kind: 'partial', backup: '', index: [] })),
      [`coverage/${ULID}`]: this.#forge.object('coverage', `coverage/${ULID}`, this.#coverage(dice, id)),
      [`removed/${refs.plan}/${ULID}`]: this.#forge.object('verdict', `removed/${refs.plan}/${ULID}`, Buffer.from('{"who":"x","when":1,"why":"y"}')),
    };
    const [name, bytes] = dice.from(Object.entries(facts));
    objects.set(name, dice.isOnceIn(2) ? mutateBytes(dice, bytes, { examples: [bytes], words: [] }) : bytes);
    return `${name} made up`;
  }

  /** That this pack was read at some time, and that some other note is spent. */
  #coverage(dice: SeededRandom, pack: string): Uint8Array {
    const plain = new ByteWriter().varint(1).sized(Buffer.from(`coverage/${dice.from(NAMES)}`)).varint(1).varint(dice.next()).varint(1).bytes(Buffer.from(pack, 'hex')).varint(dice.next()).finish();
    return dice.isOnceIn(2) ? mutateBytes(dice, plain, { examples: [plain], words: [] }) : plain;
  }

  #pick(dice: SeededRandom, objects: Objects, prefix: string): string | undefined {
    const all = [...objects.keys()].filter((name) => name.startsWith(prefix));
    return all.length === 0 ? undefined : dice.from(all);
  }

  #json(kind: 'snapshot' | 'verdict', name: string): unknown {
    const { name: known, bytes } = this.#vault.objects.has(name) ? { name, bytes: this.#vault.objects.get(name) as Uint8Array } : this.#vault.one(kind === 'snapshot' ? 'snapshots/' : 'verdicts/');
    return openJson(this.#vault.repository.keys, kind, known, bytes);
  }
}
