import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { BackupId, RunId, WriterId } from '../../lib/model/ids.ts';
import { BackupSession, FrameSealer, PackBuilder, decodeRefs, encodeMark, encodeRuling, listSnapshots, names, openIndex, packIdOf, readManifest, readRefs, recordDamage, rulingNameOf, sha256, signRefs } from '../../lib/repository/index.ts';
import type { ManifestDraft, Repository } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { TEST_PLAN, TEST_WRITER, objectNames, testRepository } from '../support/run-backup.ts';

const HOUR = 3_600_000;
const BACKUP = '01HF7YAT00M78607F3QWQW5D9F' as BackupId;
const MARK = '0'.repeat(26);
const EMPTY_ROOT = { chunks: [], packs: [], records: 0, bytes: 0 };

function draft(backup = BACKUP): ManifestDraft {
  const figures = { entries: 0, files: 0, directories: 0, bytes: 0, newFiles: 0, changedFiles: 0, unchangedFiles: 0, removedEntries: 0, readBytes: 0, newBytes: 0, storedBytes: 0, durationMilliseconds: 0 };
  return { backup, planName: 'plan', type: 'full', source: { type: 'files', description: '', paths: [] }, startedAt: '2026-01-01T00:00:00.000Z', finishedAt: '2026-01-01T00:00:01.000Z', sequence: 1, predecessors: [], tree: { base: EMPTY_ROOT, delta: null }, contentSha256: '', statistics: figures, warnings: [] };
}

function session(repository: Repository, run = 'RUN1', more: { trustedWriters?: string[] } = {}): Promise<BackupSession> {
  return BackupSession.open(repository, { plan: TEST_PLAN.id, run: run as RunId, writer: TEST_WRITER, ...more });
}

/** A pack of one chunk for each text, and what a session needs to store it. */
function pack({ keys }: Repository, number: number, texts: readonly string[], writer: string = TEST_WRITER.id) {
  const chunks = texts.map((text) => ({ id: sha256(Buffer.from(text)), length: text.length }));
  const builder = new PackBuilder(keys, 'aes-256-gcm', new Uint8Array(1 << 20));
  builder.append(new FrameSealer(keys, 'aes-256-gcm', 'frame', { algorithm: 'none', level: 0 }).seal(Buffer.from(texts.join('')), chunks));
  const { name, bytes, sha256: digest } = builder.finish(names.pack('hot', writer, String(number).padStart(32, '0')));
  return { name, id: packIdOf(name), store: (to: BackupSession) => to.storePack(name, bytes, digest, Buffer.concat(chunks.map(({ id }) => id))), bytes };
}

async function knownTo(one: BackupSession): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  await one.visitKnownChunks((packId, ids) => {
    for (let at = 0; at < ids.length; at += 32) known.set(Buffer.from(ids.subarray(at, at + 32)).toString('hex'), packId);
  });
  return known;
}

const idOf = (text: string) => sha256(Buffer.from(text)).toString('hex');

function recording(store: Store, calls: string[]): Store {
  return wrapStore(store, {
    async call(call, run) {
      const answer = await run();
      if (call.operation !== 'get') calls.push(`${call.operation} ${call.name.split('/')[0]}`.trim());
      return answer;
    },
    list: (call, run) => (calls.push(`list ${call.name}`), run()),
  });
}

