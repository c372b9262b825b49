import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fromText } from '../../lib/model/byte-string.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { PackId } from '../../lib/model/ids.ts';
import { CHUNKER_SIZES, ENTRY, FLAG, PackBuilder, Subkeys, directoryOf, encodeRefs, listSnapshots, names, openRepository, packIdOf, readVerdicts, recordDamage, sealManifest, signRefs } from '../../lib/repository/index.ts';
import type { Refs, Repository, TreeRoot } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { readOnly } from '../../lib/stores/read-only.ts';
import type { Store } from '../../lib/stores/store.ts';
import { executeRemove } from '../../lib/retention/remove.ts';
import { filledTurn, packsOfTurn } from '../../lib/validation/sample.ts';
import type { SurveyedPack } from '../../lib/validation/pack-survey.ts';
import { verify } from '../../lib/validation/verify.ts';
import type { VerifyOptions } from '../../lib/validation/verify.ts';
import { failure } from '../sources/reading.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';
import { SMALL_PLAN, SmallBackups } from '../support/small-backup.ts';
import { memoryVault } from '../support/vault.ts';

// Fixture manifests were checked at the beginning of time.
const clock = new LeapingClock(0);
const SMALL = { frameBytes: 4000, packBytes: 12_000, treeChunkBytes: 700 };

function fixture(sizes: ConstructorParameters<typeof FixtureSnapshot>[1] = SMALL): { store: MemoryStore; snapshot: FixtureSnapshot } {
  const store = new MemoryStore(clock);
  return { store, snapshot: new FixtureSnapshot(store, sizes).directory('') };
}

/** The damage that verification finds, without the key slots that fixtures do not have. */
async function damageOf(repository: Repository, options: Partial<VerifyOptions> = {}) {
  const report = await verify(repository, { level: 'full', clock, ...options });
  return { ...report, damage: report.damage.filter(({ kind }) => kind !== 'key-slot' && kind !== 'config') };
}

async function flip(store: MemoryStore, name: string, at: number): Promise<void> {
  const bytes = Uint8Array.from(await store.get(name));
  bytes[at]! ^= 1;
  await store.remove(name);
  await store.put(name, bytes);
}

