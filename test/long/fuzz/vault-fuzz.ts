import { join } from 'node:path';
import { Writable } from 'node:stream';
import { findPredecessor } from '../../../lib/backup/predecessor.ts';
import { SqliteCatalog } from '../../../lib/catalog/sqlite-catalog.ts';
import { openSlots } from '../../../lib/keyring/open-slots.ts';
import { fromText } from '../../../lib/model/byte-string.ts';
import { isHoldfastError } from '../../../lib/model/errors.ts';
import type { ErrorCode } from '../../../lib/model/errors.ts';
import type { PlanId, RunId, WriterId } from '../../../lib/model/ids.ts';
import { systemProcesses } from '../../../lib/model/process-owner.ts';
import { planExport } from '../../../lib/recovery/export/export-plan.ts';
import { performExport } from '../../../lib/recovery/export/perform-export.ts';
import { BackupSession, ChunkReader, SnapshotReader, isSnapshotFile, listSnapshots, openRepository, readConfig } from '../../../lib/repository/index.ts';
import type { Repository } from '../../../lib/repository/index.ts';
import { planPrune } from '../../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../../lib/retention/prune-state.ts';
import { executePrune } from '../../../lib/retention/prune.ts';
import { planIndexes, readIndexState } from '../../../lib/validation/healing/index-plan.ts';
import { executeIndexRepair } from '../../../lib/validation/healing/repair-index.ts';
import { healVault } from '../../../lib/validation/healing/heal-vault.ts';
import { rebuildCatalog } from '../../../lib/validation/rebuild-catalog.ts';
import { verifyWithin } from '../../../lib/validation/verify-within.ts';
import { verify } from '../../../lib/validation/verify.ts';
import { SeededRandom } from '../../simulation/dice.ts';
import type { OpenSuite } from '../long-suite.ts';
import { VaultForger } from './vault-forger.ts';
import { VECTOR_TIME, openVectorVault, storeOf } from './vector-vault.ts';
import type { VectorVault } from './vector-vault.ts';

const DAY = 86_400_000;
const catalog = new SqliteCatalog(':memory:');
const clock = { now: () => VECTOR_TIME };

/** One thing that is done with a vault, and how it may refuse: never by an error that is not Holdfast's. */
interface Deed {
  readonly name: string;
  readonly codes: readonly ErrorCode[];
  do(repository: Repository, vault: VectorVault): Promise<unknown>;
}

const ABOUT_THE_VAULT: readonly ErrorCode[] = ['damaged', 'wrong-key', 'unsupported-version'];

const DEEDS: readonly Deed[] = [
  // Damage is reported, never thrown: what is thrown is about the vault as a whole, or about keys.
  { name: 'verify --level structure', codes: ['wrong-key', 'unsupported-version', 'vault-not-found'], do: (repository, { key }) => verify(repository, { level: 'structure', clock, unlocker: key }) },
  { name: 'verify --level full', codes: ['wrong-key', 'unsupported-version', 'vault-not-found'], do: (repository, { key }) => verify(repository, { level: 'full', clock, unlocker: key }) },
  { name: 'verify --within', codes: ['wrong-key', 'unsupported-version', 'vault-not-found'], do: (repository) => verifyWithin(repository, { withinDays: 1, clock }) },
  { name: 'catalog rebuild', codes: ABOUT_THE_VAULT, do: (repository) => rebuildCatalog(repository, catalog) },
  { name: 'prune', codes: ABOUT_THE_VAULT, do: (repository) => prune(repository, repository) },
  { name: 'prune without a key', codes: ABOUT_THE_VAULT, do: (repository) => prune(repository, undefined) },
  { name: 'repair packs', codes: [...ABOUT_THE_VAULT, 'stale'], do: (repository) => healVault(repository) },
  { name: 'repair index', codes: ABOUT_THE_VAULT, do: repairIndex },
  { name: 'export', codes: [...ABOUT_THE_VAULT, 'not-found', 'usage'], do: exportEverything },
  { name: 'restore', codes: [...ABOUT_THE_VAULT, 'not-found'], do: readEverything },
  { name: 'backup', codes: ABOUT_THE_VAULT, do: beginBackup },
];

