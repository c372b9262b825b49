import { directoryOf, packIdOf } from '../../../lib/repository/index.ts';
import type { Refs, Repository } from '../../../lib/repository/index.ts';
import { keyOf } from '../../../lib/retention/prune-state.ts';
import type { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { Oracle } from '../oracle.ts';
import type { Draft } from '../oracle.ts';
import { idOf } from '../pack-shelf.ts';
import type { Wounds } from './wounds.ts';

/** What a run says of its backup when it commits. `places` has its tree, too, by the id of the chunk. */
export interface RunDraft extends Draft {
  readonly tree: string;
  /** Packs that were recorded as damaged before this run began. */
  readonly knownDamage: ReadonlySet<string>;
}

/** What is true of one backup, whatever anybody says. */
export interface Truth {
  readonly isVoid: boolean;
  /** Contents that cannot be read any more; empty when all is well. */
  readonly lost: readonly string[];
  /** Of those, what lies in packs that its newest list names, by that pack. */
  readonly lostIn: ReadonlySet<string>;
  /** Every pack that its newest list names is as it was written. */
  readonly isUntouched: boolean;
  /** The tree that it was committed with was never damaged. */
  readonly hasTree: boolean;
}

/** Knows besides what was damaged, what was moved to other packs, and so what of each backup can be read. */
export class LifeOracle extends Oracle {
  /** Greatest key number that has a slot. */
  newestKey = 0;
  readonly #recorded = new Set<string>();
  readonly #runs = new Map<string, RunDraft>();
  readonly #refs = new Map<string, Refs>();
  readonly #held = new Map<string, ReadonlySet<string>>();
  readonly #wounds: Wounds;

  constructor(wounds: Wounds) {
    super();
    this.#wounds = wounds;
  }

  recordedDamage(): ReadonlySet<string> {
    return new Set(this.#recorded);
  }

  override declarePack(packId: string, contents: ReadonlySet<string>): void {
    this.#held.set(packId, contents);
    super.declarePack(packId, contents);
  }

  declareRun(backup: string, draft: RunDraft): void {
    this.#runs.set(backup, draft);
    this.declareBackup(backup, draft);
  }

  override onPut(actor: string, name: string, now: number, bytes: Uint8Array | readonly Uint8Array[] = []): void {
    if (name.startsWith('keys/')) this.newestKey = Math.max(this.newestKey, Number(name.split('/')[1]));
    if (name.startsWith('damaged/')) this.#recorded.add(packIdOf(name));
    if (name.startsWith('refs/')) this.#onRefs(actor, name, JSON.parse(Buffer.concat(bytes instanceof Uint8Array ? [bytes] : bytes).toString()) as Refs);
    super.onPut(actor, name, now);
  }

  /** The newest list counts: what a backup needs is what that names. */
  #onRefs(actor: string, name: string, refs: Refs): void {
    const backup = keyOf(name).slice(keyOf(name).indexOf('/') + 1);
    const packs = new Set(refs.packs.map((pack) => packIdOf(pack.name)));
    const run = this.#runs.get(backup);
    if (refs.revision === 0 && run) {
      for (const pack of packs) if (run.knownDamage.has(pack)) this.fail(`${actor} relies on the pack ${pack}, which was recorded as damaged before its run began`);
      this.declareBackup(backup, { ...run, packs });
    }
    if (refs.revision >= (this.#refs.get(backup)?.revision ?? 0)) this.#refs.set(backup, refs);
    const known = this.snapshots.get(backup);
    if (known) this.snapshots.set(backup, { ...known, packs });
  }

  /** By backup, of all that were not removed. */
  async truth(vault: MemoryStore, repository: Repository): Promise<Map<string, Truth>> {
    const listed = new Map<string, string>();
    for await (const { name } of vault.list('packs/')) listed.set(packIdOf(name), name);
    const isWhole = (pack: string) => listed.has(pack) && !this.#wounds.isFlipped(listed.get(pack) as string);
    const truths = new Map<string, Truth>();
    for (const [backup, { isVoid, places }] of this.snapshots) {
      const lost: string[] = [];
      const lostIn = new Set<string>();
      for (const [content, pack] of places) {
        const at = this.#follow(backup, pack);
        if (isWhole(at) && (await this.#holds(vault, repository, listed.get(at) as string, content))) continue;
        lost.push(content);
        lostIn.add(at);
      }
      const tree = this.#runs.get(backup)?.tree ?? '';
      const packs = this.#refs.get(backup)?.packs ?? [];
      truths.set(backup, { isVoid, lost, lostIn, isUntouched: packs.every(({ name }) => isWhole(packIdOf(name))), hasTree: isWhole(places.get(tree) ?? '') });
    }
    return truths;
  }

  #follow(backup: string, pack: string): string {
    const replaced = new Map(this.#refs.get(backup)?.replaced.map((pair) => [pair.old, pair.new]));
    let id = pack;
    for (let hops = 0; hops < 64 && replaced.has(id); hops++) id = replaced.get(id) as string;
    return id;
  }

  /** Of a pack that no run declared, a healed one, its directory says it: it was decoded when it was built. */
  async #holds(vault: MemoryStore, { keys }: Repository, name: string, content: string): Promise<boolean> {
    const declared = this.#held.get(packIdOf(name));
    if (declared) return declared.has(content);
    const id = /^[0-9a-f]{64}$/.test(content) ? content : idOf(content).toString('hex');
    return directoryOf(keys, name, await vault.get(name)).frames.some(({ chunks }) => chunks.some((chunk) => Buffer.from(chunk.id).toString('hex') === id));
  }
}
