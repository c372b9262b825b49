import type { ByteString } from '../model/byte-string.ts';
import { isHoldfastError } from '../model/errors.ts';
import { ENTRY, SnapshotReader, comparePaths, decodeBody, isSnapshotFile, names } from '../repository/index.ts';
import type { Entry, Repository, TreeDamage, TreeRecord } from '../repository/index.ts';
import { contentDigest } from './content-digest.ts';
import { isLoss } from './pack-jobs.ts';
import type { Selection } from './selection.ts';

/** A backup that is searched; its times are the writer's, milliseconds since the epoch. */
export interface SearchedBackup {
  readonly backupId: string;
  readonly planId: string;
  readonly planName: string;
  readonly sequence: number;
  readonly finishedAt: number;
}

/** One content of one path, and the backups in a row that have it. */
export interface FoundVersion {
  readonly path: ByteString;
  readonly planName: string;
  /** As in the newest of these backups. */
  readonly entry: Entry;
  /** SHA-256; undefined for what has no content, or none that could be read. */
  readonly digest: Uint8Array | undefined;
  readonly first: SearchedBackup;
  readonly last: SearchedBackup;
  readonly backups: number;
}

/** A backup of which something could not be searched. */
export interface UnsearchedBackup {
  readonly backupId: string;
  readonly problem: string;
}

export interface SearchResult {
  /** By path and plan, newest first. */
  readonly versions: readonly FoundVersion[];
  readonly unsearched: readonly UnsearchedBackup[];
}

export interface SearchOptions {
  readonly selection: Selection;
  /** Whether an entry that matches by its path counts. */
  readonly accepts: (entry: Entry) => boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Which backups have entries that match, and which of those are the same. Reads lists of entries alone, tree chunk by tree
 * chunk; those of a base that several backups share are read once. Memory: what is found.
 */
export async function findVersions(repository: Repository, backups: readonly SearchedBackup[], options: SearchOptions): Promise<SearchResult> {
  const versions: FoundVersion[] = [];
  const unsearched: UnsearchedBackup[] = [];
  let done = 0;
  for (const ofPlan of Map.groupBy(backups, ({ planId }) => planId).values()) {
    const search = new PlanSearch(repository, options);
    for (const backup of ofPlan.sort((left, right) => left.sequence - right.sequence || left.finishedAt - right.finishedAt)) {
      options.signal.throwIfAborted();
      options.onProgress(done++, backups.length);
      const problem = await search.search(backup);
      if (problem !== undefined) unsearched.push({ backupId: backup.backupId, problem });
    }
    versions.push(...search.versions);
  }
  versions.sort((left, right) => comparePaths(left.path, right.path) || (left.planName < right.planName ? -1 : left.planName > right.planName ? 1 : right.last.finishedAt - left.last.finishedAt));
  return { versions, unsearched };
}

interface Match {
  readonly entry: Entry;
  readonly digest: Uint8Array | undefined;
  /** Equal for equal contents. */
  readonly identity: string;
}

type Matches = Map<ByteString, Match>;

interface GrowingVersion extends FoundVersion {
  entry: Entry;
  last: SearchedBackup;
  backups: number;
  readonly identity: string;
  lastNumber: number;
}

/** The backups of one plan, oldest first. */
class PlanSearch {
  readonly versions: GrowingVersion[] = [];
  readonly #repository: Repository;
  readonly #options: SearchOptions;
  readonly #newest = new Map<ByteString, GrowingVersion>();
  /** Of the base that was searched last: most backups of a plan share theirs with the one before. */
  #base: { readonly key: string; readonly matches: Matches } | undefined;
  #number = 0;

  constructor(repository: Repository, options: SearchOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  /** Answers what could not be read. */
  async search(backup: SearchedBackup): Promise<string | undefined> {
    try {
      const reader = await SnapshotReader.open(this.#repository, names.snapshot(backup.planId, backup.backupId));
      const damage: TreeDamage[] = [];
      const matches = await this.#matchesOf(reader, damage);
      this.#number++;
      for (const [path, match] of matches) this.#add(path, match, backup);
      return damage[0]?.error.message;
    } catch (error) {
      if (!isLoss(error) && !isHoldfastError(error, 'unsupported-version')) throw error;
      return error.message;
    }
  }

  async #matchesOf(reader: SnapshotReader, damage: TreeDamage[]): Promise<Matches> {
    const base = await this.#baseMatches(reader, damage);
    if (!reader.manifest.tree.delta) return base;
    const lost: TreeDamage[] = [];
    const matches = new Map(base);
    for await (const records of reader.storedRecords('delta', this.#options.selection.below, (one) => lost.push(one))) {
      for (const record of records) {
        const match = this.#match(record);
        if (match) matches.set(record.path, match);
        else matches.delete(record.path);
      }
    }
    // Where the delta cannot be read, a base record may have been replaced.
    for (const { from, to } of lost) for (const path of matches.keys()) if (comparePaths(path, from) >= 0 && (to === undefined || comparePaths(path, to) < 0)) matches.delete(path);
    damage.push(...lost);
    return matches;
  }

  async #baseMatches(reader: SnapshotReader, damage: TreeDamage[]): Promise<Matches> {
    const key = reader.manifest.tree.base.chunks.map(({ id }) => id).join();
    if (this.#base?.key === key) return this.#base.matches;
    const matches: Matches = new Map();
    for await (const records of reader.storedRecords('base', this.#options.selection.below, (one) => damage.push(one))) {
      this.#options.signal.throwIfAborted();
      for (const record of records) {
        const match = this.#match(record);
        if (match) matches.set(record.path, match);
      }
    }
    // A base that could not be read whole is read again for the next backup, which must say so too.
    this.#base = damage.length === 0 ? { key, matches } : undefined;
    return matches;
  }

  #match({ path, body }: TreeRecord): Match | undefined {
    if (body[0] === ENTRY.tombstone || !this.#options.selection.matches(path)) return undefined;
    // A copy: views into tree chunks would keep those alive.
    const entry: Entry = { ...decodeBody(body.slice(), 'entry'), path };
    if (!this.#options.accepts(entry)) return undefined;
    const digest = isSnapshotFile(entry) ? contentDigest(entry) : undefined;
    return { entry, digest, identity: identityOf(entry, digest) };
  }

  #add(path: ByteString, { entry, digest, identity }: Match, backup: SearchedBackup): void {
    const newest = this.#newest.get(path);
    if (newest?.identity === identity && newest.lastNumber === this.#number - 1) {
      Object.assign(newest, { entry, last: backup, backups: newest.backups + 1, lastNumber: this.#number });
      return;
    }
    const version: GrowingVersion = { path, planName: backup.planName, entry, digest, identity, first: backup, last: backup, backups: 1, lastNumber: this.#number };
    this.#newest.set(path, version);
    this.versions.push(version);
  }
}

/** What makes two entries of one path the same to somebody who looks for it: the content, not the times. */
function identityOf(entry: Entry, digest: Uint8Array | undefined): string {
  const content = isSnapshotFile(entry) ? `${entry.size} ${digest === undefined ? `unknown ${entry.mtimeSeconds} ${entry.mtimeNanoseconds}` : Buffer.from(digest).toString('base64')}` : '';
  return `${entry.type} ${entry.type === ENTRY.symlink ? entry.target : content}`;
}
