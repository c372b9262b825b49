import { createHash } from 'node:crypto';
import { keyFileWrapper } from '../../../lib/keyring/key-file.ts';
import { listSlots, openSlots } from '../../../lib/keyring/open-slots.ts';
import { executeRotation, planRotation } from '../../../lib/keyring/rotation.ts';
import { addSlot, rotate, writeSlots } from '../../../lib/keyring/slots.ts';
import { isHoldfastError } from '../../../lib/model/errors.ts';
import type { RepositoryId } from '../../../lib/model/ids.ts';
import { CHUNKER_SIZES, ChunkReader, SnapshotReader, isSnapshotFile, openRepository, writeConfig } from '../../../lib/repository/index.ts';
import type { Repository, RepositoryConfig, VaultKeys } from '../../../lib/repository/index.ts';
import { removeDeadIndexes } from '../../../lib/retention/dead-indexes.ts';
import { planPrune } from '../../../lib/retention/prune-plan.ts';
import { keyOf, readPruneState } from '../../../lib/retention/prune-state.ts';
import { executePrune } from '../../../lib/retention/prune.ts';
import { standingOf } from '../../../lib/retention/standing.ts';
import type { Store } from '../../../lib/stores/store.ts';
import { healVault } from '../../../lib/validation/healing/heal-vault.ts';
import { verify } from '../../../lib/validation/verify.ts';
import type { VerifyLevel } from '../../../lib/validation/verify.ts';
import { PLANS } from '../backup-run.ts';
import { SeededRandom } from '../dice.ts';
import { PackShelf } from '../pack-shelf.ts';
import type { Actor } from '../scheduler.ts';
import { DAY, HOUR, Tale, WRITERS, clientTime, threeOf } from '../tale.ts';
import type { Telling, Told } from '../tale.ts';
import { LifeOracle } from './life-oracle.ts';
import type { Truth } from './life-oracle.ts';
import { LifeRun } from './life-run.ts';
import { Wounds } from './wounds.ts';

const SLEEPS = [12 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR];
const CONTENTS = ['five', 'four', 'one', 'six', 'three', 'two'];
const CONFIG = { format: 1, repository: '0123456789abcdef0123456789abcdef' as RepositoryId, chunker: CHUNKER_SIZES } satisfies RepositoryConfig;
const FIRST_KEYS: VaultKeys = { pairs: [{ number: 1, meta: new Uint8Array(32).fill(1), data: new Uint8Array(32).fill(2) }], chunker: new Uint8Array(32).fill(3) };
const HOLDERS = ['alice', 'bob'].map((name) => keyFileWrapper(createHash('sha256').update(name).digest(), name));
const [HOLDER] = HOLDERS as [(typeof HOLDERS)[number]];

/** What a planted bug changes. */
export interface LifeMeddling {
  readonly writerStore?: (store: Store) => Store;
  readonly verifierStore?: (store: Store) => Store;
  readonly healerStore?: (store: Store) => Store;
  readonly prunerStore?: (store: Store) => Store;
}

export interface LifeOutcome extends Told {
  readonly counts: LifeCounts;
}

export interface LifeCounts {
  backups: number;
  verifications: number;
  wounds: number;
  healed: number;
  rotations: number;
  removals: number;
  deletedPacks: number;
  /** Backups that were found corrupted at the end, and those that were read back whole. */
  lost: number;
  restored: number;
}

/**
 * Weeks of a vault whose disk goes bad: writers, a pruner, a remover, someone who verifies, someone who rotates keys, and
 * packs that change or vanish, all of them paused and killed anywhere. At the end a run backs up all there is, and then
 * whatever is called good must come back, and whatever cannot come back must be named.
 */
