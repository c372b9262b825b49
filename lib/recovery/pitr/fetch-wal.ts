import { open, rename, rm } from 'node:fs/promises';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { findWal, readWal, releaseAll, walFile, walFolder } from '../../repository/index.ts';
import type { Repository, WalEntry, WalHead } from '../../repository/index.ts';

export interface WalWanted {
  readonly repository: Repository;
  readonly plan: string;
  readonly systemId: string;
  /** `%f` of restore_command. */
  readonly name: string;
  /** `%p`, absolute. */
  readonly target: string;
  /** A beginning of a segment is `nothing`, too: there may be more of it later. */
  readonly onlyWhole?: boolean;
}

export type FetchedWal =
  | { readonly found: 'whole' | 'partial'; readonly sizeBytes: number; /** Hexadecimal; of a partial segment what it holds. */ readonly sha256: string }
  /** The vault holds WAL of this system, and not this file: the end of it, or a history that was never written. */
  | { readonly found: 'nothing' };

/** Partial segments are taken away while newer ones arrive; a listing may be older than that. */
const LOOKS = 5;

/**
 * Puts a file where restore_command wants it, whole and proved or not at all. Without the whole segment the longest state
 * of its beginning is taken, and zeroes behind it: replay ends there. Anything else than `nothing` that keeps the file
 * from arriving is thrown: who took it for the end of WAL would open a database that lacks what was committed later.
 */
export async function fetchWal(wanted: WalWanted): Promise<FetchedWal> {
  const { repository, plan, systemId, name, onlyWhole = false } = wanted;
  const file = walFile(name);
  for (let look = 1; ; look++) {
    const found = await findWal(repository.store, { plan, systemId }, file);
    const entry = found.find(({ kind, isComplete }) => kind === file.kind && kind !== 'partial' && isComplete) ?? (onlyWhole ? undefined : longest(found));
    if (entry === undefined) {
      await refuseUnknownSystem(wanted);
      return { found: 'nothing' };
    }
    try {
      return await write(wanted, entry);
    } catch (error) {
      if (!isHoldfastError(error, 'not-found') || look === LOOKS) throw error;
    }
  }
}

function longest(found: readonly WalEntry[]): WalEntry | undefined {
  const whole = found.filter(({ kind, isComplete, partial }) => kind === 'partial' && isComplete && (partial?.bytes ?? 0) > 0);
  return whole.toSorted((left, right) => (right.partial?.bytes ?? 0) - (left.partial?.bytes ?? 0) || right.storedAt - left.storedAt)[0];
}

/** A wrong plan, vault or system would otherwise be an archive that ends at once. */
async function refuseUnknownSystem({ repository, plan, systemId }: WalWanted): Promise<void> {
  for await (const _ of repository.store.list(walFolder(plan, systemId))) return;
  throw new HoldfastError('not-found', `The vault ${repository.store.description} holds no WAL of the system ${systemId} for this plan.`, { nextStep: 'Check --plan and --vault: `holdfast pitr windows` shows what is there.' });
}

async function write({ repository, target }: WalWanted, entry: WalEntry): Promise<FetchedWal> {
  const temporary = `${target}.holdfast-${process.pid}`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    let head: WalHead;
    try {
      head = await readWal(repository, entry, async (bytes) => {
        await handle.writeFile(bytes);
        releaseAll(bytes);
      });
      // A hole reads as zeroes, as the rest of a segment that is being written does.
      if (entry.kind === 'partial') await handle.truncate(head.segmentBytes);
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
    return { found: entry.kind === 'partial' ? 'partial' : 'whole', sizeBytes: head.sizeBytes, sha256: Buffer.from(head.sha256).toString('hex') };
  } catch (error) {
    await rm(temporary, { force: true });
    if (isHoldfastError(error)) throw error;
    throw new HoldfastError('target-failed', `${target} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)}).`, { nextStep: 'restore_command must give %p, and its user must be the one that the server runs as. Check the free space there.', cause: error });
  }
}
