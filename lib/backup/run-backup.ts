import type { Worker } from 'node:worker_threads';
import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId, PlanId, RunId } from '../model/ids.ts';
import { ChunkTables } from '../engine/chunk-table.ts';
import { ThreadPool } from '../engine/crunch-pool.ts';
import type { CrunchPool } from '../engine/crunch-pool.ts';
import type { CrunchSettings, CrunchedPack } from '../engine/crunch-settings.ts';
import { blockBuffers, packBuffers } from '../engine/memory-budget.ts';
import type { BufferSet } from '../engine/memory-budget.ts';
import { PackIds } from '../engine/pack-ids.ts';
import { SharedBuffers } from '../engine/shared-buffers.ts';
import { BackupSession, PACK_SIZES, PacksWithdrawn, names, sha256 } from '../repository/index.ts';
import type { BackupStatistics, Compression, DataClass, Manifest, PackSizes, Repository, Writer } from '../repository/index.ts';
import { judgeCommit } from '../retention/void.ts';
import type { SingleSource, Source } from '../sources/source.ts';
import { healAfterBackup } from '../validation/healing/after-backup.ts';
import type { HealingOutcome } from '../validation/healing/after-backup.ts';
import { BackupRun } from './backup-run.ts';
import { MetaPacks } from './meta-packs.ts';
import { performPass } from './perform-pass.ts';
import type { Proved } from './perform-pass.ts';
import { findPredecessor } from './predecessor.ts';
import type { Predecessor } from './predecessor.ts';
import { withComplaints } from './complaints.ts';
import type { BackupProgress } from './run-progress.ts';
import { sourceRecord } from './source-record.ts';
import { refuseTooSmall } from './too-small.ts';
import type { BuiltTree } from './tree-builder.ts';

/** What a run needs from the process that composes it. */
export interface BackupPorts {
  readonly clock: Clock;
  readonly startThread: (settings: CrunchSettings) => Worker;
  readonly onProgress?: (progress: BackupProgress) => void;
  readonly signal: AbortSignal;
  /** Asked just before the snapshot is stored, the last moment to stop: who lost its lease throws (design, Life of a run). */
  readonly beforeCommit?: (backup: BackupId) => Promise<void>;
}

export interface BackupRequest {
  readonly repository: Repository;
  readonly writer: Writer;
  /** Writers whose packs and trees may be built on besides one's own (design, Trust). */
  readonly trustedWriters?: readonly string[];
  readonly plan: { readonly id: PlanId; readonly name: string };
  readonly run?: RunId;
  readonly source: Source;
  /** `full` reads everything again; chunks that are known are still not stored twice. */
  readonly type: 'full' | 'incremental';
  readonly packClass: DataClass;
  readonly compression: Compression;
  readonly threads: number;
  readonly policy?: Manifest['policy'];
  /** A smaller backup fails and is not committed: a floor against an empty mount or dump. */
  readonly minimumBytes?: number;
  readonly packSizes?: PackSizes;
  /** This role may not read content: what could be healed now is left to whoever may, and the outcome says so. */
  readonly leavesHealing?: boolean;
}

export interface BackupOutcome {
  readonly manifest: Manifest;
  readonly statistics: BackupStatistics;
  readonly evidence: readonly string[];
  /** Writers whose packs were not reused, told when there was none at the start that could be. */
  readonly strangers: readonly string[];
  /** What a command that set something going again, or one after the commit, complained of: a warning of the run, and none of the backup's. */
  readonly afterwards?: readonly string[];
  /** What became of older backups that were not whole; absent when none is known. */
  readonly healing?: HealingOutcome;
}

/** A tree, or a list of objects, is read again when prune withdrew packs meanwhile; more often than this means that something else is wrong. */
const MAX_ATTEMPTS = 3;

/**
 * One run of a plan: reads the source, stores what the vault does not have, commits a backup. Fails without a trace in
 * the list of backups: `source-failed` when a producer did not end well, `interrupted` after a signal (what was stored
 * is kept for the next run), `stale`, and whatever the store says.
 */
export async function runBackup(request: BackupRequest, ports: BackupPorts): Promise<BackupOutcome> {
  await request.source.check();
  let unreadableTree: HoldfastError | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptBackup(request, ports, { number: attempt, unreadableTree });
    } catch (error) {
      const isTreeUnreadable = isHoldfastError(error, 'damaged') && !unreadableTree;
      const isRepeatable = (error instanceof PacksWithdrawn || isTreeUnreadable) && !['streams', 'bodies'].includes(request.source.shape) && attempt < MAX_ATTEMPTS;
      if (!isRepeatable) throw error;
      if (isTreeUnreadable) unreadableTree = error;
    }
  }
}