describe('depth', () => {
  /** Counts whole reads of packs. */
  function counting(repository: Repository): { repository: Repository; whole: string[] } {
    const whole: string[] = [];
    const { store } = repository;
    const counted: Store = { ...bound(store), get: (name, range) => (range === undefined && name.startsWith('packs/') && whole.push(name), store.get(name, range)) };
    return { repository: { ...repository, store: counted }, whole };
  }

  test('structure reads no pack in full, full reads each once', async () => {
    const { snapshot } = fixture();
    for (let index = 0; index < 60; index++) await snapshot.file(`f${index}`, randomBytes(700));
    await snapshot.build();
    const { repository, whole } = counting(snapshot.repository);
    expect((await damageOf(repository, { level: 'structure' })).damage).toEqual([]);
    expect(whole).toEqual([]);
    expect((await damageOf(repository, { level: 'full' })).packs.read).toBe(snapshot.packs.length + snapshot.metaPacks.length);
    expect(whole.toSorted()).toEqual([...snapshot.packs, ...snapshot.metaPacks].map(({ name }) => name).toSorted());
  });

  test('what only lies beside a list of packs is told, and makes no backup corrupted (V1)', async () => {
    const { store, snapshot } = fixture();
    await snapshot.file('a', randomBytes(700));
    await snapshot.build();
    const [list] = (await Array.fromAsync(store.list('refs/'))).map(({ name }) => name);
    const stray = list!.replace(/[^.]*$/, 'bak');
    await store.put(stray, Buffer.from('odd'));
    const report = await damageOf(snapshot.repository);
    expect(report).toMatchObject({ damage: [], backups: [{ result: 'good' }], notes: expect.arrayContaining([{ code: 'stray-object', message: expect.stringContaining(stray) }]) });
  });

  test('structure does not see a flipped bit in a frame, full names the pack and the entries in that frame', async () => {
    const { store, snapshot } = fixture();
    for (let index = 0; index < 30; index++) await snapshot.file(`f${String(index).padStart(2, '0')}`, randomBytes(700));
    await snapshot.build();
    const [pack] = snapshot.packs;
    await flip(store, pack!.name, 16 + 100);
    expect((await damageOf(snapshot.repository, { level: 'structure' })).damage).toEqual([]);
    const { damage } = await damageOf(snapshot.repository);
    expect(damage).toMatchObject([{ name: pack!.name, kind: 'pack', touched: [{ entries: 6, examples: ['f00', 'f01', 'f02', 'f03', 'f04', 'f05'], ranges: [] }] }]);
    expect(damage[0]?.lost).toContain('the content of 6 entries in backup');
  });

  test.each([['the header', 2, 0], ['the footer', -14, 3], ['the directory', -60, 3]])('structure sees a flipped bit in %s', async (_, at, entries) => {
    const { store, snapshot } = fixture();
    for (const name of ['a', 'b', 'c']) await snapshot.file(name, randomBytes(100));
    await snapshot.build();
    const { name, size } = snapshot.packs[0]!;
    await flip(store, name, at < 0 ? size + at : at);
    const { damage } = await damageOf(snapshot.repository, { level: 'structure' });
    expect(damage).toMatchObject([{ name, touched: [{ entries }] }]);
  });

  test('threads find what one thread finds', async () => {
    const { store, snapshot } = fixture({ packBytes: 4 << 20 });
    for (let index = 0; index < 20; index++) await snapshot.file(`f${index}`, randomBytes(1 << 20));
    await snapshot.build();
    for (const { name } of snapshot.packs.slice(1, 3)) await flip(store, name, 16 + 300);
    const startThread = (settings: unknown) => new Worker(join(__dirname, '../../lib/validation/worker.ts'), { workerData: settings });
    let started = 0;
    const inThreads = await damageOf(snapshot.repository, { threads: 2, startThread: (settings) => (started++, startThread(settings)), isRecording: false });
    const alone = await damageOf(snapshot.repository, { isRecording: false });
    expect(started).toBe(2);
    expect(alone.damage).toHaveLength(2);
    expect(inThreads.damage.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(alone.damage.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
    expect(inThreads.packs).toEqual(alone.packs);
  });

  test('samples take turns, kept in the verdicts, until every pack was read', async () => {
    const { snapshot } = fixture();
    await snapshot.file('a', 'content');
    await snapshot.build();
    const turns: (number | undefined)[] = [];
    for (let run = 0; run < 14; run++) turns.push((await verify(snapshot.repository, { level: 'sample', clock })).sample?.part);
    expect(turns).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0]);
  });

  test('each pack of a large vault belongs to one part of the rotation, a small vault is read whole', () => {
    const packs = Array.from({ length: 400 }, (): SurveyedPack => ({ ordinal: 0, isMeta: false, chunks: 1, isLost: false, ref: { name: `packs/hot/w/aa/${randomBytes(16).toString('hex')}`, size: 1 << 20, sha256: '' } }));
    const parts = Array.from({ length: 13 }, (_, part) => packsOfTurn(packs, { part, parts: 13 }));
    expect(parts.flat().map(({ ref }) => ref.name).toSorted()).toEqual(packs.map(({ ref }) => ref.name).toSorted());
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThan(80);
    expect(packsOfTurn(packs.slice(0, 20), { part: 3, parts: 13 })).toHaveLength(20);
  });

  test('a part that holds no pack is passed over: a sample never calls good what it did not look at (V1)', () => {
    const large = (first: string): SurveyedPack => ({ ordinal: 0, isMeta: false, chunks: 1, isLost: false, ref: { name: `packs/hot/w/aa/${first}${'0'.repeat(24)}`, size: 40 << 20, sha256: '' } });
    // 5 and 9 are the parts of these two.
    const packs = [large('00000005'), large('00000009')];
    expect([0, 5, 6, 10].map((part) => filledTurn(packs, { part, parts: 13 }).part)).toEqual([5, 5, 9, 5]);
    expect(filledTurn([], { part: 4, parts: 13 })).toEqual({ part: 4, parts: 13 });
  });
});