describe('a session (format §10, K3)', () => {
  it('writes packs, index, looks again, then refs, then the snapshot, each durable before the next', async () => {
    const calls: string[] = [];
    const repository = testRepository(recording(new MemoryStore(systemClock), calls));
    const one = await session(repository);
    expect(calls.splice(0)).toEqual(['now', 'list condemned/', 'list damaged/', 'list packs/']);
    const stored = pack(repository, 1, ['one']);
    await stored.store(one);
    await one.commit(draft(), new Set([stored.id]));
    expect(calls).toEqual(['put packs', 'put index', 'now', 'list condemned/', 'list packs/', 'list damaged/', 'put refs', 'put snapshots']);
  });

  it('a manifest binds its refs, names all packs in them, and says when marks were looked at', async () => {
    const clock = new LeapingClock();
    const repository = testRepository(new MemoryStore(clock));
    const one = await session(repository);
    const stored = pack(repository, 1, ['one', 'two']);
    await stored.store(one);
    clock.advance(5000);
    const { manifest, manifestSha256 } = await one.commit(draft(), new Set([stored.id]));
    const [snapshot] = await listSnapshots(repository.store);
    expect(await readManifest(repository, snapshot?.name ?? '')).toEqual({ manifest, sha256: manifestSha256 });
    expect(manifest.checkedAt).toBe(clock.now());
    const refs = await readRefs(repository, manifest);
    expect(refs.packs).toEqual([{ name: stored.name, size: stored.bytes.length, sha256: sha256(stored.bytes).toString('hex') }]);
  });

  it('commits nothing that needs a pack which it does not know', async () => {
    const repository = testRepository();
    const one = await session(repository);
    await expect(one.commit(draft(), new Set(['f'.repeat(32)]))).rejects.toMatchObject({ code: 'stale' });
    expect(await objectNames(repository.store, 'refs/')).toEqual([]);
  });

  it('knows what earlier runs indexed, and what a killed run stored without an index, which it then indexes', async () => {
    const repository = testRepository();
    const first = await session(repository, 'RUN1');
    await pack(repository, 1, ['one', 'two']).store(first);
    await first.checkpoint();
    const killed = await session(repository, 'RUN2');
    const orphan = pack(repository, 2, ['three']);
    await orphan.store(killed);
    const next = await session(repository, 'RUN3');
    expect(Object.fromEntries(await knownTo(next))).toEqual({ [idOf('one')]: '1'.padStart(32, '0'), [idOf('two')]: '1'.padStart(32, '0'), [idOf('three')]: orphan.id });
    await next.commit(draft(), new Set([orphan.id]));
    const indexes = await objectNames(repository.store, 'index/');
    expect(indexes).toHaveLength(2);
    const adopted = openIndex(repository.keys, indexes[1] as string, await repository.store.get(indexes[1] as string));
    expect(adopted.packs).toMatchObject([{ name: orphan.name, size: orphan.bytes.length, sha256: sha256(orphan.bytes).toString('hex') }]);
  });

  it('a checkpoint names every pack so far and its indexes, and what came later is in the next one', async () => {
    const repository = testRepository();
    const one = await session(repository);
    await one.checkpoint();
    expect(await objectNames(repository.store)).toEqual([]);
    await pack(repository, 1, ['one']).store(one);
    await one.checkpoint();
    await pack(repository, 2, ['two']).store(one);
    await one.checkpoint();
    const partials = await objectNames(repository.store, 'partial/');
    expect(partials).toHaveLength(2);
    const [before, after] = await Promise.all(partials.map(async (name) => decodeRefs(await repository.store.get(name), name)));
    expect(before).toMatchObject({ kind: 'partial', backup: '', packs: [{}], index: [names.index(TEST_WRITER.id, 'RUN1', 0)] });
    expect(after?.packs).toHaveLength(2);
    expect(after?.index).toHaveLength(2);
  });

  it('an index that is damaged costs nothing: its packs tell themselves what they hold', async () => {
    const repository = testRepository();
    const first = await session(repository, 'RUN1');
    await pack(repository, 1, ['one']).store(first);
    await first.checkpoint();
    const [index] = await objectNames(repository.store, 'index/');
    const bytes = await repository.store.get(index as string);
    bytes[60] = (bytes[60] as number) ^ 1;
    await repository.store.remove(index as string);
    await repository.store.put(index as string, bytes);
    expect([...(await knownTo(await session(repository, 'RUN2'))).keys()]).toEqual([idOf('one')]);
  });

  it('a pack that does not decode, or has another size than its index says, is not relied on and stops nothing', async () => {
    const repository = testRepository();
    const first = await session(repository, 'RUN1');
    const stored = pack(repository, 1, ['one']);
    await stored.store(first);
    await first.checkpoint();
    await repository.store.remove(stored.name);
    await repository.store.put(stored.name, Buffer.concat([stored.bytes, Buffer.of(0)]));
    await repository.store.put(names.pack('hot', TEST_WRITER.id, '9'.repeat(32)), Buffer.from('no pack at all'));
    expect(await knownTo(await session(repository, 'RUN2'))).toEqual(new Map());
  });

  it('reuses packs of other writers only when they are trusted (design, Trust)', async () => {
    const repository = testRepository();
    const stranger = 'ef'.repeat(16);
    const other = await BackupSession.open(repository, { plan: TEST_PLAN.id, run: 'RUN1' as RunId, writer: { id: stranger as WriterId, host: 'other' } });
    await pack(repository, 1, ['one'], stranger).store(other);
    await other.checkpoint();
    await pack(repository, 2, ['two'], stranger).store(other);
    expect((await knownTo(await session(repository, 'RUN2'))).size).toBe(0);
    expect((await knownTo(await session(repository, 'RUN2', { trustedWriters: [stranger] }))).size).toBe(2);
    expect((await session(repository, 'RUN2')).strangers()).toEqual([stranger]);
    expect((await session(repository, 'RUN2', { trustedWriters: [stranger] })).strangers()).toEqual([]);
    await pack(repository, 3, ['three']).store(await session(repository, 'RUN3'));
    expect((await session(repository, 'RUN4')).strangers()).toEqual([]);
  });

  it('many chunks take several index objects, each small enough for any store', async () => {
    const repository = testRepository();
    const one = await session(repository);
    const ids = Buffer.alloc(32 * 700_000);
    for (let index = 0; index < 700_000; index++) ids.writeUInt32BE(index, index * 32);
    for (let number = 1; number <= 3; number++) await one.storePack(names.pack('hot', TEST_WRITER.id, String(number).padStart(32, '0')), Buffer.of(number), 'ab'.repeat(32), ids);
    await one.checkpoint();
    expect(await objectNames(repository.store, 'index/')).toHaveLength(3);
    const [partial] = await objectNames(repository.store, 'partial/');
    expect(decodeRefs(await repository.store.get(partial as string), 'partial').index).toHaveLength(3);
  });

  it('does not keep the ids of very many chunks until its end: an index is stored on the way, and names each pack once', async () => {
    const repository = testRepository();
    const one = await session(repository);
    const packs = Array.from({ length: 8 }, (_, number) => names.pack('hot', TEST_WRITER.id, String(number + 1).padStart(32, '0')));
    await Promise.all(
      packs.map((name, number) => {
        const ids = Buffer.alloc(32 * 70_000);
        for (let index = 0; index < 70_000; index++) ids.writeUInt32BE(number * 100_000 + index, index * 32);
        return one.storePack(name, Buffer.of(number), 'ab'.repeat(32), ids);
      }),
    );
    expect((await objectNames(repository.store, 'index/')).length).toBeGreaterThan(0);
    await one.checkpoint();
    const indexes = await Promise.all((await objectNames(repository.store, 'index/')).map(async (name) => openIndex(repository.keys, name, await repository.store.get(name))));
    expect(indexes.flatMap((index) => index.packs.map(({ name }) => name)).sort()).toEqual(packs);
    expect(indexes.reduce((sum, { ids }) => sum + ids.length / 32, 0)).toBe(8 * 70_000);
  });
});

