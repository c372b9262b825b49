import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { Manifest, Repository } from '../repository/index.ts';
import { readManifest, readRefs, readVerdicts, standingVerdict } from '../repository/index.ts';
import type { ObjectInfo } from '../stores/store.ts';
import { judgeCommit } from './void.ts';

export interface Standing {
  readonly standing: 'good' | 'corrupted' | 'void' | 'unreadable';
  readonly reason: string;
  readonly manifest?: Manifest;
}

/**
 * Whether a backup may be called good (format §10), as far as can be told without reading packs: its manifest opens, it
 * was stored in time, no verdict stands against it, and every pack of its newest refs is listed with its size.
 * `packSizes`: what a listing of `packs/` shows, by name. Records the judgement of a snapshot that nobody had judged.
 */
export async function standingOf(repository: Repository, snapshot: ObjectInfo, packSizes: ReadonlyMap<string, number>, random?: (size: number) => Uint8Array): Promise<Standing> {
  try {
    const { manifest } = await readManifest(repository, snapshot.name);
    return { ...(await judge(repository, snapshot, manifest, packSizes, random)), manifest };
  } catch (error) {
    if (!(error instanceof HoldfastError) || !isHoldfastError(error, 'damaged')) throw error;
    return { standing: 'unreadable', reason: error.message };
  }
}

async function judge(repository: Repository, snapshot: ObjectInfo, manifest: Manifest, packSizes: ReadonlyMap<string, number>, random?: (size: number) => Uint8Array): Promise<Standing> {
  if ((await judgeCommit(repository, snapshot, manifest, random)) === 'void') {
    return { standing: 'void', reason: 'it was stored more than an hour after its writer had looked at what prune condemned' };
  }
  const verdict = standingVerdict(await readVerdicts(repository, manifest.backup));
  if (verdict?.result === 'corrupted') return { standing: 'corrupted', reason: `verify --level ${verdict.level} found ${verdict.damaged.length} damaged objects` };
  const refs = await readRefs(repository, manifest);
  const missing = refs.packs.find((pack) => packSizes.get(pack.name) !== pack.size);
  if (missing) return { standing: 'corrupted', reason: `the pack ${missing.name} is missing or has another size than ${missing.size} bytes` };
  return { standing: 'good', reason: 'stored in time, all packs there, nothing found against it' };
}