export class Life extends Tale<LifeOracle> {
  readonly #wounds = new Wounds(this.vault);
  protected readonly oracle = new LifeOracle(this.#wounds);
  protected readonly sleeps = { first: SLEEPS, later: SLEEPS };
  readonly #meddling: LifeMeddling;
  readonly #shelves = new Map<number, PackShelf>();
  readonly #counts: LifeCounts = { backups: 0, verifications: 0, wounds: 0, healed: 0, rotations: 0, removals: 0, deletedPacks: 0, lost: 0, restored: 0 };

  constructor(seed: number, meddling: LifeMeddling = {}, telling: Telling = {}) {
    super(seed, telling);
    this.#meddling = meddling;
  }

  async tell(): Promise<LifeOutcome> {
    await this.calmly('birth', (actor) => this.#begin(actor));
    this.scheduler.now += 3 * DAY;
    this.add('writer 1', 3, (actor) => this.#backup(actor, 0, threeOf(CONTENTS, actor)));
    this.add('writer 2', 2, (actor) => this.#backup(actor, 1, threeOf(CONTENTS, actor)));
    this.add('pruner', 4, (actor) => this.#prune(actor));
    this.add('remover', 2, (actor) => this.#remove(actor));
    this.add('verifier', 3, (actor) => this.#verifyNow(actor));
    this.add('healer', 2, (actor) => this.#heal(actor));
    this.add('rotator', this.seed % 2, (actor) => this.#rotate(actor));
    this.add('fate', 1 + (this.seed % 3), (actor) => this.#wound(actor));
    await this.play();
    await this.settle((actor) => this.#afterwards(actor));
    return { ...this.told, counts: this.#counts };
  }

  async #begin(actor: Actor): Promise<void> {
    const store = this.#store(actor);
    for (const holder of HOLDERS) await writeSlots(store, await addSlot(CONFIG.repository, FIRST_KEYS, holder, { random: actor.dice.bytes }));
    await writeConfig(store, CONFIG);
    await this.#backup(actor, 0, CONTENTS);
  }

  /** The vault on its bad disk. */
  #store(actor: Actor): Store {
    return this.storeFor(actor, this.#wounds.store());
  }

  /** Opened anew each time, with the slots that are there now, and those that a rotation adds meanwhile. */
  async #open(store: Store): Promise<Repository> {
    const reopen = () => openSlots(store, CONFIG.repository, HOLDER);
    return openRepository(store, CONFIG, await reopen(), { reopen });
  }

  #shelf(repository: Repository): PackShelf {
    const { current } = repository.keys;
    const shelf = this.#shelves.get(current) ?? new PackShelf(repository);
    this.#shelves.set(current, shelf);
    return shelf;
  }

  async #backup(actor: Actor, writer: 0 | 1, contents: readonly string[]): Promise<void> {
    const { writerStore = (store: Store) => store } = this.#meddling;
    const repository = await this.#open(writerStore(this.#store(actor)));
    const clientNow = clientTime(actor, this.scheduler.now);
    const settings = { plan: PLANS[writer], writer: { id: WRITERS[writer], host: 'host' }, trustedWriters: writer === 1 ? [WRITERS[0]] : [], contents, clientNow };
    await this.#orGiveUp(actor, async () => {
      const backup = await LifeRun.execute(repository, settings, { dice: actor.dice, oracle: this.oracle, packs: this.#shelf(repository) });
      this.#counts.backups++;
      this.scheduler.note(actor, `committed ${backup}`);
    });
  }

  /** Whoever slept too long fails, or built on what went bad meanwhile; nobody because keys were rotated meanwhile. */
  async #orGiveUp(actor: Actor, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!['stale', 'not-found', 'damaged'].some((code) => isHoldfastError(error) && error.code === code)) throw error;
      this.scheduler.note(actor, `gives up: ${(error as Error).message}`);
    }
  }

  async #prune(actor: Actor): Promise<void> {
    const { prunerStore = (store: Store) => store } = this.#meddling;
    const repository = await this.#open(prunerStore(this.#store(actor)));
    await this.#orGiveUp(actor, () => this.#pruneWith(actor, repository));
  }

  async #pruneWith(actor: Actor, repository: Repository): Promise<void> {
    const plan = planPrune(await readPruneState(repository.store, repository));
    if (plan.blockers.length > 0) return this.oracle.fail(`${actor.name} stops: ${JSON.stringify(plan.blockers)}`);
    const budget = { clock: { now: () => this.scheduler.now }, random: actor.dice.bytes, concurrency: 2 };
    const { deletedPacks } = await executePrune(plan, repository.store, budget);
    this.#counts.deletedPacks += deletedPacks;
    if (deletedPacks > 0) await removeDeadIndexes(repository, budget);
  }

  async #remove(actor: Actor): Promise<void> {
    if (await this.removeOne(actor, await this.#open(this.#store(actor)))) this.#counts.removals++;
  }

  async #verifyNow(actor: Actor): Promise<void> {
    const level = actor.dice.from<VerifyLevel>(['full', 'full', 'sample', 'structure']);
    await this.#orGiveUp(actor, async () => void (await this.#verify(actor, level)));
  }

  async #verify(actor: Actor, level: VerifyLevel): Promise<Awaited<ReturnType<typeof verify>>> {
    const { verifierStore = (store: Store) => store } = this.#meddling;
    const repository = await this.#open(verifierStore(this.#store(actor)));
    const report = await verify(repository, { level, clock: { now: () => this.scheduler.now }, unlocker: HOLDER });
    this.#counts.verifications++;
    this.scheduler.note(actor, `verified: ${report.backups.map(({ backup, result }) => `${backup} ${result}`).join(', ')}`);
    return report;
  }

  async #heal(actor: Actor): Promise<void> {
    const { healerStore = (store: Store) => store } = this.#meddling;
    const repository = await this.#open(healerStore(this.#store(actor)));
    await this.#orGiveUp(actor, async () => {
      const { packs, backups } = await healVault(repository, { random: actor.dice.bytes });
      this.#counts.healed += packs;
      this.scheduler.note(actor, `healed ${packs} packs for ${backups.length} backups`);
    });
  }

