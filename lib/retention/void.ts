import type { Manifest, Repository, Verdicts } from '../repository/index.ts';
import { isVoid, readVerdicts, writeVerdict } from '../repository/index.ts';
import { isUnwritable } from '../stores/read-only.ts';
import type { ObjectInfo } from '../stores/store.ts';

export type CommitStanding = 'in-time' | 'void';

/**
 * Whether a snapshot was stored within an hour of its writer's second look (format §12); a void one is never good.
 * Judged once, by whoever reads it first, and recorded under `verdicts/`: later readers follow the record, so that a copy
 * of the vault, whose objects carry other times, is not judged by them. A store that refuses writing, or is full, leaves no record.
 */
export async function judgeCommit(repository: Repository, snapshot: ObjectInfo, manifest: Manifest, random?: (size: number) => Uint8Array): Promise<CommitStanding> {
  const recorded = recordedCommit(await readVerdicts(repository, manifest.backup));
  if (recorded) return recorded;
  const standing = standingByTime(snapshot, manifest);
  await record(repository, manifest.backup, snapshot.name, standing, random);
  return standing;
}

/** The same answer for readers who must not write, such as listings: from verdicts that were read already. */
export function commitStanding(snapshot: ObjectInfo, manifest: Manifest, verdicts: Verdicts): CommitStanding {
  return recordedCommit(verdicts) ?? standingByTime(snapshot, manifest);
}

function standingByTime(snapshot: ObjectInfo, manifest: Manifest): CommitStanding {
  return isVoid(manifest.checkedAt, snapshot.storedAt) ? 'void' : 'in-time';
}

/** What was judged before, without judging. */
export function recordedCommit({ verdicts }: Verdicts): CommitStanding | undefined {
  if (verdicts.some((verdict) => verdict.result === 'void')) return 'void';
  return verdicts.some((verdict) => verdict.level === 'commit') ? 'in-time' : undefined;
}

async function record(repository: Repository, backup: string, name: string, standing: CommitStanding, random?: (size: number) => Uint8Array): Promise<void> {
  const problem = 'stored more than an hour after its writer had looked at what prune condemned';
  const found = standing === 'void' ? { result: 'void' as const, damaged: [{ name, problem }] } : { result: 'good' as const, damaged: [] };
  try {
    await writeVerdict(repository, { backup, level: 'commit', ...found }, random);
  } catch (error) {
    // Whoever may only read still gets the answer, and a backup that filled the disk with its last object is one: the next one who can write records it.
    if (!isUnwritable(error)) throw error;
  }
}
