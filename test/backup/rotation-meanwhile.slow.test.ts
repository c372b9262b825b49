import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyWrapper, Unlocker } from '../../lib/keyring/key-slot.ts';
import { listSlots, openSlots } from '../../lib/keyring/open-slots.ts';
import { executeRotation, planRotation } from '../../lib/keyring/rotation.ts';
import { createSlots, writeSlots } from '../../lib/keyring/slots.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { PlanId } from '../../lib/model/ids.ts';
import { CHUNKER_SIZES, newRepositoryConfig, openRepository, readVerdicts, writeConfig } from '../../lib/repository/index.ts';
import type { Repository, RepositoryConfig } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { healVault } from '../../lib/validation/healing/heal-vault.ts';
import { verify } from '../../lib/validation/verify.ts';
import { backUp, heldBy, objectNames } from '../support/run-backup.ts';
import type { TestBackup } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';
import { flipped, tamper, watched } from '../support/wounded-vault.ts';

const OTHER_PLAN = { id: 'ef'.repeat(16) as PlanId, name: 'other' };

/** A vault of two keys, and a folder with one file in its first backup. */
class RotatedVault {
  readonly store = new MemoryStore(systemClock);
  readonly folder = temporaryFolder();
  readonly config: RepositoryConfig = { ...newRepositoryConfig(), chunker: CHUNKER_SIZES };
  readonly mine = keyFile('mine');
  readonly others = keyFile('other');
  /** How often this key opened the slots. */
  openings = 0;

  static async begin(): Promise<RotatedVault> {
    const vault = new RotatedVault();
    await writeSlots(vault.store, (await createSlots(vault.config.repository, [vault.mine, vault.others])).slots);
    await writeConfig(vault.store, vault.config);
    writeFileSync(join(vault.folder, 'a'), randomBytes(20_000));
    await run(await vault.open(), vault.folder);
    // New, so that the next run asks the indexes.
    writeFileSync(join(vault.folder, 'b'), randomBytes(20_000));
    vault.openings = 0;
    return vault;
  }

  async open(store: Store = this.store, unlocker: Unlocker = this.mine): Promise<Repository> {
    const reopen = () => (this.openings++, openSlots(store, this.config.repository, unlocker));
    return openRepository(store, this.config, await reopen(), { reopen });
  }

  /** As before: what was opened at the start is all there is. */
  async openOnce(store: Store): Promise<Repository> {
    return openRepository(store, this.config, await openSlots(store, this.config.repository, this.mine));
  }

  /** Somebody rotates the keys, and another run of the same machine stores what it found under the new number. */
  async rotateAndBackUp(wrappers: readonly KeyWrapper[] = [this.mine, this.others], leaveOut: readonly string[] = []): Promise<void> {
    const { store, config } = this;
    const { repository } = config;
    const opener = wrappers[0] as KeyWrapper;
    await executeRotation(store, await planRotation({ repository, keys: await openSlots(store, repository, opener), listed: await listSlots(store, repository), wrappers, leaveOut }));
    await run(openRepository(store, config, await openSlots(store, repository, opener)), this.folder, { plan: OTHER_PLAN });
  }

  /** A store that has all this happen at the first call that fits. */
  overtaken(fits: (call: 'put' | 'get' | 'list', name: string) => boolean, happening = () => this.rotateAndBackUp()): Store {
    let hasHappened = false;
    return watched(this.store, async (call, name) => {
      if (hasHappened || !fits(call, name)) return;
      hasHappened = true;
      await happening();
    });
  }
}

const run = (repository: Repository, folder: string, options: TestBackup = {}) => backUp(repository, folder, { ...options, ports: { startThread: (settings) => threadInProcess(settings) } });
const keyFile = (label: string, key: Uint8Array = randomBytes(32)): KeyWrapper => ({ kind: 'key-file', label, kdf: null, keyEncryptionKey: async () => key });
const numberOf = async (store: Store, name: string) => Buffer.from(await store.get(name)).readUInt32BE(8);
/** Before the run lists packs: what is stored meanwhile may be reused. */
const isFirstLook = (call: string, name: string) => call === 'list' && name === 'condemned/';

