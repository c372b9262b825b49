import { randomBytes } from 'node:crypto';
import { systemClock } from '../../lib/model/clock.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { PackId } from '../../lib/model/ids.ts';
import { FrameSealer, PackBuilder, encodeMark, encodeRuling, names, openRepository, packIdOf, recordDamage, sha256 } from '../../lib/repository/index.ts';
import { executeRemove } from '../../lib/retention/remove.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { verify } from '../../lib/validation/verify.ts';
import { verifyWithin } from '../../lib/validation/verify-within.ts';
import { objectNames } from '../support/run-backup.ts';
import { WoundedVault, flipped, tamper, watched } from '../support/wounded-vault.ts';

/** What verification finds, without the key slots and the configuration that these vaults do not have. */
async function verified(vault: WoundedVault, level: 'full' | 'sample' | 'within' | 'structure') {
  const report = level === 'within' ? await verifyWithin(vault.repository, { withinDays: 1 / 1e6, clock: systemClock }) : await verify(vault.repository, { level, clock: systemClock });
  return { ...report, damage: report.damage.filter(({ kind }) => kind !== 'config' && kind !== 'key-slot') };
}

/** Three backups, and a pack with the file h that only a removed backup needed; its name. */
async function withUnneededPack(): Promise<{ vault: WoundedVault; pack: string; others: number }> {
  const vault = await WoundedVault.begin(new MemoryStore(systemClock));
  const before = new Set(await objectNames(vault.store, 'packs/'));
  vault.write('h');
  await vault.backUp();
  const [pack] = (await vault.packs(3, 'hot')).filter(({ name }) => !before.has(name));
  const [plan, backup] = vault.snapshot(3).split('/').slice(1) as [string, string];
  await executeRemove({ removals: [{ plan, backup, reason: 'the test asked for it' }], affected: [], warnings: [], refusals: [] }, vault.repository, { who: 'test', why: 'to see what is left' });
  vault.backups.pop();
  vault.remove('h');
  return { vault, pack: pack!.name, others: before.size };
}

describe.each(['full', 'sample', 'within'] as const)('a pack that no backup needs, when everything is read (%s)', (level) => {
  test('V1, V2: is read because a new backup may build on it; damage there corrupts no backup, and no new one builds on it', async () => {
    const { vault, pack } = await withUnneededPack();
    await tamper(vault.store, pack, flipped(5000));
    const { damage, backups } = await verified(vault, level);
    expect(damage).toMatchObject([{ name: pack, kind: 'pack', touched: [], lost: expect.stringContaining('nothing: no list of packs that can be read names it') as string }]);
    expect(backups.map(({ result }) => result)).toEqual(['good', 'good', 'good']);
    expect(await objectNames(vault.store, 'damaged/')).toEqual([names.damaged(packIdOf(pack))]);
    vault.write('h');
    const { manifest } = await vault.backUp();
    expect(manifest.statistics).toMatchObject({ newFiles: 1, newBytes: 16_000 });
    expect((await vault.packs(3, 'hot')).map(({ name }) => name)).not.toContain(pack);
    // Known by now: it waits for prune and is told once.
    expect(await verified(vault, level)).toMatchObject({ damage: [], packs: { listed: expect.any(Number) as number } });
    expect(await vault.readable()).toEqual(vault.everything());
  });

  test('V2: is counted apart, and a new backup that builds on a whole one stores nothing anew', async () => {
    const { vault, others } = await withUnneededPack();
    const { packs, damage } = await verified(vault, level);
    expect(damage).toEqual([]);
    // With the removed backup its tree is needed by nobody, either.
    expect(packs).toMatchObject({ listed: others + 2, needed: others, read: others + 2, unneeded: 2 });
    vault.write('h');
    expect((await vault.backUp()).manifest.statistics).toMatchObject({ newFiles: 1, newBytes: 0 });
    expect((await verified(vault, 'full')).damage).toEqual([]);
    expect(await vault.readable()).toEqual(vault.everything());
  });
});

describe('what is read besides that which backups need', () => {
  test.each(['full', 'within'] as const)('K1, V1: is passed over where only a newer key opens it: a run under that key is not done, and nothing of it is damaged (%s)', async (level) => {
    const { vault } = await withUnneededPack();
    const { store, config, keys } = vault.repository;
    const newer = openRepository(store, config, { ...keys.keys, pairs: [...keys.keys.pairs, { number: 2, meta: randomBytes(32), data: randomBytes(32) }] });
    const builder = new PackBuilder(newer.keys, newer.cipher, new Uint8Array(1 << 16));
    const bytes = Buffer.from('of the run that is not done');
    builder.append(new FrameSealer(newer.keys, newer.cipher, 'frame', { algorithm: 'zstd', level: 3 }).seal(bytes, [{ id: sha256(bytes), length: bytes.length }]));
    const made = builder.finish(names.pack('hot', vault.snapshot(0).split('/')[1] as string, newHexId<PackId>()));
    await store.put(made.name, made.bytes);
    await store.put(`keys/2/${'c'.repeat(32)}.json`, Buffer.from('{}'));
    expect((await verified(vault, level)).damage).toEqual([]);
    expect(await objectNames(vault.store, 'damaged/')).toEqual([]);
  });

  test('V2: is not what prune has condemned, and is what it has spared; what lies there by chance is no pack', async () => {
    const { vault, pack, others } = await withUnneededPack();
    await vault.store.put('packs/hot/notes.txt', Buffer.from('somebody left this here'));
    const mark = names.condemned(packIdOf(pack), '01KBXRZ0000000000000000000');
    await vault.store.put(mark, encodeMark(pack));
    expect(await verified(vault, 'full')).toMatchObject({ damage: [], packs: { read: others + 1, unneeded: 1 } });
    await vault.store.put(`${mark}.ruling`, encodeRuling('spared'));
    expect(await verified(vault, 'full')).toMatchObject({ damage: [], packs: { read: others + 2, unneeded: 2 } });
  });

  test('V1: is nothing when one backup is asked for, or the structure alone', async () => {
    const { vault, pack } = await withUnneededPack();
    await tamper(vault.store, pack, flipped(5000));
    expect((await verified(vault, 'structure')).packs).toMatchObject({ read: 0, unneeded: 0 });
    const one = await verify(vault.repository, { level: 'full', clock: systemClock, backups: [vault.snapshot(0)] });
    expect([one.damage.some(({ name }) => name === pack), one.packs.unneeded]).toEqual([false, 0]);
  });
});

describe('damage that is found while a backup runs', () => {
  test('V1: in a pack that it built on, is noticed before it commits, and the content is read again', async () => {
    const { vault, pack } = await withUnneededPack();
    vault.write('h');
    let looks = 0;
    const store = watched(vault.store, async (call, name) => {
      // The second look at condemned/ comes when all is stored but the list of packs.
      if (call !== 'list' || name !== 'condemned/' || ++looks !== 2) return;
      await recordDamage(vault.store, pack, 'found by somebody else meanwhile');
    });
    const { manifest } = await vault.backUp({ ...vault.repository, store });
    expect(looks).toBeGreaterThan(2);
    expect((await vault.packs(3, 'hot')).map(({ name }) => name)).not.toContain(pack);
    expect(manifest.statistics.newBytes).toBe(16_000);
    await tamper(vault.store, pack, () => undefined);
    expect((await verified(vault, 'full')).damage).toEqual([]);
    expect(await vault.readable()).toEqual(vault.everything());
  });
});
