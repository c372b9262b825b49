import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createSlots, rotate, writeSlots } from '../../lib/keyring/slots.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { PlanId } from '../../lib/model/ids.ts';
import { openRepository, writeConfig, writeVerdict } from '../../lib/repository/index.ts';
import type { CipherName, Manifest, Repository, VaultKeys } from '../../lib/repository/index.ts';
import { executeRemove } from '../../lib/retention/remove.ts';
import { filesSource } from '../../lib/sources/files.ts';
import type { StreamSource } from '../../lib/sources/source.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { makeKindsCases } from './kinds-cases.ts';
import { makeKeys } from './kinds-keys.ts';
import { repack } from './repack.ts';
import { RARE_FACTS, addRareEntries, changeTree, describeTree, makeTree, settleAt, words } from './source-tree.ts';
import type { ExpectedEntry } from './source-tree.ts';
import { backUp, smallConfig, streamOf } from './vector-backup.ts';

/** A row of `expected.json`; `test/vectors/README.md` says what each field is. */
export interface KindsBackup {
  readonly shows: string;
  readonly backup: string;
  readonly plan: string;
  readonly planName: string;
  readonly sequence: number;
  readonly class: string;
  readonly cipher: CipherName;
  readonly codec: string;
  readonly keyNumber: number;
  readonly refsRevision: number;
  readonly hasDelta: boolean;
  readonly standing: 'good' | 'corrupted';
  readonly entries: readonly ExpectedEntry[];
}

const plans = Object.fromEntries(['media', 'dumps', 'archive', 'gone'].map((name) => [name, { id: newHexId<PlanId>(), name }])) as Record<'media' | 'dumps' | 'archive' | 'gone', { id: PlanId; name: string }>;
const NONE = { algorithm: 'none', level: 0 } as const;

/** The second set: each kind of key slot, class, cipher, codec and tree, and packs that were moved. */
export async function makeKinds(target: string): Promise<void> {
  const store = openDirectoryStore(join(target, 'vault'));
  const config = smallConfig();
  const keys = await makeKeys(target);
  const first = await createSlots(config.repository, keys.wrappers);
  await writeSlots(store, first.slots);
  await writeConfig(store, config);
  const sealing = (opened: VaultKeys, cipher: CipherName) => openRepository(store, config, opened, { cipher });

  const backups = await backUpMedia(sealing(first.keys, 'aes-256-gcm'), sealing(first.keys, 'chacha20-poly1305'));
  const second = await rotate(config.repository, first.keys, keys.wrappers);
  await writeSlots(store, second.slots);
  const [aes, chacha] = [sealing(second.keys, 'aes-256-gcm'), sealing(second.keys, 'chacha20-poly1305')];
  backups.push(await backUpDumps(aes), await backUpArchive(chacha), await backUpCorrupted(aes));
  await removeOne(chacha);

  const slots = await keys.describe([...first.slots, ...second.slots]);
  const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');
  const opened = { chunker: hex(second.keys.chunker), pairs: second.keys.pairs.map(({ number, meta, data }) => ({ number, meta: hex(meta), data: hex(data) })) };
  const latest = backups.find(({ standing, planName }) => standing === 'good' && planName === 'archive')?.backup;
  writeFileSync(join(target, 'expected.json'), JSON.stringify({ repository: config.repository, ...slots, opened, latest, backups }, null, 1) + '\n');
  await makeKindsCases(chacha, target);
}

/** A tree, and the same tree changed: its delta is sealed with the other cipher. */
async function backUpMedia(aes: Repository, chacha: Repository): Promise<KindsBackup[]> {
  const source = filesSource([fromText('tree')]);
  const packSizes = { frameBytes: 8192, targetBytes: 8192, limitBytes: 1 << 20 };
  makeTree('tree');
  addRareEntries('tree', loadXattrs());
  const base = await backUp({ repository: aes, plan: plans.media, source, packSizes });
  const rows = [describe('several packs; a list of chunks that lies in chunks; holes, hard links, attributes, times before 1970', base, { repository: aes, codec: 'zstd', entries: withFacts(describeTree('tree')) })];
  changeTree('tree');
  rmSync('tree/holes');
  rmSync('tree/a/b');
  settleAt(['tree/a', 'tree'], 1_700_000_200);
  const delta = await backUp({ repository: chacha, plan: plans.media, source });
  rows.push(describe('a delta with tombstones over the tree before, sealed with the other cipher', delta, { repository: chacha, codec: 'zstd', entries: withFacts(describeTree('tree')) }));
  await writeVerdict(aes, { backup: base.backup, level: 'full', result: 'good', damaged: [] });
  // Found once, and proved whole later: it is good.
  await writeVerdict(aes, { backup: delta.backup, level: 'sample', result: 'corrupted', damaged: [{ name: 'packs/hot/none', problem: 'was unreadable for a day' }] });
  await writeVerdict(chacha, { backup: delta.backup, level: 'full', result: 'good', damaged: [] });
  return rows;
}

