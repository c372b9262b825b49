import { PACK_SIZES, PackBuilder, directoryOf, encodeRefs, names, packIdOf, readRefs, sha256, signRefs } from '../../lib/repository/index.ts';
import type { Manifest, PackClass, Refs, Repository } from '../../lib/repository/index.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { PackId } from '../../lib/model/ids.ts';

/**
 * Joins all packs of one class that a backup needs into one new pack, sealed frames byte for byte, and stores the next
 * revision of its refs (format §4, §8, §12). The old packs go: no other backup may need them.
 */
export async function repack(repository: Repository, manifest: Manifest, packClass: PackClass): Promise<void> {
  const { store, keys, cipher } = repository;
  const refs = await readRefs(repository, manifest);
  const old = refs.packs.filter(({ name }) => name.startsWith(`packs/${packClass}/`));
  const builder = new PackBuilder(keys, cipher, new Uint8Array(PACK_SIZES.limitBytes));
  for (const { name } of old) {
    const bytes = await store.get(name);
    builder.absorb(directoryOf(keys, name, bytes).frames, bytes);
  }
  const { name, bytes } = builder.finish(names.pack(packClass, manifest.writer, newHexId<PackId>()));
  await store.put(name, bytes);
  const revision = refs.revision + 1;
  const { mac: _, ...before } = refs;
  const next: Refs = {
    ...before,
    revision,
    packs: [...refs.packs.filter((pack) => !old.includes(pack)), { name, size: bytes.length, sha256: sha256(bytes).toString('hex') }],
    replaced: [...refs.replaced, ...old.map((pack) => ({ old: packIdOf(pack.name), new: packIdOf(name) }))],
  };
  const refsName = names.refs(manifest.plan, manifest.backup, revision);
  await store.put(refsName, encodeRefs(signRefs(keys, refsName, next)));
  for (const pack of old) await store.remove(pack.name);
}
