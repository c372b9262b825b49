import { isHoldfastError } from '../model/errors.ts';
import { SnapshotReader, isVoid, listSnapshots, packIdOf, readManifest, readRefs, readVerdicts, standingVerdict } from '../repository/index.ts';
import type { BackupSession, Manifest, ManifestWarning, Repository } from '../repository/index.ts';

const SMALL_TREE_CHUNKS = 4;

/** How many of the newest snapshots are looked at for heads: forks are rare and short. */
const LOOK_BACK = 4;

export interface Predecessor {
  /** The backup whose tree this run continues; undefined for a first run. */
  readonly reader: SnapshotReader | undefined;
  readonly sequence: number;
  readonly predecessors: Manifest['predecessors'];
  readonly warnings: readonly ManifestWarning[];
  /** A backup that was looked at is not whole: what this run stores anew may heal it. */
  readonly isWounded: boolean;
  /** When the newest backup of the plan was stored, by the store's clock; undefined for a first run. */
  readonly storedAt: number | undefined;
}

interface Candidate {
  readonly manifest: Manifest;
  readonly sha256: string;
  readonly storedAt: number;
}

/**
 * Finds the heads of a plan's chain and the newest backup that this run may build on: not void,
 * by a writer that is trusted, its tree's packs all there (damaged ones among the data are read again). A damaged one is passed over with a warning.
 */
export async function findPredecessor(repository: Repository, session: BackupSession): Promise<Predecessor> {
  const warnings: ManifestWarning[] = [];
  const newest = (await listSnapshots(repository.store, session.options.plan)).sort((a, b) => b.storedAt - a.storedAt || (a.name < b.name ? 1 : -1)).slice(0, LOOK_BACK);
  const candidates: Candidate[] = [];
  for (const { name, storedAt } of newest) {
    const read = await passOver(name, warnings, () => readManifest(repository, name));
    if (read) candidates.push({ ...read, storedAt });
  }
  candidates.sort((a, b) => b.manifest.sequence - a.manifest.sequence);
  const followed = new Set(candidates.flatMap(({ manifest }) => manifest.predecessors.map(({ backup }) => backup)));
  const predecessors = candidates.filter(({ manifest }) => !followed.has(manifest.backup)).map(({ manifest, sha256 }) => ({ backup: manifest.backup, sha256 }));
  const sequence = Math.max(0, ...candidates.map(({ manifest }) => manifest.sequence)) + 1;
  let isWounded = false;
  const storedAt = newest[0]?.storedAt;
  for (const candidate of candidates) {
    const reader = await passOver(candidate.manifest.backup, warnings, () => openIfUsable(repository, session, candidate, () => (isWounded = true)));
    if (reader) return { reader, sequence, predecessors, warnings, isWounded: isWounded || warnings.length > 0, storedAt };
  }
  return { reader: undefined, sequence, predecessors, warnings, isWounded: isWounded || warnings.length > 0, storedAt };
}

async function openIfUsable(repository: Repository, session: BackupSession, { manifest, storedAt }: Candidate, onWound: () => void): Promise<SnapshotReader | undefined> {
  const trusted = [session.options.writer.id as string, ...(session.options.trustedWriters ?? [])];
  if (!trusted.includes(manifest.writer) || isVoid(manifest.checkedAt, storedAt)) return undefined;
  const verdict = standingVerdict(await readVerdicts(repository, manifest.backup));
  if (verdict?.result === 'void') return undefined;
  const refs = await readRefs(repository, manifest);
  const reader = new SnapshotReader(repository, manifest, refs);
  const { base, delta } = manifest.tree;
  session.noteRefs(refs);
  if (!refs.packs.every(({ name }) => session.isUsable(packIdOf(name)))) onWound();
  const treePacks = [...base.chunks, ...(delta?.chunks ?? [])].map(({ pack }) => pack);
  if (!treePacks.every((pack) => session.isUsable(pack))) return undefined;
  // A small tree is read at once, at no cost: what was read is kept. A stream is not read twice because of it later.
  if (treePacks.length <= SMALL_TREE_CHUNKS) for await (const records of reader.recordBatches()) void [...records];
  return reader;
}

async function passOver<T>(what: string, warnings: ManifestWarning[], read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
    warnings.push({ code: 'predecessor-damaged', message: `The earlier backup ${what} could not be built on: ${error.message} Its content is read again.` });
    return undefined;
  }
}