interface Attempt {
  readonly number: number;
  /** Why the tree of the backup before cannot be built on: damage there must not stop all backups to come. */
  readonly unreadableTree: HoldfastError | undefined;
}

async function attemptBackup(request: BackupRequest, ports: BackupPorts, { number, unreadableTree }: Attempt): Promise<BackupOutcome> {
  const startedAt = ports.clock.now();
  const runId = request.run ?? newUlid<RunId>(startedAt);
  const session = await BackupSession.open(request.repository, { plan: request.plan.id, run: runId, attempt: number, writer: request.writer, ...(request.trustedWriters && { trustedWriters: request.trustedWriters }) });
  const strangers = session.strangers();
  const predecessor = await findPredecessor(request.repository, session);
  const engine = startEngine(request, session, ports);
  const run = new BackupRun({ ...engine, session, previous: unreadableTree ? undefined : predecessor.reader, meta: new MetaPacks(session), signal: ports.signal, clock: ports.clock, onProgress: ports.onProgress ?? (() => undefined) });
  run.warnings.push(...predecessor.warnings);
  if (unreadableTree) run.warnings.push({ code: 'predecessor-damaged', message: `The tree of the backup before could not be read: ${unreadableTree.message} Everything is read again.` });
  try {
    const proved = await performPass(run, request.source, { isFull: request.type === 'full' });
    ports.signal.throwIfAborted();
    refuseTooSmall(run.counters.bytes, request.source, request.minimumBytes);
    run.report('committing');
    await engine.pool.flush();
    const tree = await run.builder.finish();
    await run.meta.finish();
    await engine.stored();
    return await commit({ request, session, run, predecessor, tree, startedAt, proved, strangers, ports });
  } catch (error) {
    throw withComplaints(await leaveReusable(error, run, engine, ports.signal), run.complaints);
  } finally {
    await engine.pool.close();
  }
}

/** A run that a signal ended leaves what it stored to the next one (format §8, partial). */
async function leaveReusable(error: unknown, run: BackupRun, engine: Engine, signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) return error;
  await engine.pool.flush().catch(() => undefined);
  await engine.stored().catch(() => undefined);
  // Without it the next run finds the packs all the same, by their directories.
  const unrecorded = await run.session.checkpoint().catch((cause: unknown) => cause);
  return new HoldfastError('interrupted', 'The backup was interrupted before it was complete; no backup was made.', {
    nextStep: 'Run it again: what was stored so far is reused.',
    cause: isHoldfastError(error) ? error : unrecorded,
  });
}

interface Engine {
  readonly pool: CrunchPool;
  readonly tables: ChunkTables;
  readonly packIds: PackIds;
  /** All packs handed over so far are durable. */
  stored(): Promise<void>;
}

function startEngine(request: BackupRequest, session: BackupSession, ports: BackupPorts): Engine {
  const { repository, threads } = request;
  const packSizes = request.packSizes ?? PACK_SIZES;
  const tables = ChunkTables.create();
  const packIds = PackIds.create();
  const shape = { threads, packSizes, chunker: repository.config.chunker };
  const packs = sharedBuffers(packBuffers(shape));
  const blocks = sharedBuffers(blockBuffers(shape));
  const settings: CrunchSettings = {
    repository: repository.config.repository,
    keys: repository.keys.sealing,
    cipher: repository.cipher,
    compression: request.compression,
    packClass: request.packClass,
    writer: request.writer.id,
    chunker: repository.config.chunker,
    packSizes,
    tables: tables.buffers,
    packIds: packIds.buffer,
    packs: packs.shape,
    blocks: blocks.shape,
    keepXattrs: singlesOf(request.source).some((source) => source.shape === 'tree' && source.options.isKeepingXattrs),
  };
  const stores: Promise<void>[] = [];
  let failure: { readonly error: unknown } | undefined;
  const onPack = (pack: CrunchedPack) => {
    const bytes = packs.view(pack.buffer).subarray(0, pack.length);
    const stored = session.storePack(pack.name, bytes, pack.sha256, pack.ids).then(
      () => packs.give(pack.buffer),
      (error: unknown) => {
        failure ??= { error };
        pool.fail(error);
      },
    );
    stores.push(stored);
  };
  const pool = new ThreadPool({ threads, startThread: ports.startThread, settings, tables, onPack, signal: ports.signal });
  return {
    pool,
    tables,
    packIds,
    stored: async () => {
      await Promise.all(stores);
      if (failure) throw failure.error;
    },
  };
}

