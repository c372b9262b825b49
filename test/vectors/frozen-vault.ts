import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readKeyFile } from '../../lib/keyring/key-file.ts';
import type { Unlocker } from '../../lib/keyring/key-slot.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { passphraseWrapper } from '../../lib/keyring/passphrase.ts';
import { toBytes } from '../../lib/model/byte-string.ts';
import { readContent } from '../../lib/recovery/read-content.ts';
import { ENTRY, FLAG, SnapshotReader, directoryOf, isSnapshotFile, listSnapshots, openIndex, openJson, openRepository, readConfig } from '../../lib/repository/index.ts';
import type { Repository, SnapshotEntry, Xattr } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { ExpectedKey } from '../../scripts/vectors/kinds-keys.ts';
import type { MustFail, Patch } from '../../scripts/vectors/must-fail.ts';
import type { ExpectedEntry } from '../../scripts/vectors/source-tree.ts';

export interface ExpectedBackup {
  readonly backup: string;
  readonly plan: string;
  readonly cipher: string;
  readonly keyNumber: number;
  readonly entries: readonly ExpectedEntry[];
}

/** One set of vectors below this folder: a vault that is never written again, and what to expect of it. */
export class FrozenVault {
  readonly folder: string;
  readonly expected: { readonly repository: string; readonly passphrase?: string; readonly keys?: readonly ExpectedKey[]; readonly backups: readonly ExpectedBackup[] };
  readonly mustFail: readonly MustFail[];
  readonly #stored: ReadonlyMap<string, Buffer>;

  constructor(set: string) {
    this.folder = join(__dirname, set);
    this.expected = this.json('expected.json') as FrozenVault['expected'];
    this.mustFail = this.json('must-fail.json') as MustFail[];
    this.#stored = readFolder(join(this.folder, 'vault'), '');
  }

  json(name: string): unknown {
    return JSON.parse(readFileSync(join(this.folder, name), 'utf8'));
  }

  /** A checkout makes files that others may read; such a key file is refused. */
  copyKey(file: string, to: string): string {
    const copy = join(to, file);
    copyFileSync(join(this.folder, file), copy);
    chmodSync(copy, 0o600);
    return copy;
  }

  async store(patches: readonly Patch[] = []): Promise<MemoryStore> {
    const store = new MemoryStore({ now: () => 1_700_000_000_000 });
    for (const [name, bytes] of this.objects(patches)) await store.put(name, bytes);
    return store;
  }

  /** The same as a folder. */
  write(to: string, patches: readonly Patch[] = []): string {
    for (const [name, bytes] of this.objects(patches)) {
      mkdirSync(dirname(join(to, name)), { recursive: true });
      writeFileSync(join(to, name), bytes);
    }
    return to;
  }

