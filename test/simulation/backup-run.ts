import { newUlid } from '../../lib/model/ids.ts';
import type { BackupId, PlanId, RunId } from '../../lib/model/ids.ts';
import { BackupSession, PacksWithdrawn, listSnapshots, packIdOf, readManifest } from '../../lib/repository/index.ts';
import type { Manifest, ManifestDraft, PackClass, Repository, SessionOptions } from '../../lib/repository/index.ts';
import type { Oracle } from './oracle.ts';
import type { SeededRandom } from './dice.ts';
import { idOf } from './pack-shelf.ts';
import type { PackShelf } from './pack-shelf.ts';

export interface RunSettings extends Omit<SessionOptions, 'run' | 'random'> {
  /** What the source holds now. */
  readonly contents: readonly string[];
  /** This machine's clock: only names carry it. */
  readonly clientNow: number;
  /** A stream cannot be read again. */
  readonly isStream: boolean;
}

export interface RunTools {
  readonly dice: SeededRandom;
  readonly oracle: Oracle;
  readonly packs: PackShelf;
}

const TREE = 'tree of ';
const MAX_ATTEMPTS = 3;

/**
 * One run of a plan with the product's session and formats: takes over what its predecessor holds, looks for the rest
 * among the known chunks, packs what is new, commits; begins again, as the product's does, when the second look
 * withdraws packs.
 */
export class BackupRun {
  readonly #repository: Repository;
  readonly #settings: RunSettings;
  readonly #tools: RunTools;
  readonly #session: BackupSession;
  /** Content → pack, of everything that this run needs. */
  readonly #places = new Map<string, string>();

  private constructor(repository: Repository, settings: RunSettings, tools: RunTools, session: BackupSession) {
    this.#repository = repository;
    this.#settings = settings;
    this.#tools = tools;
    this.#session = session;
  }

  static async execute(repository: Repository, settings: RunSettings, tools: RunTools): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        const run = newUlid<RunId>(settings.clientNow, tools.dice.bytes);
        const session = await BackupSession.open(repository, { ...settings, run, random: tools.dice.bytes });
        return await new BackupRun(repository, settings, tools, session).#execute();
      } catch (error) {
        if (!(error instanceof PacksWithdrawn) || settings.isStream || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  /** The id of the backup. */
  async #execute(): Promise<string> {
    const predecessor = await this.#predecessor();
    if (predecessor) this.#takeOver(predecessor);
    await this.#storeMissing();
    return this.#commit(predecessor);
  }

  async #predecessor(): Promise<Manifest | undefined> {
    const snapshots = await listSnapshots(this.#repository.store, this.#settings.plan);
    const newest = snapshots.toSorted((a, b) => b.storedAt - a.storedAt)[0];
    return newest && (await readManifest(this.#repository, newest.name)).manifest;
  }

  /** What a manifest's tree would say: `warnings` carries contents here, the table of packs their places. */
  #takeOver(manifest: Manifest): void {
    const packs = manifest.tree.base.packs;
    const wanted = new Set(this.#wanted());
    for (const [position, { message }] of manifest.warnings.entries()) {
      const pack = packs[position];
      if (pack !== undefined && wanted.has(message) && this.#session.isUsable(pack)) this.#places.set(message, pack);
    }
  }

  #wanted(): string[] {
    return [...this.#settings.contents, TREE + this.#settings.contents.join(' ')];
  }

  async #storeMissing(): Promise<void> {
    const missing = this.#wanted().filter((content) => !this.#places.has(content));
    if (missing.length === 0) return;
    const known = await this.#readKnown();
    for (const content of missing) {
      const pack = known.get(idOf(content).toString('hex'));
      if (pack !== undefined) this.#places.set(content, pack);
    }
    const fresh = missing.filter((content) => !this.#places.has(content));
    const data = fresh.filter((content) => !content.startsWith(TREE));
    const cut = this.#tools.dice.pick(data.length + 1);
    for (const group of [data.slice(0, cut), data.slice(cut)]) await this.#storePack('hot', group);
    if (data.length > 0 && this.#tools.dice.isOnceIn(4)) await this.#session.checkpoint();
    await this.#storePack('meta', fresh.filter((content) => content.startsWith(TREE)));
  }

  async #readKnown(): Promise<Map<string, string>> {
    const known = new Map<string, string>();
    await this.#session.visitKnownChunks((pack, ids) => {
      for (let at = 0; at < ids.length; at += 32) known.set(Buffer.from(ids.subarray(at, at + 32)).toString('hex'), pack);
    });
    return known;
  }

  async #storePack(packClass: PackClass, contents: readonly string[]): Promise<void> {
    if (contents.length === 0) return;
    const { name, bytes, sha256: digest, ids } = this.#tools.packs.take(packClass, this.#settings.writer.id, contents);
    this.#tools.oracle.declarePack(packIdOf(name), new Set(contents));
    for (const content of contents) this.#places.set(content, packIdOf(name));
    await this.#session.storePack(name, bytes, digest, ids);
  }

  async #commit(predecessor: Manifest | undefined): Promise<string> {
    const { oracle, dice } = this.#tools;
    const backup = newUlid<BackupId>(this.#settings.clientNow, dice.bytes);
    const packs = new Set(this.#places.values());
    oracle.declareBackup(backup, { places: new Map(this.#places), packs });
    await this.#session.commit(this.#draft(backup, predecessor), packs);
    return backup;
  }

  #draft(backup: string, predecessor: Manifest | undefined): ManifestDraft {
    const places = [...this.#places];
    const at = new Date(this.#settings.clientNow).toISOString();
    return {
      backup, planName: 'simulated', type: 'incremental', source: { type: 'files', description: 'contents', paths: [] }, startedAt: at, finishedAt: at,
      sequence: (predecessor?.sequence ?? 0) + 1, predecessors: [], contentSha256: '', statistics: NO_STATISTICS,
      tree: { base: { chunks: [], packs: places.map(([, pack]) => pack), records: 0, bytes: 0 }, delta: null },
      warnings: places.map(([content]) => ({ code: 'content', message: content })),
    };
  }
}

const NO_STATISTICS = { entries: 0, files: 0, directories: 0, bytes: 0, newFiles: 0, changedFiles: 0, unchangedFiles: 0, removedEntries: 0, readBytes: 0, newBytes: 0, storedBytes: 0, durationMilliseconds: 0 };

export const PLANS = ['a'.repeat(32), 'b'.repeat(32)] as unknown as readonly [PlanId, PlanId];
