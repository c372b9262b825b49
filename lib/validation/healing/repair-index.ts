import { newUlid } from '../../model/ids.ts';
import { names, sealIndex, sha256 } from '../../repository/index.ts';
import type { Repository } from '../../repository/index.ts';
import { throwIfInterrupted } from '../problem.ts';
import type { HealingProgress } from './heal.ts';
import type { IndexPlan, UnclaimedPack } from './index-plan.ts';

export interface IndexRepairOptions {
  readonly random?: (size: number) => Uint8Array;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: HealingProgress) => void;
}

export interface IndexRepair {
  /** Names of the new index objects. */
  readonly written: readonly string[];
  readonly superseded: number;
  readonly packs: number;
  readonly chunks: number;
}

/**
 * Writes the planned index objects, new ones beside the old (format §6): what does not open is stood for, and prune takes
 * it away. Killed anywhere and run again it goes on. Needs the meta key alone; packs that no backup lists are read once,
 * for their digest.
 */
export async function executeIndexRepair({ objects }: IndexPlan, repository: Repository, options: IndexRepairOptions = {}): Promise<IndexRepair> {
  const { store, keys, cipher } = repository;
  const run = newUlid(await store.now(), options.random);
  const tell = progressOf(objects.flatMap(({ packs }) => packs), options);
  const written: string[] = [];
  const numbers = new Map<string, number>();
  for (const { writer, supersedes, packs } of objects) {
    const described: { name: string; size: number; sha256: string; keyNumber: number; ids: Uint8Array }[] = [];
    for (const pack of packs) {
      throwIfInterrupted(options.signal);
      const { name, size } = pack.pack;
      described.push({ name, size, sha256: pack.known?.sha256 ?? sha256(await store.get(name)).toString('hex'), keyNumber: keys.current, ids: pack.ids as Uint8Array });
      tell(pack);
    }
    const number = numbers.get(writer) ?? 0;
    numbers.set(writer, number + 1);
    const name = names.index(writer, run, number);
    await store.put(name, sealIndex(keys, name, { supersedes, packs: described }, cipher, options.random));
    written.push(name);
  }
  return { written, superseded: objects.reduce((sum, { supersedes }) => sum + supersedes.length, 0), packs: objects.reduce((sum, { packs }) => sum + packs.length, 0), chunks: objects.reduce((sum, { chunks }) => sum + chunks, 0) };
}

function progressOf(all: readonly UnclaimedPack[], { onProgress }: IndexRepairOptions): (pack: UnclaimedPack) => void {
  const totalBytes = all.reduce((sum, { pack }) => sum + pack.size, 0);
  let bytes = 0;
  let packs = 0;
  return ({ pack }) => {
    bytes += pack.size;
    packs++;
    onProgress?.({ phase: 'healing', packs, totalPacks: all.length, bytes, totalBytes });
  };
}