  objects(patches: readonly Patch[]): Map<string, Buffer> {
    const objects = new Map(this.#stored);
    for (const patch of patches) this.#apply(objects, patch);
    return objects;
  }

  #apply(objects: Map<string, Buffer>, patch: Patch): void {
    const before = this.#stored.get(patch.object) ?? Buffer.alloc(0);
    if ('remove' in patch) return void objects.delete(patch.object);
    if ('bytes' in patch) return void objects.set(patch.object, Buffer.from(patch.bytes, 'base64'));
    if ('contentOf' in patch) return void objects.set(patch.object, this.#stored.get(patch.contentOf) as Buffer);
    if ('truncate' in patch) return void objects.set(patch.object, before.subarray(0, patch.truncate));
    if ('json' in patch) return void objects.set(patch.object, Buffer.from(JSON.stringify({ ...(JSON.parse(before.toString()) as object), ...patch.json })));
    const flipped = Buffer.from(before);
    flipped[patch.flip] = (flipped[patch.flip] as number) ^ 1;
    objects.set(patch.object, flipped);
  }
}

/** The key of a row of `expected.json`; key files from their copies in `folder`. */
export async function unlockerOf(vectors: FrozenVault, { kind, file = '', passphrase = '', keyEncryptionKey = '', scope }: ExpectedKey, folder: string): Promise<Unlocker> {
  if (kind === 'key-file') return readKeyFile(vectors.copyKey(file, folder));
  if (kind === 'passphrase') return passphraseWrapper(passphrase);
  return { kind, keyEncryptionKey: async ({ kdf }) => (kdf?.name === 'kms' && kdf.scope === scope ? Buffer.from(keyEncryptionKey, 'hex') : undefined) };
}

export async function openFrozen(store: MemoryStore, key: Unlocker): Promise<Repository> {
  const config = await readConfig(store);
  return openRepository(store, config, await openSlots(store, config.repository, key));
}

/** Reads all that a vault holds, object by object and backup by backup, and believes nothing. */
export async function readEverything(store: MemoryStore, key: Unlocker): Promise<void> {
  const repository = await openFrozen(store, key);
  for await (const { name } of store.list('')) {
    const bytes = await store.get(name);
    if (name.startsWith('packs/')) directoryOf(repository.keys, name, bytes);
    if (name.startsWith('index/')) openIndex(repository.keys, name, bytes);
    if (name.startsWith('verdicts/')) openJson(repository.keys, 'verdict', name, bytes);
  }
  await readBackups(repository);
}

export async function readBackups(repository: Repository): Promise<void> {
  for (const { name } of await listSnapshots(repository.store)) await describeBackup(await SnapshotReader.open(repository, name));
}

/** Every entry as `expected.json` has it. */
export async function describeBackup(reader: SnapshotReader): Promise<ExpectedEntry[]> {
  const found: ExpectedEntry[] = [];
  const groups = new Map<string, number>();
  for await (const entry of reader.entries()) {
    const common = { path: toBytes(entry.path).toString('base64'), mode: entry.mode, mtime: `${entry.mtimeSeconds}.${String(entry.mtimeNanoseconds).padStart(9, '0')}`, ...attributesOf(entry) };
    if (!isSnapshotFile(entry)) found.push({ ...common, ...describeOther(entry) });
    else {
      const hash = createHash('sha256');
      for await (const bytes of readContent(reader, entry)) hash.update(bytes);
      const group = entry.linkGroup && Buffer.from(entry.linkGroup).toString('hex');
      if (group !== undefined && !groups.has(group)) groups.set(group, groups.size + 1);
      const link = group === undefined ? {} : { link: groups.get(group) as number };
      found.push({ ...common, type: entry.type === ENTRY.stream ? 'stream' : 'file', size: entry.size, sha256: hash.digest('hex'), ...link, ...(entry.flags & FLAG.sparse && { sparse: true as const }) });
    }
  }
  return found.sort(byPath);
}

/** Streams have the time at which they were read; the vectors do not know it. Numbers of links are only the same within one list. */
export function comparable(entries: readonly ExpectedEntry[]): object[] {
  return [...entries].sort(byPath).map(({ link: _, mtime, ...rest }) => (rest.type === 'stream' ? rest : { ...rest, mtime }));
}

/** Paths of each hard-linked file, in groups. */
export function linkGroups(entries: readonly ExpectedEntry[]): string[][] {
  const linked = [...entries].sort(byPath).filter(({ link }) => link !== undefined);
  return [...Map.groupBy(linked, ({ link }) => link).values()].map((group) => group.map(({ path }) => path));
}

function attributesOf(entry: SnapshotEntry): Pick<ExpectedEntry, 'xattrs'> {
  const xattrs = ('xattrs' in entry ? entry.xattrs : undefined) as readonly Xattr[] | undefined;
  return xattrs ? { xattrs: xattrs.map(({ name, value }) => ({ name: toBytes(name).toString('base64'), value: Buffer.from(value).toString('base64') })) } : {};
}

function describeOther(entry: SnapshotEntry): Pick<ExpectedEntry, 'type' | 'target'> {
  if (entry.type === ENTRY.symlink) return { type: 'symlink', target: toBytes(entry.target).toString('base64') };
  return { type: entry.type === ENTRY.directory ? 'directory' : 'fifo' };
}

function byPath(left: ExpectedEntry, right: ExpectedEntry): number {
  return Buffer.from(left.path, 'base64').compare(Buffer.from(right.path, 'base64'));
}

function readFolder(root: string, prefix: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of readdirSync(join(root, prefix), { withFileTypes: true })) {
    const name = `${prefix}${entry.name}`;
    if (entry.isFile()) found.set(name, readFileSync(join(root, name)));
    else for (const [inner, bytes] of readFolder(root, `${name}/`)) found.set(inner, bytes);
  }
  return found;
}
