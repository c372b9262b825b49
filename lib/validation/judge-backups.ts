import { names, packIdOf } from '../repository/index.ts';
import { backupOf } from './backup-name.ts';
import type { Context } from './context.ts';
import type { OpenedBackup } from './open-backups.ts';
import type { PackSurvey } from './pack-survey.ts';
import type { SpoiltPack } from './read-packs.ts';
import type { VerifiedBackup } from './verify-report.ts';

/** A damaged pack touches every backup that names it, also when none of its entries needs the damaged part. */
export function touchNamedPacks({ findings }: Context, judged: readonly Pick<OpenedBackup, 'snapshot' | 'refs'>[]): void {
  for (const { snapshot, refs } of judged) for (const { name } of refs?.packs ?? []) if (findings.isDamaged(name)) findings.touch(name, snapshot.name);
}

/** From now on a walk of trees finds what the damaged parts of these packs take with them. */
export function markSpoilt(survey: PackSurvey, spoilt: readonly SpoiltPack[]): void {
  for (const { name, isLost, problems } of spoilt) {
    const pack = survey.packs.get(name);
    if (!pack) continue;
    if (isLost) pack.isLost = true;
    for (const { ids } of problems) for (let at = 0; at < ids.length; at += 32) survey.chunks.markDamaged(pack.ordinal, ids.subarray(at, at + 32));
  }
}

/** What an earlier verification wrote about packs stands until somebody deletes it: writers pass them over. */
export function noteEarlierDamage({ listing, findings }: Context, survey: PackSurvey, read: ReadonlySet<string>): void {
  for (const name of survey.packs.keys()) {
    const record = names.damaged(packIdOf(name));
    if (!listing.has(record) || findings.isDamaged(name)) continue;
    if (read.has(name)) findings.note('recovered-pack', `${name} was recorded as damaged and is whole now. New backups go on passing it over until \`holdfast repair packs\` has taken the note ${record} back.`);
    else findings.note('damaged-before', `${name} was recorded as damaged and was not read this time: only level full tells whether it is whole again.`);
  }
}

export function resultOf({ findings }: Context, { snapshot, manifest, isVoid }: OpenedBackup): VerifiedBackup {
  const damaged = findings.touching(snapshot.name).map(({ name }) => name);
  const result = isVoid ? 'void' : damaged.length > 0 ? 'corrupted' : 'good';
  return { snapshot: snapshot.name, backup: backupOf(snapshot.name), planName: manifest?.planName, sequence: manifest?.sequence, result, damaged };
}
