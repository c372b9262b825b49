import { HoldfastError } from '../../model/errors.ts';
import type { Thawed, ThawInput } from './states.ts';

export interface ThawPorts {
  /** Names of all packs that the backup's refs list. */
  readonly packsOf: (backup: Pick<ThawInput, 'vault' | 'planId' | 'backupId'>) => Promise<readonly string[]>;
}

/** Classes of packs that answer at once (S3 Standard, Standard-IA, Glacier Instant Retrieval): the store is not asked. */
const READABLE_AT_ONCE: ReadonlySet<string> = new Set(['hot', 'warm', 'cold', 'meta']);

/**
 * The thaw loop: says whether the task can read all it needs. No class of a vault's packs sleeps, so that a backup is
 * ready when its refs name no other class. Fails as `unsupported` when they do, as `damaged` and `not-found` when the
 * refs cannot be read. Callable any number of times.
 */
export async function thawRestore(input: ThawInput, { packsOf }: ThawPorts): Promise<Thawed> {
  const other = (await packsOf(input)).find((name) => !READABLE_AT_ONCE.has(name.split('/')[1] ?? ''));
  if (other === undefined) return { isDone: true, waitSeconds: 0 };
  throw new HoldfastError('unsupported', `The pack ${other} of backup ${input.backupId} is of a class that this Holdfast cannot thaw, wanted one of ${[...READABLE_AT_ONCE].join(', ')}.`, { nextStep: 'Deploy the version of Holdfast that wrote this backup, or a newer one.' });
}
