import type { ByteString } from '../model/byte-string.ts';
import { isHoldfastError } from '../model/errors.ts';
import { ENTRY, SnapshotReader, comparePaths, decodeBody, isSnapshotFile, names } from '../repository/index.ts';
import type { Entry, Repository, TreeDamage, TreeRecord } from '../repository/index.ts';
import { contentDigest } from './content-digest.ts';
import { isLoss } from './pack-jobs.ts';
import type { Selection } from './selection.ts';
import { workAhead } from './work-ahead.ts';

/** Backups that are read at the same time: on a store far away most of a search is waiting. */
const AT_ONCE = 8;

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
  const searches = [...Map.groupBy(backups, ({ planId }) => planId).values()].flatMap((ofPlan) => {
    const search = new PlanSearch(repository, options);
    return ofPlan.sort((left, right) => left.sequence - right.sequence || left.finishedAt - right.finishedAt).map((backup) => ({ search, backup }));
  });
  options.onProgress(done, backups.length);
  for await (const { search, backup, matches, problem } of workAhead(searches, AT_ONCE, async ({ search, backup }) => ({ search, backup, ...(await search.read(backup)) }))) {
    options.signal.throwIfAborted();
    options.onProgress(++done, backups.length);
    if (matches) search.add(backup, matches);
    if (problem !== undefined) unsearched.push({ backupId: backup.backupId, problem });
  }
  for (const search of new Set(searches.map(({ search }) => search))) versions.push(...search.versions);
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

/** What of one backup matches, as far as it could be read. */
interface Read {
  readonly matches?: Matches;
  readonly problem?: string | undefined;
}

interface ReadBase {
  readonly matches: Matches;
  readonly damage: readonly TreeDamage[];
}

/** The backups of one plan: read in any order, added oldest first. */
class PlanSearch {
  readonly versions: GrowingVersion[] = [];
  readonly #repository: Repository;
  readonly #options: SearchOptions;
  readonly #newest = new Map<ByteString, GrowingVersion>();
  /** Of the bases that were asked for last: most backups of a plan share theirs with the one before. */
  readonly #bases = new Map<string, Promise<ReadBase>>();
  #number = 0;

  constructor(repository: Repository, options: SearchOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async read(backup: SearchedBackup): Promise<Read> {
    this.#options.signal.throwIfAborted();
    try {
      const reader = await SnapshotReader.open(this.#repository, names.snapshot(backup.planId, backup.backupId));
      const damage: TreeDamage[] = [];
      const matches = await this.#matchesOf(reader, damage);
      return { matches, problem: damage[0]?.error.message };
    } catch (error) {
      if (!isLoss(error) && !isHoldfastError(error, 'unsupported-version')) throw error;
      return { problem: error.message };
    }
  }

  add(backup: SearchedBackup, matches: Matches): void {
    this.#number++;
    for (const [path, match] of matches) this.#add(path, match, backup);
  }

  async #matchesOf(reader: SnapshotReader, damage: TreeDamage[]): Promise<Matches> {
    const base = await this.#baseOf(reader);
    damage.push(...base.damage);
    if (!reader.manifest.tree.delta) return base.matches;
    const lost: TreeDamage[] = [];
    const matches = new Map(base.matches);
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

  /** A base that could not be read whole says so for each of its backups. */
  #baseOf(reader: SnapshotReader): Promise<ReadBase> {
    const key = reader.manifest.tree.base.chunks.map(({ id }) => id).join();
    const known = this.#bases.get(key);
    if (known) return known;
    const base = this.#readBase(reader);
    base.catch(() => undefined);
    this.#bases.set(key, base);
    // Who waits for an older one has it in hand.
    for (const [oldest] of this.#bases) if (this.#bases.size > AT_ONCE) this.#bases.delete(oldest);
    return base;
  }

  async #readBase(reader: SnapshotReader): Promise<ReadBase> {
    const matches: Matches = new Map();
    const damage: TreeDamage[] = [];
    for await (const records of reader.storedRecords('base', this.#options.selection.below, (one) => damage.push(one))) {
      this.#options.signal.throwIfAborted();
      for (const record of records) {
        const match = this.#match(record);
        if (match) matches.set(record.path, match);
      }
    }
    return { matches, damage };
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