describe('packs that may not be relied on (format §11, §12)', () => {
  async function vaultWithPack() {
    const clock = new LeapingClock();
    const store = new MemoryStore(clock);
    const repository = testRepository(store);
    const first = await session(repository, 'RUN1');
    const stored = pack(repository, 1, ['one']);
    await stored.store(first);
    await first.checkpoint();
    const mark = names.condemned(stored.id, MARK);
    return { clock, store, repository, stored, mark };
  }

  it.each<[string, (vault: Awaited<ReturnType<typeof vaultWithPack>>) => Promise<unknown>, boolean]>([
    ['nothing', async () => undefined, true],
    ['a fresh mark', ({ store, mark, stored }) => store.put(mark, encodeMark(stored.name)), false],
    ['a doomed mark', ({ store, mark, stored }) => store.put(mark, encodeMark(stored.name)).then(() => store.put(rulingNameOf(mark), encodeRuling('doomed'))), false],
    ['a spared mark', ({ store, mark, stored }) => store.put(mark, encodeMark(stored.name)).then(() => store.put(rulingNameOf(mark), encodeRuling('spared'))), true],
    ['a record of damage', ({ store, stored }) => recordDamage(store, stored.name, 'seen'), false],
    ['no pack any more', ({ store, stored }) => store.remove(stored.name), false],
  ])('at the first look, with %s', async (_what, prepare, isUsable) => {
    const vault = await vaultWithPack();
    await prepare(vault);
    const one = await session(vault.repository, 'RUN2');
    expect(one.isUsable(vault.stored.id)).toBe(isUsable);
    expect((await knownTo(one)).size).toBe(isUsable ? 1 : 0);
  });

  it.each<[string, (vault: Awaited<ReturnType<typeof vaultWithPack>>) => Promise<unknown>, boolean]>([
    ['a mark of 21 hours', async ({ store, clock, mark, stored }) => (await store.put(mark, encodeMark(stored.name)), clock.advance(21 * HOUR)), true],
    ['a mark of 22 hours', async ({ store, clock, mark, stored }) => (await store.put(mark, encodeMark(stored.name)), clock.advance(22 * HOUR)), false],
    ['a doomed mark', async ({ store, mark, stored }) => (await store.put(mark, encodeMark(stored.name)), store.put(rulingNameOf(mark), encodeRuling('doomed'))), false],
    ['a spared mark', async ({ store, clock, mark, stored }) => (await store.put(mark, encodeMark(stored.name)), await store.put(rulingNameOf(mark), encodeRuling('spared')), clock.advance(25 * HOUR)), true],
    ['no pack any more', ({ store, stored }) => store.remove(stored.name), false],
  ])('at the second look, with %s', async (_what, happen, isFine) => {
    const vault = await vaultWithPack();
    const one = await session(vault.repository, 'RUN2');
    await knownTo(one);
    await happen(vault);
    const committing = one.commit(draft(), new Set([vault.stored.id]));
    if (isFine) return void (await committing);
    await expect(committing).rejects.toMatchObject({ code: 'stale', packs: new Set([vault.stored.id]) });
    expect(await objectNames(vault.store, 'refs/')).toEqual([]);
    expect(await listSnapshots(vault.store)).toEqual([]);
  });

  it('a run of more than 30 days does not commit', async () => {
    const { clock, repository } = await vaultWithPack();
    const one = await session(repository, 'RUN2');
    clock.advance(30 * 24 * HOUR + 1);
    await expect(one.commit(draft(), new Set())).rejects.toMatchObject({ code: 'stale' });
  });
});

