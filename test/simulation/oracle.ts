import { COMMIT_WINDOW_MS, packIdOf } from '../../lib/repository/index.ts';
import type { MemoryStore } from '../../lib/stores/memory-store.ts';
import { keyOf } from '../../lib/retention/prune-state.ts';

/** What one backup holds, as its writer knows it when it commits. */
export interface Draft {
  /** Content id → pack id. */
  readonly places: ReadonlyMap<string, string>;
  readonly packs: ReadonlySet<string>;
}

interface KnownSnapshot extends Draft {
  readonly isVoid: boolean;
}

/**
 * Knows what the actors cannot: the true state of the vault and the true time of every look. It judges after every write
 * and delete; nothing of the product's own judgement goes into it.
 */
export class Oracle {
  failure: string | undefined;
  /** A void snapshot is there, or was. */
  hadVoid = false;
  /** Backups by id, until they are removed. */
  readonly snapshots = new Map<string, KnownSnapshot>();
  readonly #drafts = new Map<string, Draft>();
  readonly #contents = new Map<string, ReadonlySet<string>>();
  readonly #packs = new Set<string>();
  readonly #names = new Set<string>();
  readonly #lastNow = new Map<string, number>();
  readonly #look = new Map<string, number>();

  fail(why: string): void {
    this.failure ??= why;
  }

  /** Goes on from where another one ended. */
  remember(past: Oracle): void {
    for (const [backup, snapshot] of past.snapshots) this.snapshots.set(backup, snapshot);
    for (const [pack, contents] of past.#contents) this.#contents.set(pack, contents);
    for (const pack of past.#packs) this.#packs.add(pack);
    for (const name of past.#names) this.#names.add(name);
  }

  /** A writer says what a pack of its own holds. */
  declarePack(packId: string, contents: ReadonlySet<string>): void {
    this.#contents.set(packId, contents);
  }

  declareBackup(backup: string, draft: Draft): void {
    this.#drafts.set(backup, draft);
  }

  onNow(actor: string, now: number): void {
    this.#lastNow.set(actor, now);
  }

  onList(actor: string, prefix: string): void {
    if (prefix === 'condemned/') this.#look.set(actor, this.#lastNow.get(actor) ?? -Infinity);
  }

  onPut(actor: string, name: string, now: number): void {
    this.#names.add(name);
    if (name.startsWith('packs/')) this.#packs.add(packIdOf(name));
    if (name.startsWith('removed/')) this.snapshots.delete(backupOf(name));
    if (name.startsWith('snapshots/')) this.#onSnapshot(actor, name, now);
  }

  onRemove(actor: string, name: string): void {
    this.#names.delete(name);
    if (name.startsWith('packs/')) {
      this.#packs.delete(packIdOf(name));
      for (const [backup, snapshot] of this.snapshots) {
        if (!snapshot.isVoid && snapshot.packs.has(packIdOf(name))) this.fail(`${actor} deleted the pack ${packIdOf(name)}, which the valid backup ${backup} needs`);
      }
    }
    const victim = /^(snapshots|refs)\//.test(name) ? this.snapshots.get(backupOf(name)) : undefined;
    if (victim && !victim.isVoid) this.fail(`${actor} deleted ${name} of a valid backup that nobody removed`);
  }

  #onSnapshot(actor: string, name: string, now: number): void {
    const backup = backupOf(name);
    const draft = this.#drafts.get(backup);
    if (!draft || this.#names.has(`removed/${keyOf(name)}`)) return;
    const isVoid = now - (this.#look.get(actor) ?? -Infinity) > COMMIT_WINDOW_MS;
    this.snapshots.set(backup, { ...draft, isVoid });
    this.hadVoid ||= isVoid;
    if (isVoid) return;
    if (!this.#names.has(`refs/${keyOf(name)}.0`)) this.fail(`the snapshot of ${backup} is there before its refs`);
    for (const pack of draft.packs) if (!this.#packs.has(pack)) this.fail(`the valid backup ${backup} needs the pack ${pack}, which is gone`);
    for (const [content, pack] of draft.places) if (this.#contents.get(pack)?.has(content) === false) this.fail(`the story is wrong: ${pack} does not hold ${content}`);
  }

  /** After the end: nothing stays that nothing needs. */
  async findGarbage(store: MemoryStore): Promise<string[]> {
    const needed = new Set([...this.snapshots.values()].flatMap((snapshot) => [...snapshot.packs]));
    const packs = await Array.fromAsync(store.list('packs/'));
    return packs.map((pack) => packIdOf(pack.name)).filter((id) => !needed.has(id));
  }
}

function backupOf(name: string): string {
  return keyOf(name).slice(keyOf(name).indexOf('/') + 1);
}
