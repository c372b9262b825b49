import { recordDamage, writeVerdict } from '../repository/index.ts';
import type { VerdictLevel } from '../repository/index.ts';
import { backupOf } from './backup-name.ts';
import type { Context } from './context.ts';
import type { SampleTurn } from './sample.ts';
import type { DamagedObject, VerifiedBackup, VerifyLevel } from './verify-report.ts';

/** A verdict names so many objects; the report has all of them. */
const NAMED_OBJECTS = 100;

/**
 * Keeps what was found in the vault (format §9): a verdict for each backup, and which packs no backup may rely on any
 * more. Packs first: a backup that starts meanwhile must not build on a pack whose verdict it has not seen.
 */
export async function recordFindings(context: Context, backups: readonly VerifiedBackup[], found: { readonly damage: readonly DamagedObject[]; readonly level: VerifyLevel; readonly sample: SampleTurn | undefined }): Promise<void> {
  const { repository, listing, findings } = context;
  for (const { name, kind, problems } of found.damage) {
    // A pack that is missing is absent without a note, and welcome when it comes back.
    if (kind === 'pack' && listing.has(name)) await recordDamage(repository.store, name, problems[0] ?? '');
  }
  for (const { snapshot, result } of backups) {
    if (result === 'void') continue;
    const damaged = findings.touching(snapshot);
    // What only the structure showed, another look at the structure may take back.
    const level: VerdictLevel = result === 'corrupted' && damaged.every(({ depth }) => depth === 'structure') ? 'structure' : found.level;
    const named = damaged.slice(0, NAMED_OBJECTS).map(({ name, problem }) => ({ name, problem }));
    await writeVerdict(repository, { backup: backupOf(snapshot), level, result, damaged: named, ...(found.sample && { sample: found.sample }) });
  }
}
