import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { keyFileWrapper, parseKeyFile } from '../../../lib/keyring/key-file.ts';
import type { KeyWrapper } from '../../../lib/keyring/key-slot.ts';
import { openSlots } from '../../../lib/keyring/open-slots.ts';
import { openRepository, readConfig } from '../../../lib/repository/index.ts';
import type { Repository } from '../../../lib/repository/index.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';

/** The frozen vault of `test/vectors/v1`: real objects, the same on every machine, with the keys to seal new ones. */
export interface VectorVault {
  readonly folder: string;
  /** Names and bytes of all objects. */
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly repository: Repository;
  readonly key: KeyWrapper;
  readonly keyFile: Uint8Array;
  /** The first object below a prefix. */
  one(prefix: string): { readonly name: string; readonly bytes: Uint8Array };
}

/** Between two moments of the vault's life: nothing in a case may depend on the time of day. */
export const VECTOR_TIME = Date.UTC(2026, 0, 1);

/** A store with these objects, all stored at the same time. */
export async function storeOf(objects: ReadonlyMap<string, Uint8Array>, now = VECTOR_TIME): Promise<MemoryStore> {
  const store = new MemoryStore({ now: () => now });
  for (const [name, bytes] of objects) await store.put(name, bytes);
  return store;
}

/** `root` is the repository's root. */
export async function openVectorVault(root: string): Promise<VectorVault> {
  const folder = join(root, 'test', 'vectors', 'v1');
  const objects = new Map<string, Uint8Array>();
  for (const entry of readdirSync(join(folder, 'vault'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) objects.set(path.slice(folder.length + '/vault/'.length), new Uint8Array(readFileSync(path)));
  }
  const keyFile = new Uint8Array(readFileSync(join(folder, 'holdfast.key')));
  const key = keyFileWrapper(parseKeyFile(Buffer.from(keyFile).toString('latin1'), 'holdfast.key'), 'holdfast.key');
  const store = await storeOf(objects);
  const config = await readConfig(store);
  const repository = openRepository(store, config, await openSlots(store, config.repository, key));
  const one = (prefix: string) => {
    const [name, bytes] = [...objects].find(([candidate]) => candidate.startsWith(prefix)) ?? [];
    if (name === undefined || bytes === undefined) throw new Error(`The vector vault holds nothing below ${prefix}`);
    return { name, bytes };
  };
  return { folder, objects, repository, key, keyFile, one };
}