describe('keys that are rotated while a run lasts (K1, K3)', () => {
  test('a backup that meets an index of the new number opens it, reuses what it names, and goes on sealing with the keys that it began with', async () => {
    const vault = await RotatedVault.begin();
    const store = vault.overtaken(isFirstLook);
    const { manifest } = await run(await vault.open(store), vault.folder);
    expect(manifest.statistics).toMatchObject({ newFiles: 1, newBytes: 0 });
    expect(await numberOf(vault.store, `snapshots/${manifest.plan}/${manifest.backup}`)).toBe(1);
    expect(vault.openings).toBe(2);
    expect([...(await heldBy(await vault.open(), { manifest })).keys()]).toEqual(['', 'a', 'b']);
  });

  test('without another look at the slots the same run fails', async () => {
    const vault = await RotatedVault.begin();
    await expect(run(await vault.openOnce(vault.overtaken(isFirstLook)), vault.folder)).rejects.toMatchObject({ code: 'wrong-key' });
  });

  test('a backup whose predecessor was stored under the new number meanwhile builds on it', async () => {
    const vault = await RotatedVault.begin();
    const happening = async () => {
      await vault.rotateAndBackUp();
      await run(await vault.open(), vault.folder);
    };
    const store = vault.overtaken(isFirstLook, happening);
    const { manifest } = await run(await vault.open(store), vault.folder);
    expect(manifest).toMatchObject({ sequence: 3, statistics: { newBytes: 0 } });
  });

  test('a verification and a healing that were opened before go on, and prove what is sealed with the new keys', async () => {
    const vault = await RotatedVault.begin();
    const early = await vault.open();
    await vault.rotateAndBackUp();
    const [pack] = (await objectNames(vault.store, 'packs/hot/')).slice(-1);
    const report = await verify(early, { level: 'full', clock: systemClock });
    expect(report).toMatchObject({ damage: [], backups: [{ result: 'good' }, { result: 'good' }] });
    await tamper(vault.store, pack!, flipped(1000));
    expect((await verify(early, { level: 'full', clock: systemClock })).damage).toMatchObject([{ name: pack }]);
    expect((await healVault(early)).unhealed).toMatchObject([{ pack }]);
    const [backup] = (await objectNames(vault.store, 'verdicts/')).map((name) => name.split('/')[1]!);
    expect((await readVerdicts(early, backup!)).unreadable).toEqual([]);
  });

  test('a key that was left out opens nothing of the new number, however often it looks, and is told so', async () => {
    const vault = await RotatedVault.begin();
    const early = await vault.open(vault.store, vault.others);
    const [theirs] = (await openSlots(vault.store, vault.config.repository, vault.others)).slots;
    await vault.rotateAndBackUp([vault.mine], [theirs!.slot]);
    for (let attempt = 0; attempt < 3; attempt++) await expect(run(early, vault.folder)).rejects.toMatchObject({ code: 'wrong-key', message: expect.stringContaining('key number 2 is needed') as string });
    expect(vault.openings).toBe(2);
  });

  test('an object that claims a number without any slot is damage, and costs no opening of slots; many such objects keep it from nothing', async () => {
    const vault = await RotatedVault.begin();
    const early = await vault.open();
    const [index] = await objectNames(vault.store, 'index/');
    for (let number = 100; number < 120; number++) {
      const bytes = Buffer.from(await vault.store.get(index!));
      bytes.writeUInt32BE(number, 8);
      await vault.store.put(`coverage/${number}`, bytes);
      await early.store.get(`coverage/${number}`);
    }
    await tamper(vault.store, index!, (bytes) => (bytes.writeUInt32BE(4711, 8), bytes));
    writeFileSync(join(vault.folder, 'c'), 'something new');
    expect((await run(early, vault.folder)).manifest.statistics.newFiles).toBe(2);
    expect(vault.openings).toBe(1);
    await vault.rotateAndBackUp();
    expect((await run(early, vault.folder)).manifest.sequence).toBe(3);
    expect(vault.openings).toBe(2);
  });

  test('slots that hold other keys than before stop it, whoever put them there', async () => {
    const vault = await RotatedVault.begin();
    const { repository } = vault.config;
    const stranger = await createSlots(repository, [vault.mine]);
    const reopen = async () => ({ ...stranger.keys, pairs: [{ number: 2, meta: randomBytes(32), data: randomBytes(32) }] });
    const early = openRepository(vault.store, vault.config, await openSlots(vault.store, repository, vault.mine), { reopen });
    await vault.rotateAndBackUp();
    await expect(run(early, vault.folder)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('other keys than when it was opened') as string });
  });
});