describe('entry trees', () => {
  test('list chunks are followed, and an unreadable entry may lack its content', async () => {
    const { snapshot } = fixture();
    await snapshot.file('big', Array.from({ length: 9 }, () => randomBytes(400)), { isListed: true });
    snapshot.entry('closed', { type: ENTRY.file, flags: FLAG.unreadable, mode: 0o600, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, size: 77, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 1n, refs: [] });
    await snapshot.build();
    expect((await damageOf(snapshot.repository)).damage).toEqual([]);
  });

  const broken: readonly [string, (snapshot: FixtureSnapshot) => void, string][] = [
    ['paths that do not ascend', (snapshot) => snapshot.directory('z').directory('a'), 'do not ascend'],
    ['a path that climbs out', (snapshot) => snapshot.directory('../etc'), 'not a path inside a backup'],
    ['an absolute path', (snapshot) => snapshot.directory('/etc'), 'not a path inside a backup'],
    ['a record of an unknown type', (snapshot) => snapshot.record('a', Buffer.of(99, 0, 0, 0, 0, 0, 0)), 'entry type 99 is unknown'],
    ['a record that ends early', (snapshot) => snapshot.record('a', Buffer.of(1, 0)), 'ends at byte'],
    ['a tombstone outside a delta', (snapshot) => snapshot.record('a', Buffer.of(0)), 'ends at byte'],
  ];
  test.each(broken)('%s is damage of the pack that holds the tree', async (_, add, words) => {
    const { snapshot } = fixture();
    add(snapshot);
    await snapshot.build({ isSorted: false });
    const { damage, backups } = await damageOf(snapshot.repository, { level: 'structure' });
    expect(damage.map(({ name }) => name)).toEqual([snapshot.metaPacks[0]?.name]);
    expect(damage[0]?.problems[0]).toContain(words);
    expect(damage[0]?.touched[0]?.ranges.length || damage[0]?.touched[0]?.entries).toBe(1);
    expect(backups.map(({ result }) => result)).toEqual(['corrupted']);
  });

  test('tree chunks that do not ascend from one to the next are damage', async () => {
    const { snapshot } = fixture({ ...SMALL, treeChunkBytes: 1 });
    snapshot.directory('b').directory('a');
    await snapshot.build({ isSorted: false });
    const { damage } = await damageOf(snapshot.repository, { level: 'structure' });
    expect(damage).toMatchObject([{ problems: [expect.stringContaining('do not ascend from those of the tree chunk before it')], touched: [{ ranges: [{ from: 'a' }] }] }]);
  });

  test.each([
    ['another number of records', (tree: TreeRoot) => ({ ...tree, records: tree.records + 1 }), 'its manifest says 3'],
    ['another first path', (tree: TreeRoot) => ({ ...tree, chunks: tree.chunks.map((chunk) => ({ ...chunk, first: Buffer.from('c').toString('base64') })) }), 'does not begin with the path that its manifest names'],
  ])('a manifest that says %s than its tree holds does not pass', async (_, change, words) => {
    const { store, snapshot } = fixture();
    const { manifest } = await snapshot.directory('b').build();
    const name = names.snapshot(manifest.plan, manifest.backup);
    const { keys, cipher } = snapshot.repository;
    await store.remove(name);
    await store.put(name, sealManifest(keys, { ...manifest, tree: { base: change(manifest.tree.base), delta: null } }, cipher));
    const { damage } = await damageOf(snapshot.repository, { level: 'structure' });
    expect(damage).toMatchObject([{ problems: [expect.stringContaining(words)] }]);
  });

  const file = { type: ENTRY.file, flags: 0, mode: 0o600, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 1n } as const;
  test.each([
    ['a chunk that its pack does not list', (pack: string) => ({ ...file, size: 5, refs: [{ id: randomBytes(32), pack: Buffer.from(pack, 'hex'), length: 5 }] }), 'lacks a chunk'],
    ['a pack that the refs do not name', () => ({ ...file, size: 5, refs: [{ id: randomBytes(32), pack: randomBytes(16), length: 5 }] }), 'does not name the pack'],
    ['more bytes than its chunks have', () => ({ ...file, size: 5, refs: [] }), 'says 5 bytes, its chunks hold 0'],
  ])('an entry that names %s is named with the object to blame', async (_, body, words) => {
    // Each file in its own pack, so that the pack is known before the tree is written.
    const { snapshot } = fixture({ ...SMALL, frameBytes: 1, packBytes: 1 });
    await snapshot.file('a', 'whole');
    const pack = packIdOf(snapshot.packs[0]!.name);
    snapshot.entry('b', body(pack));
    await snapshot.build();
    const { damage } = await damageOf(snapshot.repository, { level: 'structure' });
    expect(damage).toHaveLength(1);
    expect(damage[0]?.problems[0]).toContain(words);
    expect(damage[0]?.touched).toMatchObject([{ entries: 1, examples: [fromText('b')] }]);
  });
});

