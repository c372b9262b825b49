import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { runBackup } from '../../lib/backup/run-backup.ts';
import { display, fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { PlanId, WriterId } from '../../lib/model/ids.ts';
import { CHUNKER_SIZES, ChunkReader, SnapshotReader, encodeMark, isSnapshotFile, names, openRepository, packIdOf } from '../../lib/repository/index.ts';
import type { Repository, RepositoryConfig } from '../../lib/repository/index.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../lib/retention/prune-state.ts';
import { executePrune } from '../../lib/retention/prune.ts';
import { planRemove } from '../../lib/retention/remove-plan.ts';
import { executeRemove } from '../../lib/retention/remove.ts';
import { standingOf } from '../../lib/retention/standing.ts';
import type { Source } from '../../lib/sources/source.ts';
import type { ObjectInfo, Store } from '../../lib/stores/store.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { SeededRandom } from '../simulation/dice.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { REPOSITORY_ID } from '../support/vault.ts';

const HOUR = 3_600_000;
const PLAN = { id: 'a'.repeat(32) as PlanId, name: 'files' };
const WRITER = { id: '1'.repeat(32) as WriterId, host: 'test' };

/** A folder, and a vault whose clock the test moves; the whole product writes and prunes. */
class House {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-prune-'));
  readonly clock = new LeapingClock();
  readonly store = new MemoryStore(this.clock);
  readonly dice: SeededRandom;
  readonly repository: Repository;
  /** What the folder held at each backup that is still there. */
  readonly kept = new Map<string, ReadonlyMap<string, string>>();

  constructor(seed: number) {
    this.dice = new SeededRandom(seed);
    const config = { format: 1, repository: REPOSITORY_ID, chunker: CHUNKER_SIZES } as RepositoryConfig;
    this.repository = openRepository(this.store, config, { pairs: [{ number: 1, meta: this.dice.bytes(32), data: this.dice.bytes(32) }], chunker: this.dice.bytes(32) });
  }

  write(name: string): void {
    writeFileSync(join(this.folder, name), this.dice.bytes(20_000));
  }

  /** `store`: the vault as this run sees it. */
  async backup(store: Store = this.store): Promise<string> {
    const options = { isOneFileSystem: false, isFollowingSymlinks: false, changeDetection: 'ctime+inode', isKeepingXattrs: false } as const;
    const source: Source = { type: 'files', description: 'files', shape: 'tree', paths: [fromText(this.folder)], options, check: async () => undefined };
    const compression = { algorithm: 'none', level: 0 } as const;
    // Packs of about two files, so that there are many.
    const packSizes = { frameBytes: 20_000, targetBytes: 30_000, limitBytes: 1 << 20 };
    const { manifest } = await runBackup(
      { repository: { ...this.repository, store }, writer: WRITER, plan: PLAN, source, type: 'incremental', packClass: 'hot', compression, threads: 1, packSizes },
      { clock: systemClock, signal: new AbortController().signal, startThread: (workerData) => new Worker(join(__dirname, '..', '..', 'lib', 'engine', 'worker.ts'), { workerData }) },
    );
    this.kept.set(manifest.backup, new Map(readdirSync(this.folder).map((name) => [name, readFileSync(join(this.folder, name)).toString('latin1')])));
    return manifest.backup;
  }

  async remove(backup: string): Promise<void> {
    const known = { plan: PLAN.id, planName: PLAN.name, backup, storedAt: 0, standing: 'good' } as const;
    await executeRemove(planRemove({ ids: [backup], force: true }, [known]), this.repository, { who: 'test', why: 'test' });
    this.kept.delete(backup);
  }

  async prune(): Promise<number> {
    const plan = planPrune(await readPruneState(this.store, this.repository));
    return (await executePrune(plan, this.store, { clock: this.clock })).deletedPacks;
  }

  async packs(): Promise<string[]> {
    return (await Array.fromAsync(this.store.list('packs/'))).map((object) => object.name);
  }

  /** Reads every kept backup to its last byte, by the pack names in its tree and refs. */
  async check(): Promise<void> {
    for (const [backup, files] of this.kept) expect(await this.#contents(backup)).toEqual(files);
  }

  async #contents(backup: string): Promise<Map<string, string>> {
    const reader = await SnapshotReader.open(this.repository, names.snapshot(PLAN.id, backup));
    const chunks = new ChunkReader(this.store, this.repository.keys, 'frame', async (name) => (await this.store.stat(name)).size);
    const contents = new Map<string, string>();
    for await (const entry of reader.entries()) {
      if (!isSnapshotFile(entry)) continue;
      const parts = await Array.fromAsync(await reader.chunksOf(entry), async ({ id, packId }) => (await chunks.read(reader.pack(packId).name, id)) ?? new Uint8Array());
      contents.set(display(entry.path), Buffer.concat(parts).toString('latin1'));
    }
    return contents;
  }
}

let house: House;
afterEach(() => rmSync(house.folder, { recursive: true, force: true }));

describe('backup and prune on one vault', () => {
  it('a pack that is marked when a run begins is not relied on by that run, whichever pack it is', async () => {
    house = new House(1);
    for (let file = 0; file < 6; file++) house.write(`file ${file}`);
    const first = await house.backup();
    const packs = await house.packs();
    expect(packs.length).toBeGreaterThan(3);
    for (const pack of packs) {
      // Whoever marked it found no backup that named it; the run that comes now finds the mark.
      house.clock.advance(72 * HOUR);
      await house.store.put(names.condemned(packIdOf(pack), '01HF7YAT00M78607F3QWQW5D9F'), encodeMark(pack));
      await house.backup();
    }
    await house.remove(first);
    for (const backup of [...house.kept.keys()].slice(0, -1)) await house.remove(backup);
    let deleted = 0;
    for (let day = 0; day < 4; day++) {
      house.clock.advance(25 * HOUR);
      deleted += await house.prune();
      await house.check();
    }
    expect(deleted).toBeGreaterThanOrEqual(packs.length);
    expect(house.kept.size).toBe(1);
  }, 60_000);

  it('a run that sleeps for two hours before its last step fails, and what it left is known to be void', async () => {
    house = new House(2);
    house.write('file');
    const { store, clock, repository } = house;
    const put: Store['put'] = async (name, bytes) => {
      if (name.startsWith('snapshots/')) clock.advance(2 * HOUR);
      return store.put(name, bytes);
    };
    const sleepy = new Proxy<Store>(store, { get: (target, key) => (key === 'put' ? put : (Reflect.get(target, key) as (...given: unknown[]) => unknown).bind?.(target)) });
    await expect(house.backup(sleepy)).rejects.toMatchObject({ code: 'stale', message: expect.stringContaining('it is void') });
    const [snapshot] = await Array.fromAsync(store.list('snapshots/'));
    expect(await standingOf(repository, snapshot as ObjectInfo, new Map())).toMatchObject({ standing: 'void' });
  });

  it.each([11, 12])('weeks of changes, backups, removals and prunes leave every kept backup whole (seed %i)', async (seed) => {
    house = new House(seed);
    for (let file = 0; file < 6; file++) house.write(`file ${file}`);
    let deleted = 0;
    for (let day = 0; day < 10; day++) {
      if (!house.dice.isOnceIn(3)) house.write(`file ${house.dice.pick(8)}`);
      await house.backup();
      if (house.kept.size > 2) await house.remove(house.dice.from([...house.kept.keys()]));
      house.clock.advance(house.dice.from([13, 25, 40]) * HOUR);
      deleted += await house.prune();
      await house.check();
    }
    expect(deleted).toBeGreaterThan(2);
  }, 60_000);
});
