import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { BackupId, PlanId, RunId } from '../model/ids.ts';
import { readDamageTimes, readDamagedPacks } from './damage.ts';
import { FORMAT_VERSION } from './format.ts';
import type { Manifest } from './manifest.ts';
import { sealManifest } from './manifest.ts';
import { isRunTooOld, judgeMarks, readMarks } from './mark-rules.ts';
import type { Marks } from './mark-rules.ts';
import { names, packIdOf } from './names.ts';
import { openIndex } from './pack-index.ts';
import type { DecodedIndex } from './pack-index.ts';
import { readPackDirectory } from './pack-reader.ts';
import type { PackRef, Refs } from './refs.ts';
import { encodeRefs, followReplaced } from './refs.ts';
import type { Repository, Writer } from './repository.ts';
import { RunIndex } from './run-index.ts';
import type { StoredPack } from './run-index.ts';
import { sha256 } from './seal.ts';
import { headProblem } from './sealed-object.ts';

/** What the session asks of time and chance; simulations pass their own. */
export interface SessionOptions {
  readonly plan: PlanId;
  readonly run: RunId;
  /** From 1: a run that is repeated under its id must not take a name of an earlier attempt again. */
  readonly attempt?: number;
  readonly writer: Writer;
  /** Writers whose packs may be reused besides one's own (design, Trust). */
  readonly trustedWriters?: readonly string[];
  readonly random?: (size: number) => Uint8Array;
}

/** The manifest as the run knows it; the session adds what only the commit knows. */
export type ManifestDraft = Omit<Manifest, 'format' | 'plan' | 'run' | 'writer' | 'host' | 'checkedAt' | 'refsSha256'>;

export interface CommitResult {
  readonly manifest: Manifest;
  readonly manifestSha256: string;
}

/** The second look found packs that this run relied on and may not: their entries must be read again (format §11, §12). */
export class PacksWithdrawn extends HoldfastError {
  readonly packs: ReadonlySet<string>;

  constructor(packs: ReadonlySet<string>) {
    super('stale', `${packs.size === 1 ? 'A pack' : `${packs.size} packs`} that this run relied on ${packs.size === 1 ? 'is' : 'are'} about to be deleted, gone, or found to be damaged.`, {
      nextStep: 'Run the backup again: what was stored is reused, and what those packs held is read from the source.',
    });
    this.packs = packs;
  }
}

/**
 * One run's writing into a repository, in the order that makes a crash harmless (format §10): packs, index, second
 * look, refs, snapshot. Nothing here is ever overwritten or deleted.
 */
export class BackupSession {
  readonly repository: Repository;
  readonly options: SessionOptions;
  readonly #startedAt: number;
  /** Packs that may be relied on, as listed after the first look: id to name and size. */
  readonly #usable: Map<string, { name: string; size: number }>;
  readonly #index: RunIndex;
  #partials: number;
  /** Digests of reused packs, learnt from indexes and earlier refs. */
  readonly #digests = new Map<string, string>();
  /** What stands for packs that the tree of the predecessor names and that are no more (healing). */
  #follow: (id: string) => string = (id) => id;
  #incomplete: ReadonlySet<string> = new Set();
  /** Packs that somebody recorded as damaged, at the first look, and the store's time of that. */
  readonly #damaged: ReadonlyMap<string, number>;
  /** Chunks that indexes place in those packs: 32 bytes each, as latin1. */
  readonly #damagedChunks = new Set<string>();
  #hasStoredLost = false;
  #packBytes = 0;

  private constructor(repository: Repository, options: SessionOptions, look: { startedAt: number; usable: Map<string, { name: string; size: number }>; damaged: ReadonlyMap<string, number> }) {
    this.repository = repository;
    this.options = options;
    this.#startedAt = look.startedAt;
    this.#usable = look.usable;
    this.#damaged = look.damaged;
    this.#partials = ((options.attempt ?? 1) - 1) * NUMBERS_PER_ATTEMPT;
    this.#index = new RunIndex(repository, options, this.#partials);
  }