function singlesOf(source: Source): readonly SingleSource[] {
  return source.shape === 'set' ? source.parts.map((part) => part.source) : [source];
}

function sharedBuffers({ count, bytes }: BufferSet): SharedBuffers {
  return SharedBuffers.create(count, bytes);
}

interface CommitParts {
  readonly request: BackupRequest;
  readonly session: BackupSession;
  readonly run: BackupRun;
  readonly predecessor: Predecessor;
  readonly tree: BuiltTree;
  readonly startedAt: number;
  readonly proved: Proved;
  readonly strangers: readonly string[];
  readonly ports: BackupPorts;
}

async function commit(parts: CommitParts): Promise<BackupOutcome> {
  const { request, session, run, predecessor, tree, startedAt, proved, ports } = parts;
  const finishedAt = ports.clock.now();
  const backup = newUlid<BackupId>(finishedAt);
  const statistics: BackupStatistics = { ...run.counters.figures(), storedBytes: session.storedBytes, durationMilliseconds: finishedAt - startedAt };
  const { manifest } = await session.commit(
    {
      backup,
      planName: request.plan.name,
      type: proved.parts === undefined ? request.type : 'snapshot',
      source: sourceRecord(request.source),
      startedAt: new Date(startedAt).toISOString(),
      finishedAt: new Date(finishedAt).toISOString(),
      sequence: predecessor.sequence,
      predecessors: predecessor.predecessors,
      tree,
      contentSha256: contentDigest(tree),
      statistics,
      warnings: run.warnings,
      ...(proved.evidence.length > 0 && { evidence: [...proved.evidence] }),
      ...(Object.keys(proved.facts).length > 0 && { facts: proved.facts }),
      ...(proved.parts && { parts: [...proved.parts] }),
      ...(request.policy && { policy: request.policy }),
    },
    usedPacks(tree, session),
    () => ports.beforeCommit?.(backup) ?? Promise.resolve(),
  );
  await refuseIfVoid(request.repository, manifest);
  // Nothing of it is read or listed where nobody has found damage, nor where the last run had the same chances.
  const isHealing = session.hasHealingMaterial(predecessor.storedAt ?? 0) || predecessor.isWounded || run.warnings.some(({ code }) => code === 'predecessor-damaged');
  if (isHealing && !request.leavesHealing) run.report('healing');
  const healing = isHealing ? await healOlder(request, ports) : undefined;
  return { manifest, statistics: manifest.statistics, evidence: proved.evidence.flatMap(({ entry, facts }) => (proved.parts ? [`${entry}: ${facts.join(', ')}`] : facts)), strangers: parts.strangers, ...(run.complaints.length > 0 && { afterwards: run.complaints }), ...(healing && { healing }) };
}

async function healOlder({ repository, leavesHealing = false }: BackupRequest, { signal }: BackupPorts): Promise<HealingOutcome> {
  return leavesHealing ? { isLeft: true } : healAfterBackup(repository, { signal });
}

/** Judged at once, where it was first written: a run that slept before its last step has not made a backup (format §12). */
async function refuseIfVoid(repository: Repository, manifest: Manifest): Promise<void> {
  const snapshot = await repository.store.stat(names.snapshot(manifest.plan, manifest.backup));
  if ((await judgeCommit(repository, snapshot, manifest)) === 'in-time') return;
  throw new HoldfastError('stale', `The backup ${manifest.backup} was stored more than an hour after its run had looked at what prune condemned: it is void.`, {
    nextStep: `Run the backup again: what was stored is reused. \`holdfast remove ${manifest.backup}\` clears the void one away.`,
  });
}

/** A root may list packs that only replaced entries needed: those that are gone are not needed by what is kept. */
function usedPacks(tree: BuiltTree, session: BackupSession): Set<string> {
  return new Set([...tree.base.packs, ...(tree.delta?.packs ?? [])].filter((pack) => session.isUsable(pack)));
}

function contentDigest(tree: BuiltTree): string {
  return sha256(Buffer.from([...tree.base.chunks, ...(tree.delta?.chunks ?? [])].map(({ id }) => id).join('\n'))).toString('hex');
}
