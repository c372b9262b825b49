import type { Store } from '../stores/store.ts';
import { damaged } from './format.ts';
import { names, packIdOf } from './names.ts';
import { parseJson } from './sealed-object.ts';

/** Ids of packs that someone found damaged (format §9): writers treat them as absent. */
export async function readDamagedPacks(store: Pick<Store, 'list'>): Promise<Set<string>> {
  return new Set((await readDamageTimes(store)).keys());
}

/** The same, with the store's time of each record. */
export async function readDamageTimes(store: Pick<Store, 'list'>): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for await (const { name, storedAt } of store.list('damaged/')) times.set(packIdOf(name), storedAt);
  return times;
}

/** Name of the pack that a record is about. */
export function decodeDamage(stored: Uint8Array, name: string): string {
  const { pack } = (parseJson(stored, name) ?? {}) as { pack?: unknown };
  if (typeof pack === 'string') return pack;
  throw damaged(`${name} does not say which pack it is about`);
}

/** Records once that a pack is not what was written; the next backup stores its chunks anew. */
export async function recordDamage(store: Pick<Store, 'put'>, packName: string, seen: string): Promise<void> {
  const bytes = Buffer.from(JSON.stringify({ pack: packName, seen }) + '\n');
  await store.put(names.damaged(packIdOf(packName)), bytes).catch((error: { code?: string }) => {
    // Recorded before with other words: the fact stands already.
    if (error.code !== 'already-exists') throw error;
  });
}
