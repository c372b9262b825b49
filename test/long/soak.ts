import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { runBackup } from '../../lib/backup/run-backup.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { keyFileWrapper } from '../../lib/keyring/key-file.ts';
import { addSlot, writeSlots } from '../../lib/keyring/slots.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { PlanId, RepositoryId, WriterId } from '../../lib/model/ids.ts';
import { executeRestore, outcomeOf, planRestore } from '../../lib/recovery/restore.ts';
import { CHUNKER_SIZES, FORMAT_VERSION, SnapshotReader, listSnapshots, names, openRepository, writeConfig } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { executePrune } from '../../lib/retention/prune.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../lib/retention/prune-state.ts';
import { planRemove } from '../../lib/retention/remove-plan.ts';
import { executeRemove } from '../../lib/retention/remove.ts';
import { DEFAULT_TREE_OPTIONS, filesSource } from '../../lib/sources/files.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { verify } from '../../lib/validation/verify.ts';
import { SeededRandom } from '../simulation/dice.ts';
import type { OpenSuite } from './long-suite.ts';

const KEYS = { pairs: [{ number: 1, meta: new Uint8Array(32).fill(1), data: new Uint8Array(32).fill(2) }], chunker: new Uint8Array(32).fill(3) };
const CONFIG = { format: FORMAT_VERSION, repository: '12'.repeat(16) as RepositoryId, chunker: CHUNKER_SIZES };
const PLAN = { id: 'ab'.repeat(16) as PlanId, name: 'soak' };
const WRITER = { id: 'cd'.repeat(16) as WriterId, host: 'soak' };
const DAY = 86_400_000;
const KEPT = 4;
/** Rounds until everything that is made once has been made. */
const WARM_UP = 20;
/** A process that leaks a buffer or a descriptor in each round is far beyond this after some hundred of them. */
const MAX_GROWTH_BYTES = 96 << 20;
const MAX_MORE_DESCRIPTORS = 16;

/**
 * One process that backs up, verifies, restores, removes and prunes a changing folder for ever, a day in each round:
 * it must not come to hold more memory, descriptors or files than it held after its first rounds.
 */
export function openSoak(): Promise<OpenSuite> {
  const soak = new Soak(mkdtempSync(join(tmpdir(), 'holdfast-soak-')));
  return Promise.resolve({ tell: (seed) => soak.round(seed), close: async () => soak.end() });
}

class Soak {
  readonly #folder: string;
  readonly #repository: Repository;
  #rounds = 0;
  #held: { readonly bytes: number; readonly descriptors: number } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, 'source'));
    this.#repository = openRepository(this.#store(), CONFIG, KEYS);
  }

  async round(seed: number): Promise<void> {
    if (this.#rounds++ === 0) await this.#begin();
    this.#change(new SeededRandom(seed, 'soak'));
    const { manifest } = await runBackup(
      { repository: this.#repository, writer: WRITER, plan: PLAN, type: 'incremental', packClass: 'hot', compression: { algorithm: 'zstd', level: 3 }, threads: 1, source: filesSource([fromText(join(this.#folder, 'source'))], DEFAULT_TREE_OPTIONS) },
      { clock: systemClock, startThread: (settings) => new Worker(join(import.meta.dirname, '..', '..', 'lib', 'engine', 'worker.ts'), { workerData: settings }), signal: new AbortController().signal },
    );
    const { damage } = await verify(this.#repository, { level: 'full', clock: systemClock });
    if (damage.length > 0) throw new Error(`round ${this.#rounds}: verify finds ${JSON.stringify(damage)}`);
    await this.#restore(names.snapshot(manifest.plan, manifest.backup));
    await this.#removeOldest();
    await executePrune(planPrune(await readPruneState(this.#repository.store, this.#repository)), this.#repository.store, { clock: systemClock, concurrency: 2 });
    this.#weigh();
  }

  async #begin(): Promise<void> {
    await writeSlots(this.#repository.store, await addSlot(CONFIG.repository, KEYS, keyFileWrapper(new Uint8Array(32).fill(4), 'soak')));
    await writeConfig(this.#repository.store, CONFIG);
  }

  end(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A day passes in each round, by the clock that prune goes by. */
  #store(): Store {
    const directory = openDirectoryStore(join(this.#folder, 'vault'));
    const ahead = () => this.#rounds * DAY;
    return {
      description: directory.description, put: (...given) => directory.put(...given), get: (...given) => directory.get(...given), remove: (name) => directory.remove(name),
      stat: async (name) => directory.stat(name), list: (...given) => directory.list(...given), now: async () => (await directory.now()) + ahead(),
    };
  }

  #change(dice: SeededRandom): void {
    for (let left = 1 + dice.pick(20); left > 0; left--) writeFileSync(join(this.#folder, 'source', `file ${dice.pick(100)}`), dice.bytes(dice.pick(20_000)));
  }

  async #restore(snapshot: string): Promise<void> {
    const target = join(this.#folder, 'restored');
    const reader = await SnapshotReader.open(this.#repository, snapshot);
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, restoreOwner: false });
    rmSync(target, { recursive: true, force: true });
    const failure = outcomeOf(report);
    if (failure) throw new Error(`round ${this.#rounds}: ${JSON.stringify(failure)}`);
  }

  async #removeOldest(): Promise<void> {
    const candidates = (await listSnapshots(this.#repository.store)).map(({ name, storedAt }) => ({ plan: name.split('/')[1] as string, planName: PLAN.name, backup: name.split('/')[2] as string, storedAt, standing: 'good' as const }));
    const oldest = candidates.sort((a, b) => a.storedAt - b.storedAt)[0];
    if (!oldest || candidates.length <= KEPT) return;
    await executeRemove(planRemove({ ids: [oldest.backup], force: false }, candidates, []), this.#repository, { who: 'soak', why: 'only so many are kept' });
  }

  #weigh(): void {
    const held = { bytes: process.memoryUsage.rss(), descriptors: readdirSync('/proc/self/fd').length };
    if (this.#rounds === WARM_UP) this.#held = held;
    if (!this.#held) return;
    if (held.bytes - this.#held.bytes > MAX_GROWTH_BYTES) throw new Error(`round ${this.#rounds}: the process holds ${held.bytes} bytes, after ${WARM_UP} rounds it held ${this.#held.bytes}`);
    if (held.descriptors - this.#held.descriptors > MAX_MORE_DESCRIPTORS) throw new Error(`round ${this.#rounds}: ${held.descriptors} descriptors are open, after ${WARM_UP} rounds there were ${this.#held.descriptors}`);
    const temporary = readdirSync(join(this.#folder, 'vault', 'tmp')).length;
    if (temporary > MAX_MORE_DESCRIPTORS) throw new Error(`round ${this.#rounds}: ${temporary} temporary files lie in the vault`);
  }
}