describe('later revisions of refs', () => {
  /** A pack was copied frame by frame to a new one, and the old one is gone (repacking). */
  async function repacked(sign: (repository: Repository, name: string, refs: Refs) => Refs) {
    const { store, snapshot } = fixture();
    for (const name of ['a', 'b', 'c']) await snapshot.file(name, randomBytes(500));
    const { manifest, refs } = await snapshot.build();
    const { keys, cipher } = snapshot.repository;
    const [old] = snapshot.packs;
    const bytes = await store.get(old!.name);
    const builder = new PackBuilder(keys, cipher, new Uint8Array(1 << 16));
    builder.absorb(directoryOf(keys, old!.name, bytes).frames, bytes);
    const pack = builder.finish(names.pack('hot', 'ab'.repeat(16), newHexId<PackId>()));
    await store.put(pack.name, pack.bytes);
    await store.remove(old!.name);
    const packs = [...refs.packs.filter(({ name }) => name !== old!.name), { name: pack.name, size: pack.bytes.length, sha256: pack.sha256 }];
    const name = names.refs(manifest.plan, manifest.backup, 1);
    await store.put(name, encodeRefs(sign(snapshot.repository, name, { ...refs, revision: 1, packs, replaced: [{ old: packIdOf(old!.name), new: packIdOf(pack.name) }] })));
    return { snapshot, name, old: old!.name, renewed: pack.name, store };
  }

  test('entries are followed into the pack that replaced theirs, and damage there names them', async () => {
    const { snapshot, renewed, store } = await repacked((repository, name, refs) => signRefs(repository.keys, name, refs));
    expect((await damageOf(snapshot.repository)).damage).toEqual([]);
    await flip(store, renewed, 16 + 50);
    expect((await damageOf(snapshot.repository)).damage).toMatchObject([{ name: renewed, touched: [{ examples: ['a', 'b', 'c'] }] }]);
  });

  test('a revision that the vault did not sign is damage, and the one before it counts', async () => {
    const { snapshot, name, old } = await repacked((_, __, refs) => ({ ...refs, mac: Buffer.alloc(32).toString('base64') }));
    const { damage } = await damageOf(snapshot.repository);
    expect(damage.map((object) => [object.name, object.problems[0]])).toEqual([[name, 'its signature is not that of this vault'], [old, 'it is missing']]);
  });
});

describe('while others work', () => {
  test('a backup that ends during the listing is not called corrupted', async () => {
    const { repository, store, clock: now } = memoryVault();
    await store.put('holdfast.json', Buffer.from(JSON.stringify({ format: 1, repository: repository.config.repository, chunker: CHUNKER_SIZES })));
    const backups = new SmallBackups(repository);
    await backups.make(['first']);
    let isDone = false;
    const racing: Store = {
      ...bound(store),
      async *list(prefix) {
        for await (const object of store.list(prefix)) {
          // Between the packs and the snapshots of one listing.
          if (!isDone && object.name.startsWith('refs/')) {
            isDone = true;
            await backups.make(['second']);
          }
          yield object;
        }
      },
    };
    const report = await verify({ ...repository, store: racing }, { level: 'full', clock: now });
    expect(isDone).toBe(true);
    expect(report.damage.map(({ name }) => name)).toEqual(['keys/']);
    expect(report.notes.filter(({ code }) => code === 'unfinished-run')).toEqual([]);
    expect(report.backups.every(({ result }) => result === 'good')).toBe(true);
  });

  test('a backup that is removed after it was listed is passed over', async () => {
    const { repository, store, clock: now } = memoryVault();
    await store.put('holdfast.json', Buffer.from(JSON.stringify({ format: 1, repository: repository.config.repository, chunker: CHUNKER_SIZES })));
    const backups = new SmallBackups(repository);
    const [gone] = [await backups.make(['first']), await backups.make(['second'])];
    let isDone = false;
    const racing: Store = {
      ...bound(store),
      get: async (name, range) => {
        const bytes = await store.get(name, range);
        if (!isDone && name === backups.snapshot(gone!)) {
          isDone = true;
          await executeRemove({ removals: [{ plan: SMALL_PLAN, backup: gone!, reason: 'asked for' }], affected: [], warnings: [], refusals: [] }, repository, { who: 'somebody', why: 'a test' });
        }
        return bytes;
      },
    };
    const report = await verify({ ...repository, store: racing }, { level: 'full', clock: now });
    expect(isDone).toBe(true);
    expect(report.damage.map(({ name }) => name)).toEqual(['keys/']);
    expect(report.backups.map(({ backup }) => backup)).not.toContain(gone);
  });
});