  /** Everybody who could open the vault still can; the keys of a number are the same in every story, and so are its packs. */
  async #rotate(actor: Actor): Promise<void> {
    const { store, keys } = await this.#open(this.#store(actor));
    const plan = await planRotation({ repository: CONFIG.repository, keys: keys.keys, listed: await listSlots(store, CONFIG.repository), wrappers: HOLDERS, leaveOut: [] });
    const made = await rotate(CONFIG.repository, keys.keys, HOLDERS, new SeededRandom('keys', plan.keyNumber).bytes);
    await executeRotation(store, { ...plan, made });
    this.#counts.rotations++;
  }

  /** The disk itself: no call of anybody, and nobody hears of it. */
  async #wound(actor: Actor): Promise<void> {
    const packs = await Array.fromAsync(this.vault.list('packs/'));
    if (packs.length === 0) return;
    const { name, size } = actor.dice.from(packs);
    const isFlip = actor.dice.isOnceIn(2);
    const offset = actor.dice.pick(size);
    await this.scheduler.call(actor, `${isFlip ? `flips byte ${offset} of` : 'loses'} ${name}`, async () => {
      if (isFlip) this.#wounds.flip(name, offset);
      else await this.#wounds.vanish(name);
    });
    this.#counts.wounds++;
  }

  /** What is damaged is found, what the source has is stored again, and nothing that prune takes then is missed. */
  async #afterwards(actor: Actor): Promise<void> {
    await this.#judge(actor);
    for (const writer of [0, 1] as const) await this.#backupAll(actor, writer);
    await this.#heal(actor);
    await this.#judge(actor);
    await this.#expectHealed();
    for (const days of [8, 2, 1]) {
      await this.scheduler.sleep(actor, days * DAY);
      await this.#prune(actor);
    }
    await this.#judge(actor);
  }

  /** A verification has just read whatever this run may build on, also what no backup needed: it lacks nothing. */
  async #backupAll(actor: Actor, writer: 0 | 1): Promise<void> {
    const { backups } = this.#counts;
    const before = new Set(this.oracle.snapshots.keys());
    await this.#backup(actor, writer, CONTENTS);
    if (this.#counts.backups !== backups + 1) return this.oracle.fail('the run afterwards gave up');
    const made = [...this.oracle.snapshots.keys()].find((backup) => !before.has(backup)) ?? '';
    const truth = (await this.#truth()).get(made);
    if (!truth || truth.lost.length > 0) this.oracle.fail(`the backup ${made}, made after all damage was found, lacks ${truth?.lost.join(', ')} in ${[...(truth?.lostIn ?? [])].join(', ')}`);
  }

  /** The source has everything: only what stood in a tree that is damaged may be lost. */
  async #expectHealed(): Promise<void> {
    for (const [backup, { isVoid, hasTree, lost }] of await this.#truth()) {
      if (!isVoid && hasTree && lost.length > 0) this.oracle.fail(`${backup} lacks ${lost.join(', ')} after healing, and the source has them`);
    }
  }

  #truth(): Promise<Map<string, Truth>> {
    return this.oracle.truth(this.vault, openRepository(this.vault, CONFIG, this.#allKeys()));
  }

  /** The oracle needs nobody to open the vault for it. */
  #allKeys(): VaultKeys {
    const pairs = [...FIRST_KEYS.pairs];
    for (let number = 2; number <= 4; number++) {
      const random = new SeededRandom('keys', number).bytes;
      pairs.push({ number, meta: random(32), data: random(32) });
    }
    return { ...FIRST_KEYS, pairs };
  }

  /** A full verification says of each backup what is true of it, and what it calls good comes back. */
  async #judge(actor: Actor): Promise<void> {
    const report = await this.#verify(actor, 'full');
    const truth = await this.#truth();
    for (const { backup, result, snapshot } of report.backups) {
      const known = truth.get(backup);
      if (!known) continue;
      const wanted = known.isVoid ? 'void' : known.isUntouched && known.lost.length === 0 ? 'good' : 'corrupted';
      if (result !== wanted) this.oracle.fail(`verify calls ${backup} ${result}, and it is ${wanted}${known.lost.length > 0 ? `: ${known.lost.join(', ')} cannot be read` : ''}; it names ${JSON.stringify(report.damage)}`);
      if (wanted === 'corrupted') this.#counts.lost++;
      if (!this.isOver()) await this.#readBack(actor, snapshot, wanted === 'good');
    }
    for (const backup of truth.keys()) if (!report.backups.some((one) => one.backup === backup)) this.oracle.fail(`verify does not speak of ${backup}`);
  }

  /** As `restore` reads: entry by entry, every chunk proved; what is called good is whole, what is not is not called so. */
  async #readBack(actor: Actor, snapshot: string, isGood: boolean): Promise<void> {
    const repository = await this.#open(this.#store(actor));
    const sizes = new Map((await Array.fromAsync(repository.store.list('packs/'))).map(({ name, size }) => [name, size]));
    const { standing, reason } = await standingOf(repository, await repository.store.stat(snapshot), sizes, actor.dice.bytes);
    if ((standing === 'good') !== isGood) return this.oracle.fail(`the backup ${keyOf(snapshot)} stands as ${standing} (${reason}), and it is ${isGood ? '' : 'not '}good`);
    if (!isGood) return;
    const reader = await SnapshotReader.open(repository, snapshot);
    const chunks = new ChunkReader(repository.store, repository.keys, 'frame', async (name) => sizes.get(name) ?? 0);
    for await (const entry of reader.entries()) {
      if (!isSnapshotFile(entry)) continue;
      const parts = await Promise.all((await reader.chunksOf(entry)).map(({ id, packId }) => chunks.read(reader.pack(packId).name, id)));
      const text = Buffer.concat(parts.map((part) => part ?? Buffer.from('(missing)'))).toString();
      if (text !== entry.path) this.oracle.fail(`the good backup ${keyOf(snapshot)} gives ${JSON.stringify(text)} for ${entry.path}`);
    }
    this.#counts.restored++;
  }
}