async function backUpDumps(repository: Repository): Promise<KindsBackup> {
  writeFileSync('accounts', Buffer.concat([words(50_000, 11), Buffer.from('-- dump complete\n')]));
  writeFileSync('orders', words(20_000, 12));
  const streams = [streamOf('accounts', 'accounts.sql', '-- dump complete'), streamOf('orders', 'orders.sql')];
  const manifest = await backUp({ repository, plan: plans.dumps, source: joined(streams), packClass: 'warm', compression: { algorithm: 'gzip', level: 6 } });
  const entries = ['accounts', 'orders'].flatMap((file) => describeTree(file).map(({ mtime: _, ...entry }): ExpectedEntry => ({ ...entry, path: base64(`${file}.sql`), type: 'stream', mode: 0o600 })));
  return describe('two streams', manifest, { repository, codec: 'gzip', entries });
}

/** Two roots; later its data packs were joined, then joined again, then its tree was moved. */
async function backUpArchive(repository: Repository): Promise<KindsBackup> {
  mkdirSync('config/sites', { recursive: true });
  writeFileSync('config/main.conf', words(30_000, 21));
  writeFileSync('config/sites/one.conf', words(9000, 22));
  writeFileSync('notes', words(12_000, 23));
  const manifest = await backUp({ repository, plan: plans.archive, source: filesSource([fromText('config'), fromText('notes')]), packClass: 'cold', compression: NONE, packSizes: { frameBytes: 8192, targetBytes: 16_384, limitBytes: 1 << 20 } });
  for (const packClass of ['cold', 'cold', 'meta'] as const) await repack(repository, manifest, packClass);
  const entries = ['config', 'notes'].flatMap((root) => describeTree(root).map((entry) => ({ ...entry, path: below(root, entry.path) })));
  return describe('two roots; refs revision 3 leads through packs that are gone to those that are there', manifest, { repository, codec: 'none', entries, refsRevision: 3 });
}

/** Its newest verdict says that it is not whole. What it holds opens all the same. */
async function backUpCorrupted(repository: Repository): Promise<KindsBackup> {
  writeFileSync('tree/added later', 'added later\n');
  settleAt(['tree/added later', 'tree'], 1_700_000_300);
  const manifest = await backUp({ repository, plan: plans.media, source: filesSource([fromText('tree')]) });
  await writeVerdict(repository, { backup: manifest.backup, level: 'structure', result: 'corrupted', damaged: [{ name: 'packs/hot/none', problem: 'it is missing' }] });
  return { ...describe('a verdict that nothing lifted: it never is the latest good backup', manifest, { repository, codec: 'zstd', entries: withFacts(describeTree('tree')) }), standing: 'corrupted' };
}

/** A backup that is gone, with packs that nothing names any more: readers pass them by. */
async function removeOne(repository: Repository): Promise<void> {
  writeFileSync('short-lived', words(5000, 31));
  const manifest = await backUp({ repository, plan: plans.gone, source: filesSource([fromText('short-lived')]) });
  const removals = [{ plan: manifest.plan, backup: manifest.backup, reason: 'asked for; it is good' }];
  await executeRemove({ removals, affected: [], warnings: [], refusals: [] }, repository, { who: 'vectors', why: 'to leave its packs behind' });
}

function describe(shows: string, { backup, plan, planName, sequence, tree }: Manifest, { repository, codec, entries, refsRevision = 0 }: { repository: Repository; codec: string; entries: readonly ExpectedEntry[]; refsRevision?: number }): KindsBackup {
  const packClass = { media: 'hot', dumps: 'warm', archive: 'cold' }[planName] ?? '';
  return { shows, backup, plan, planName, sequence, class: packClass, cipher: repository.cipher, codec, keyNumber: repository.keys.current, refsRevision, hasDelta: tree.delta !== null, standing: 'good', entries };
}

function joined(sources: readonly StreamSource[]): StreamSource {
  return {
    shape: 'streams',
    type: 'command',
    description: sources.map(({ description }) => description).join('; '),
    check: async () => {
      for (const source of sources) await source.check();
    },
    streams: async function* (signal) {
      for (const source of sources) yield* source.streams(signal);
    },
  };
}

function withFacts(entries: readonly ExpectedEntry[]): ExpectedEntry[] {
  return entries.map((entry) => ({ ...entry, ...RARE_FACTS[Buffer.from(entry.path, 'base64').toString()] }));
}

function loadXattrs(): (path: string, name: string, value: Buffer) => void {
  return (createRequire(import.meta.url)('fs-xattr') as { setAttributeSync(path: string, name: string, value: Buffer): void }).setAttributeSync;
}

function below(root: string, path: string): string {
  return path === '' ? base64(root) : Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'base64')]).toString('base64');
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