  /** First look: `condemned/` before `packs/` (format §11). */
  static async open(repository: Repository, options: SessionOptions): Promise<BackupSession> {
    const marks = await readMarks(repository.store);
    const absent = judgeMarks(marks, 'first');
    const damaged = await readDamageTimes(repository.store);
    const usable = new Map<string, { name: string; size: number }>();
    for await (const { name, size } of repository.store.list('packs/')) {
      const id = packIdOf(name);
      if (!absent.has(id) && !damaged.has(id)) usable.set(id, { name, size });
    }
    return new BackupSession(repository, options, { startedAt: marks.at, usable, damaged });
  }

  /** Packs and indexes, in bytes of the store. */
  get storedBytes(): number {
    return this.#packBytes + this.#index.storedBytes;
  }

  /** Whether records may go on naming that pack: it is there, or what replaced it is there and lacks nothing. */
  isUsable(packId: string): boolean {
    return this.#usable.has(packId) || (!this.#incomplete.has(packId) && this.#usable.has(this.#follow(packId)));
  }

  /** A pack that is there stands for itself: what replaced it elsewhere may hold less than it does. */
  #resolve(packId: string): string {
    return this.#usable.has(packId) ? packId : this.#follow(packId);
  }

  /**
   * Whose packs this run may not reuse, when there are no others: a first backup from here into a vault that is in use.
   * Empty as soon as one pack is its own or of a writer that it trusts.
   */
  strangers(): string[] {
    const known = [this.options.writer.id as string, ...(this.options.trustedWriters ?? [])];
    const found = new Set<string>();
    for (const { name } of this.#usable.values()) {
      const writer = name.split('/')[2] ?? '';
      if (known.includes(writer)) return [];
      found.add(writer);
    }
    return [...found].sort();
  }

  /**
   * Whether healing has a chance that it had not before: damage was recorded since then (the store's time), or this run
   * stored chunks anew that lay in a damaged pack. Without it a vault with damage that nothing heals would be searched
   * after every backup.
   */
  hasHealingMaterial(since: number): boolean {
    return this.#hasStoredLost || [...this.#damaged.values()].some((at) => at >= since);
  }

  /** Refs of the backup that this run builds on: what replaced which pack, and digests that need not be learnt again. */
  noteRefs(refs: Refs): void {
    this.#follow = followReplaced(refs);
    this.#incomplete = new Set(refs.replaced.filter(({ lost }) => lost !== undefined).map(({ old }) => old));
    for (const pack of refs.packs) this.#digests.set(packIdOf(pack.name), pack.sha256);
  }

  /**
   * Every data chunk that may be reused, from the indexes of this writer and those it trusts, and from the directories of
   * packs that a killed run stored without an index. `visit` gets chunk ids, 32 bytes each, that lie in one pack;
   * `expect` hears before how many an index is about to bring at most.
   */
  async visitKnownChunks(visit: (packId: string, ids: Uint8Array) => void, expect: (chunks: number) => void = () => undefined): Promise<void> {
    const indexed = new Set<string>();
    const writers = [this.options.writer.id as string, ...(this.options.trustedWriters ?? [])];
    for (const writer of writers) {
      // An index is a cache of directories, and a pack that does not decode is not reused: neither stops a backup.
      for await (const { name } of this.repository.store.list(`index/${writer}/`)) await unlessDamaged(() => this.#visitIndex(name, indexed, { visit, expect }), () => this.#index.standInFor(name));
      for (const [id, { name, size }] of this.#usable) {
        if (indexed.has(id) || isMeta(name) || !name.includes(`/${writer}/`)) continue;
        // A role that may not read data packs cannot adopt: it stores again what they hold, and prune takes them.
        await unlessUnreadable(() => this.#adoptPack(id, name, size, visit));
      }
    }
  }

  async #visitIndex(name: string, indexed: Set<string>, { visit, expect }: { readonly visit: (packId: string, ids: Uint8Array) => void; readonly expect: (chunks: number) => void }): Promise<void> {
    const stored = await this.repository.store.get(name);
    const index = openIndex(this.repository.keys, name, stored);
    // Its seal is whole, so what it says is true; an index of this run says it again.
    const isOdd = headProblem(stored) !== undefined;
    if (isOdd) this.#index.standInFor(name);
    expect(index.ids.length / 32);
    const idsByPack = groupByPack(index);
    for (const [ordinal, pack] of index.packs.entries()) {
      const id = packIdOf(pack.name);
      indexed.add(id);
      if (this.#damaged.has(id)) for (let at = 0, ids = idsByPack[ordinal] as Uint8Array; at < ids.length; at += 32) this.#damagedChunks.add(latin1(ids.subarray(at, at + 32)));
      // A pack of another size than its index says is not the pack that was written.
      if (isMeta(pack.name) || this.#usable.get(id)?.size !== pack.size) continue;
      this.#digests.set(id, pack.sha256);
      const ids = idsByPack[ordinal] as Uint8Array;
      if (isOdd) this.#note({ name: pack.name, size: pack.size, sha256: pack.sha256, ids });
      visit(id, ids);
    }
  }

  /** A run was killed after this pack and before its index: its own directory says what it holds. */
  async #adoptPack(id: string, name: string, size: number, visit: (packId: string, ids: Uint8Array) => void): Promise<void> {
    const directory = await readPackDirectory(this.repository.store, this.repository.keys, name, size);
    const ids = Buffer.concat(directory.frames.flatMap((frame) => frame.chunks.map((chunk) => chunk.id)));
    const digest = sha256(await this.repository.store.get(name)).toString('hex');
    this.#digests.set(id, digest);
    this.#note({ name, size, sha256: digest, ids });
    visit(id, ids);
  }

  /** Stores a finished pack; durable when it returns. `ids` are its chunk ids, 32 bytes each. */
  async storePack(name: string, bytes: Uint8Array, digest: string, ids: Uint8Array): Promise<void> {
    await this.repository.store.put(name, bytes);
    this.#note({ name, size: bytes.length, sha256: digest, ids });
    this.#digests.set(packIdOf(name), digest);
    this.#usable.set(packIdOf(name), { name, size: bytes.length });
    this.#packBytes += bytes.length;
    if (this.#index.isFull) await this.#index.store();
  }

  #note(pack: StoredPack): void {
    this.#index.add(pack);
    // Asked now: an index takes the ids away, and those of damaged packs are known before anything is stored anew.
    if (this.#damagedChunks.size === 0) return;
    for (let at = 0; at < pack.ids.length && !this.#hasStoredLost; at += 32) this.#hasStoredLost = this.#damagedChunks.has(latin1(pack.ids.subarray(at, at + 32)));
  }

  /** Makes what is stored so far live for 7 days, for the next run to reuse (format §8, partial). */
  async checkpoint(): Promise<void> {
    if (this.#index.packs.length === 0) return;
    await this.#index.store();
    const name = names.partial(this.options.plan, this.options.run, this.#partials++);
    await this.repository.store.put(name, encodeRefs({ ...this.#refsHead('partial', ''), revision: 0, packs: [...this.#index.packs], index: [...this.#index.names], replaced: [] }));
  }

  /**
   * Index, second look, refs, snapshot. `used` are the ids of all packs that the backup needs, its tree's too.
   * Throws `PacksWithdrawn` when the second look forbids some of them, `stale` when the run is too old. `isStillOurs` is
   * asked when all but the snapshot stands: what it throws ends the commit, and no backup is there.
   */
  async commit(draft: ManifestDraft, used: ReadonlySet<string>, isStillOurs: () => Promise<void> = async () => undefined): Promise<CommitResult> {
    await this.#index.store();
    const { store, keys, cipher } = this.repository;
    const needed = new Set([...used].map((pack) => this.#resolve(pack)));
    const look = await this.#secondLook(needed);
    const refsName = names.refs(this.options.plan, draft.backup, 0);
    const replaced = [...used].sort().map((old) => ({ old, new: this.#resolve(old) })).filter((pair) => pair.old !== pair.new);
    const refs = encodeRefs({ ...this.#refsHead('refs', draft.backup), revision: 0, packs: await this.#packRefs(needed), replaced });
    await store.put(refsName, refs);
    const manifest: Manifest = {
      format: FORMAT_VERSION,
      plan: this.options.plan,
      run: this.options.run,
      writer: this.options.writer.id,
      host: this.options.writer.host,
      ...draft,
      checkedAt: look.at,
      refsSha256: sha256(refs).toString('hex'),
      statistics: { ...draft.statistics, storedBytes: this.storedBytes + refs.length },
    };
    const sealed = sealManifest(keys, manifest, cipher, this.options.random);
    await isStillOurs();
    await store.put(names.snapshot(this.options.plan, draft.backup), sealed);
    return { manifest, manifestSha256: sha256(sealed).toString('hex') };
  }

  /**
   * Packs listed after `condemned/`, its own ones too: a run that outlives every margin may have lost even those. What a
   * verification found damaged since the first look is relied on no more than what prune condemned.
   */
  async #secondLook(used: ReadonlySet<string>): Promise<Marks> {
    const { store } = this.repository;
    const marks = await readMarks(store);
    if (isRunTooOld(this.#startedAt, marks.at)) {
      throw new HoldfastError('stale', `This run began ${Math.round((marks.at - this.#startedAt) / 86_400_000)} days ago by the store's clock; at most 30 are allowed.`, { nextStep: 'Start the backup again.' });
    }
    const judged = judgeMarks(marks, 'second');
    const listed = new Set<string>();
    for await (const { name } of store.list('packs/')) listed.add(packIdOf(name));
    const damaged = await readDamagedPacks(store);
    const withdrawn = new Set([...used].filter((pack) => judged.get(pack) === 'reread' || !listed.has(pack) || damaged.has(pack)));
    if (withdrawn.size > 0) throw new PacksWithdrawn(withdrawn);
    return marks;
  }

  async #packRefs(used: ReadonlySet<string>): Promise<PackRef[]> {
    const packs: PackRef[] = [];
    for (const id of [...used].sort()) {
      const pack = this.#usable.get(id);
      if (!pack) throw new HoldfastError('broken-invariant', `The backup needs the pack ${id}, which this session does not know. Nothing was committed.`);
      const digest = this.#digests.get(id) ?? sha256(await this.repository.store.get(pack.name)).toString('hex');
      packs.push({ name: pack.name, size: pack.size, sha256: digest });
    }
    return packs;
  }

  #refsHead(kind: Refs['kind'], backup: BackupId | string): Pick<Refs, 'format' | 'repository' | 'kind' | 'plan' | 'backup' | 'run'> {
    return { format: FORMAT_VERSION, repository: this.repository.config.repository, kind, plan: this.options.plan, backup, run: this.options.run };
  }
}

const NUMBERS_PER_ATTEMPT = 1_000_000;

/** The claims of each pack one after another: copied, because a view for each of a million ids would cost 100 MiB. */
function groupByPack({ packs, ids, ordinals }: DecodedIndex): Uint8Array[] {
  const counts = new Uint32Array(packs.length);
  for (const ordinal of ordinals) counts[ordinal]! += 1;
  const grouped = Array.from(counts, (count) => Buffer.allocUnsafe(count * 32));
  const filled = new Uint32Array(packs.length);
  const all = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);
  for (const [position, ordinal] of ordinals.entries()) {
    all.copy(grouped[ordinal] as Buffer, (filled[ordinal] as number) * 32, position * 32, position * 32 + 32);
    filled[ordinal]! += 1;
  }
  return grouped;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice();
}

/** Chunks of trees are sealed with another key: data must never be found there. */
function isMeta(packName: string): boolean {
  return packName.startsWith('packs/meta/');
}

async function unlessDamaged(work: () => Promise<void>, onDamage?: () => void): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
    if (error.code === 'damaged') onDamage?.();
  }
}

async function unlessUnreadable(work: () => Promise<void>): Promise<void> {
  try {
    await unlessDamaged(work);
  } catch (error) {
    if (!isHoldfastError(error, 'permission')) throw error;
  }
}