/** One case: a real vault with an object or two that are not what they should be, and something that is done with it. */
export async function openVaultFuzz(): Promise<OpenSuite> {
  const vault = await openVectorVault(join(import.meta.dirname, '..', '..', '..'));
  const forger = new VaultForger(vault);
  return { tell: (seed) => tell(vault, forger, seed) };
}

async function tell(vault: VectorVault, forger: VaultForger, seed: number): Promise<void> {
  const dice = new SeededRandom(seed, 'vault');
  const { objects, changes } = forger.forge(dice);
  const deed = dice.from(DEEDS);
  let codes = [...ABOUT_THE_VAULT, 'vault-not-found'];
  try {
    const repository = await open(vault, objects);
    codes = [...deed.codes];
    await deed.do(repository, vault);
  } catch (error) {
    if (isHoldfastError(error) && codes.includes(error.code)) return;
    throw new Error(`${deed.name} of a vault with ${changes.join(' and ')}: ${error instanceof Error ? error.stack : String(error)}`, { cause: error });
  }
}

async function open({ key }: VectorVault, objects: ReadonlyMap<string, Uint8Array>): Promise<Repository> {
  const store = await storeOf(objects, VECTOR_TIME);
  const config = await readConfig(store);
  return openRepository(store, config, await openSlots(store, config.repository, key));
}

async function prune(repository: Repository, opened: Repository | undefined): Promise<void> {
  const store = { ...repository.store, ...bound(repository), now: async () => VECTOR_TIME + 3 * DAY };
  const plan = planPrune(await readPruneState(store, opened && { ...opened, store }));
  if (plan.blockers.length === 0) await executePrune(plan, store, { clock, concurrency: 2 });
}

function bound({ store }: Repository): Repository['store'] {
  return { description: store.description, put: (...given) => store.put(...given), get: (...given) => store.get(...given), stat: (name) => store.stat(name), list: (...given) => store.list(...given), remove: (name) => store.remove(name), now: () => store.now() };
}

/** All that a restore reads, backup by backup; one that is refused does not keep the others from being read. */
async function readEverything(repository: Repository): Promise<void> {
  for (const { name } of await listSnapshots(repository.store)) {
    const reader = await SnapshotReader.open(repository, name);
    const chunks = new ChunkReader(repository.store, repository.keys, 'frame', async (pack) => (await repository.store.stat(pack)).size);
    for await (const entry of reader.entries()) {
      if (!isSnapshotFile(entry)) continue;
      for (const { id, packId } of await reader.chunksOf(entry)) await chunks.read(reader.pack(packId).name, id);
    }
  }
}

async function repairIndex(repository: Repository): Promise<void> {
  await executeIndexRepair(planIndexes(await readIndexState(repository)), repository);
}

const FOLDER = '/exports';

/** Every backup, to the end of what can be read of it; a name that it would get stays in the folder that was asked for. */
async function exportEverything(repository: Repository): Promise<void> {
  const signal = new AbortController().signal;
  for (const { name } of await listSnapshots(repository.store)) {
    const reader = await SnapshotReader.open(repository, name);
    const request = { patterns: [], isGoingOn: true, keepsHoles: true, signal };
    const named = await planExport(reader, { ...request, target: { kind: 'folder', path: fromText(FOLDER) } });
    for (const { path } of named.exports) if (path === undefined || !/^\/exports\/[^/\0]{1,240}$/.test(path) || /\/\.\.?$/.test(path)) throw new Error(`an export would be called ${JSON.stringify(path)}`);
    const plan = await planExport(reader, { ...request, format: 'tar', target: { kind: 'stream' } });
    await performExport(reader, plan, { clock, version: 'fuzz', processes: systemProcesses(), stream: new Writable({ write: (_chunk, _encoding, done) => done() }) });
  }
}

async function beginBackup(repository: Repository): Promise<void> {
  const [snapshot] = await listSnapshots(repository.store);
  const pack = (await Array.fromAsync(repository.store.list('packs/')))[0];
  const plan = (snapshot?.name.split('/')[1] ?? 'a'.repeat(32)) as PlanId;
  const session = await BackupSession.open(repository, { plan, run: '01ARZ3NDEKTSV4RRFFQ69G5FAV' as RunId, writer: { id: (pack?.name.split('/')[2] ?? 'b'.repeat(32)) as WriterId, host: 'fuzz' } });
  await findPredecessor(repository, session);
  await session.visitKnownChunks(() => undefined);
}
