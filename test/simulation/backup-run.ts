import { newHexId, newUlid } from '../../lib/model/ids.ts';
import type { BackupId, PackId, PlanId, RunId } from '../../lib/model/ids.ts';
import { BackupSession, FrameSealer, PackBuilder, PacksWithdrawn, listSnapshots, names, packIdOf, readManifest, sha256 } from '../../lib/repository/index.ts';
import type { Manifest, ManifestDraft, PackClass, Repository, SessionOptions } from '../../lib/repository/index.ts';
import type { Choices } from './choices.ts';
import type { Oracle } from './oracle.ts';

export interface RunSettings extends Omit<SessionOptions, 'run' | 'random'> {
  /** What the source holds now. */
  readonly contents: readonly string[];
  /** This machine's clock: only names carry it. */
  readonly clientNow: number;
  /** A stream cannot be read again. */
  readonly isStream: boolean;
}

export interface RunTools {
  readonly choices: Choices;
  readonly oracle: Oracle;
  readonly random: (size: number) => Uint8Array;
}

const TREE = 'tree of ';

/**
 * One run of a plan with the product's session and formats: takes over what its predecessor holds, looks for the rest
 * among the known chunks, packs what is new, commits, and reads again what the second look withdraws.
 */
export class BackupRun {
  readonly #repository: Repository;
  readonly #settings: RunSettings;
  readonly #tools: RunTools;
  readonly #session: BackupSession;
  /** Content → pack, of everything that this run needs. */
  readonly #places = new Map<string, string>();
  readonly #withdrawn = new Set<string>();
  #known: Map<string, string> | undefined;

  private constructor(repository: Repository, settings: RunSettings, tools: RunTools, session: BackupSession) {
    this.#repository = repository;
    this.#settings = settings;
    this.#tools = tools;
    this.#session = session;
  }

  /** The id of the backup. */
  static async execute(repository: Repository, settings: RunSettings, tools: RunTools): Promise<string> {
    const run = newUlid<RunId>(settings.clientNow, tools.random);
    const session = await BackupSession.open(repository, { ...settings, run, random: tools.random });
    return new BackupRun(repository, settings, tools, session).#execute();
  }

  async #execute(): Promise<string> {
    const predecessor = await this.#predecessor();
    if (predecessor) this.#takeOver(predecessor);
    for (let attempt = 0; ; attempt++) {
      await this.#storeMissing();
      try {
        return await this.#commit(predecessor);
      } catch (error) {
        if (!(error instanceof PacksWithdrawn) || this.#settings.isStream || attempt === 2) throw error;
        for (const pack of error.packs) this.#withdrawn.add(pack);
        for (const [content, pack] of this.#places) if (this.#withdrawn.has(pack)) this.#places.delete(content);
      }
    }
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
    this.#known ??= await this.#readKnown();
    for (const content of missing) {
      const pack = this.#known.get(idOf(content).toString('hex'));
      if (pack !== undefined && !this.#withdrawn.has(pack)) this.#places.set(content, pack);
    }
    const fresh = missing.filter((content) => !this.#places.has(content));
    const data = fresh.filter((content) => !content.startsWith(TREE));
    const cut = this.#tools.choices.pick(data.length + 1);
    for (const group of [data.slice(0, cut), data.slice(cut)]) await this.#storePack('hot', group);
    if (data.length > 0 && this.#tools.choices.rarely(4)) await this.#session.checkpoint();
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
    const { keys, cipher } = this.#repository;
    const { random, oracle } = this.#tools;
    const name = names.pack(packClass, this.#settings.writer.id, newHexId<PackId>(random));
    const builder = new PackBuilder(keys, cipher, new Uint8Array(4096));
    const sealer = new FrameSealer(keys, cipher, packClass === 'meta' ? 'tree' : 'frame', { algorithm: 'none', level: 0 }, random);
    const chunks = contents.map((content) => ({ id: idOf(content), length: content.length }));
    builder.append(sealer.seal(Buffer.from(contents.join('')), chunks));
    const pack = builder.finish(name, random);
    oracle.declarePack(packIdOf(name), new Set(contents));
    for (const content of contents) this.#places.set(content, packIdOf(name));
    await this.#session.storePack(name, pack.bytes, pack.sha256, Buffer.concat(chunks.map((chunk) => chunk.id)));
  }

  async #commit(predecessor: Manifest | undefined): Promise<string> {
    const { oracle, random } = this.#tools;
    const backup = newUlid<BackupId>(this.#settings.clientNow, random);
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

function idOf(content: string): Buffer {
  return sha256(Buffer.from(content));
}

const NO_STATISTICS = { entries: 0, files: 0, directories: 0, bytes: 0, newFiles: 0, changedFiles: 0, unchangedFiles: 0, removedEntries: 0, readBytes: 0, newBytes: 0, storedBytes: 0, durationMilliseconds: 0 };

export const PLANS = ['a'.repeat(32), 'b'.repeat(32)] as unknown as readonly [PlanId, PlanId];
