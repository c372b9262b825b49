import { isHoldfastError } from '../model/errors.ts';
import { decodeRefs, headProblem, isSigned, names, openManifest, revisionOf, sha256 } from '../repository/index.ts';
import type { Manifest, Refs } from '../repository/index.ts';
import { judgeCommit } from '../retention/void.ts';
import type { ObjectInfo } from '../stores/store.ts';
import type { Context } from './context.ts';
import { inParallel } from './in-parallel.ts';
import { problemOf } from './problem.ts';

/** One snapshot as far as it opens. */
export interface OpenedBackup {
  readonly snapshot: ObjectInfo;
  readonly manifest?: Manifest;
  /** SHA-256 of the stored manifest. */
  readonly sha256?: string;
  /** The greatest genuine revision. */
  readonly refs?: Refs;
  readonly isVoid: boolean;
}

const AT_ONCE = 8;

/** Opens manifests and refs; what does not open is damage, and the others go on. Judges who was stored too late. */
export async function openBackups(context: Context, snapshots: readonly ObjectInfo[]): Promise<OpenedBackup[]> {
  const opened = new Map<string, OpenedBackup>();
  await inParallel(snapshots, AT_ONCE, async (snapshot) => {
    const backup = await openOne(context, snapshot);
    if (backup) opened.set(snapshot.name, backup);
  });
  return snapshots.flatMap(({ name }) => opened.get(name) ?? []);
}

/** Undefined for a backup that somebody removed since it was listed. */
async function openOne(context: Context, snapshot: ObjectInfo): Promise<OpenedBackup | undefined> {
  const { repository, findings } = context;
  const { name } = snapshot;
  const damaged = (problem: string) => {
    findings.damage(name, 'snapshot', problem);
    findings.touch(name, name);
  };
  let stored: Uint8Array;
  let manifest: Manifest;
  try {
    stored = await repository.store.get(name);
    manifest = openManifest(repository.keys, name, stored);
  } catch (error) {
    const problem = problemOf(error, context);
    if (isHoldfastError(error, 'not-found') && (await isRemoved(context, name))) return undefined;
    damaged(problem);
    return { snapshot, isVoid: false };
  }
  const odd = headProblem(stored);
  if (odd) damaged(odd);
  const refs = await openRefs(context, name, manifest);
  if (!refs && (await isRemoved(context, name))) {
    findings.forget(name);
    return undefined;
  }
  const isVoid = (await judgeCommit(repository, snapshot, manifest)) === 'void';
  return { snapshot, manifest, sha256: sha256(stored).toString('hex'), isVoid, ...(refs && { refs }) };
}

async function isRemoved({ repository }: Context, snapshot: string): Promise<boolean> {
  for await (const { name } of repository.store.list('removed/')) if (name === snapshot.replace('snapshots/', 'removed/')) return true;
  return false;
}

/**
 * Every revision is looked at. One that is not genuine is damage until a greater one stands (format §8): that was written
 * in knowledge of it, and says everything that it said.
 */
async function openRefs(context: Context, snapshot: string, manifest: Manifest): Promise<Refs | undefined> {
  const { listing, findings } = context;
  const first = names.refs(manifest.plan, manifest.backup, 0);
  const found = listing.refsOf(manifest.plan, manifest.backup).filter((name) => isRevision(name, context));
  const problems = new Map<string, string>(found.includes(first) ? [] : [[first, 'it is missing']]);
  let newest: Refs | undefined;
  for (const name of found) {
    try {
      const refs = await openRevision(context, name, manifest);
      if (typeof refs === 'string') problems.set(name, refs);
      else if (!newest || refs.revision > newest.revision) newest = refs;
    } catch (error) {
      problems.set(name, problemOf(error, context));
    }
  }
  for (const [name, problem] of problems) {
    if (newest && (revisionOf(name) as number) < newest.revision) continue;
    findings.damage(name, 'refs', problem);
    findings.touch(name, snapshot);
  }
  return newest;
}

/** What only lies beside lists of packs is read by nobody, and is no damage. */
function isRevision(name: string, { findings }: Context): boolean {
  if (revisionOf(name) !== undefined) return true;
  findings.note('stray-object', `${name} is no object of this vault's format; nothing reads it.`);
  return false;
}

/** Answers with what is wrong when it is not genuine. */
async function openRevision({ repository }: Context, name: string, manifest: Manifest): Promise<Refs | string> {
  const stored = await repository.store.get(name);
  const isFirst = name === names.refs(manifest.plan, manifest.backup, 0);
  if (isFirst && sha256(stored).toString('hex') !== manifest.refsSha256) return 'it is not the list of packs that its manifest names';
  const refs = decodeRefs(stored, name, repository.config.repository);
  if (!isFirst && !isSigned(repository.keys, name, refs)) return 'its signature is not that of this vault';
  return refs;
}
