import { recordDamage, writeVerdict } from '../repository/index.ts';
import type { VerdictLevel } from '../repository/index.ts';
import { isUnwritable } from '../stores/read-only.ts';
import { backupOf } from './backup-name.ts';
import type { Context } from './context.ts';
import type { CoverageRecorder } from './coverage-recorder.ts';
import type { SpoiltPack } from './read-packs.ts';
import type { SampleTurn } from './sample.ts';
import type { DamagedObject, VerifiedBackup, VerifyLevel } from './verify-report.ts';

/** A verdict names so many objects; the report has all of them. */
const NAMED_OBJECTS = 100;

export interface Found {
  readonly damage: readonly DamagedObject[];
  readonly level: VerifyLevel;
  readonly sample: SampleTurn | undefined;
  readonly spoilt: readonly SpoiltPack[];
}

/**
 * Keeps what was found, then notes the packs that are not whole as read, too: the other way round a kill would leave one
 * that nobody looks at again for long. What was read is no less proved because the vault cannot take a note of it.
 */
export async function recordAll(context: Context, backups: readonly VerifiedBackup[], found: Found, recorder: CoverageRecorder): Promise<void> {
  const { findings, listing } = context;
  try {
    await recordFindings(context, backups, found);
    for (const { name, since } of found.spoilt) await recorder.add(name, since);
    await recorder.finish(listing.in('packs'));
    if (recorder.problem) throw recorder.problem;
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    findings.note(error.code === 'no-space' ? 'vault-full' : 'not-recorded', `The verdict could not be kept in the vault, so nobody else learns of it: ${error.message}`);
  }
}

/**
 * Keeps what was found in the vault (format §9): a verdict for each backup, and which packs no backup may rely on any
 * more. Packs first: a backup that starts meanwhile must not build on a pack whose verdict it has not seen.
 */
async function recordFindings(context: Context, backups: readonly VerifiedBackup[], found: Found): Promise<void> {
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