describe('the refs of a backup (format §8)', () => {
  it('are those of the greatest revision that is signed; what is no revision is passed over', async () => {
    const repository = testRepository();
    const one = await session(repository);
    const { manifest } = await one.commit(draft(), new Set());
    const first = await readRefs(repository, manifest);
    const put = async (revision: number, change: object, isSigned = true) => {
      const name = names.refs(TEST_PLAN.id, BACKUP, revision);
      const refs = { ...first, revision, ...change };
      await repository.store.put(name, Buffer.from(JSON.stringify(isSigned ? signRefs(repository.keys, name, refs) : refs)));
    };
    await put(2, { replaced: [{ old: 'a', new: 'b' }] });
    await put(3, { replaced: [{ old: 'a', new: 'evil' }] }, false);
    await repository.store.put(names.refs(TEST_PLAN.id, BACKUP, 4), Buffer.from('no json'));
    await repository.store.put(`refs/${TEST_PLAN.id}/${BACKUP}.bak`, Buffer.from('a stray file'));
    expect((await readRefs(repository, manifest)).revision).toBe(2);
  });

  it('that are missing or are not those of the manifest make the backup damaged', async () => {
    const repository = testRepository();
    const { manifest } = await (await session(repository)).commit(draft(), new Set());
    const name = names.refs(TEST_PLAN.id, BACKUP, 0);
    const bytes = await repository.store.get(name);
    await repository.store.remove(name);
    await expect(readRefs(repository, manifest)).rejects.toMatchObject({ code: 'damaged' });
    await repository.store.put(name, Buffer.concat([bytes, Buffer.from(' ')]));
    await expect(readRefs(repository, manifest)).rejects.toMatchObject({ code: 'damaged' });
  });

  it('a store that fails is told as it is, not as damage', async () => {
    const memory = new MemoryStore(systemClock);
    const { manifest } = await (await session(testRepository(memory))).commit(draft(), new Set());
    const away = wrapStore(memory, {
      async call(call, run) {
        if (call.operation === 'get') throw new HoldfastError('unavailable', 'no answer');
        return run();
      },
    });
    await expect(readRefs(testRepository(away), manifest)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(knownTo(await session(testRepository(away), 'RUN2'))).resolves.toEqual(new Map());
  });
});