describe('who may do what', () => {
  async function small(): Promise<{ store: MemoryStore; snapshot: FixtureSnapshot }> {
    const made = fixture();
    await made.snapshot.file('a', 'content');
    await made.snapshot.build();
    return made;
  }

  test('without recording nothing is written, and the report is the same', async () => {
    const { store, snapshot } = await small();
    await flip(store, snapshot.packs[0]!.name, 16 + 40);
    const before = (await Array.fromAsync(store.list(''))).map(({ name }) => name);
    const silent = await damageOf(snapshot.repository, { isRecording: false });
    expect((await Array.fromAsync(store.list(''))).map(({ name }) => name)).toEqual(before);
    expect((await damageOf(snapshot.repository)).damage).toEqual(silent.damage);
    expect((await Array.fromAsync(store.list(''))).map(({ name }) => name)).toContain(names.damaged(packIdOf(snapshot.packs[0]!.name)));
  });

  test('a vault that cannot be written is read all the same, and the report says that no verdict was kept', async () => {
    const { store, snapshot } = await small();
    await flip(store, snapshot.packs[0]!.name, 16 + 40);
    const before = (await Array.fromAsync(store.list(''))).map(({ name }) => name);
    const recorded = await damageOf({ ...snapshot.repository, store: readOnly(store, 'it is on a read-only file system') });
    expect(recorded.damage).toEqual((await damageOf(snapshot.repository, { isRecording: false })).damage);
    expect(recorded.damage).not.toEqual([]);
    expect(recorded.notes).toContainEqual({ code: 'not-recorded', message: expect.stringContaining('read-only file system') });
    expect((await Array.fromAsync(store.list(''))).map(({ name }) => name)).toEqual(before);
  });

  test('a key that opens metadata only verifies structure, and is refused before reading contents', async () => {
    const { store, snapshot } = await small();
    const { pairs, chunker } = snapshot.repository.keys.keys;
    const metaOnly = openRepository(store, snapshot.repository.config, { pairs: pairs.map(({ number, meta }) => ({ number, meta })), chunker });
    expect(metaOnly.keys).toBeInstanceOf(Subkeys);
    expect((await damageOf(metaOnly, { level: 'structure' })).damage).toEqual([]);
    expect((await failure(verify(metaOnly, { level: 'full', clock }))).code).toBe('wrong-key');
  });

  test('an interrupted verification records no verdict', async () => {
    const { snapshot } = await small();
    const [stored] = await listSnapshots(snapshot.repository.store);
    expect((await failure(verify(snapshot.repository, { level: 'full', clock, signal: AbortSignal.abort() }))).code).toBe('interrupted');
    expect((await readVerdicts(snapshot.repository, stored!.name.split('/')[2]!)).verdicts.filter(({ level }) => level !== 'commit')).toEqual([]);
  });

  test('a snapshot that is not there is not-found', async () => {
    const { snapshot } = await small();
    expect((await failure(verify(snapshot.repository, { level: 'structure', clock, backups: ['snapshots/x/y'] }))).code).toBe('not-found');
  });

  test('a pack that was recorded as damaged and reads whole is told, and not called good silently', async () => {
    const { store, snapshot } = await small();
    const { name } = snapshot.packs[0]!;
    await recordDamage(store, name, 'seen once');
    expect((await damageOf(snapshot.repository, { level: 'structure' })).notes.map(({ code }) => code)).toContain('damaged-before');
    expect((await damageOf(snapshot.repository)).notes.find(({ code }) => code === 'recovered-pack')?.message).toContain(name);
  });

  // Last: it moves the clock of all.
  test('a backup that was stored too late is void, and packs that it lacks are no damage', async () => {
    const { store, snapshot } = await small();
    clock.advance(2 * 3_600_000);
    const [stored] = await listSnapshots(store);
    const bytes = await store.get(stored!.name);
    await store.remove(stored!.name);
    await store.put(stored!.name, bytes);
    await store.remove(snapshot.packs[0]!.name);
    const report = await damageOf(snapshot.repository);
    expect(report.backups.map(({ result }) => result)).toEqual(['void']);
    expect(report.damage).toEqual([]);
  });
});

function bound(store: Store): Store {
  return { description: store.description, put: (...given) => store.put(...given), get: (...given) => store.get(...given), stat: (name) => store.stat(name), list: (prefix) => store.list(prefix), remove: (name) => store.remove(name), now: () => store.now() };
}
