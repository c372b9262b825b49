import { names, packIdOf } from '../repository/index.ts';
import type { OpenedBackup } from './open-backups.ts';
import type { DamagedObject } from './verify-report.ts';
import type { VaultListing } from './vault-listing.ts';

/** More plans than this are counted. */
const NAMED = 3;

/**
 * What could heal a damaged pack, in words. Nobody here knows whether a source still has what was lost, so nothing is
 * promised; that backups which were made since the damage was noted did not help is known, by the store's times.
 */
export function withOutlook(damage: readonly DamagedObject[], opened: readonly OpenedBackup[], listing: VaultListing): DamagedObject[] {
  const plans = new Map(opened.flatMap(({ snapshot, manifest }) => (manifest ? [[snapshot.name, { id: manifest.plan, name: manifest.planName, isTree: [manifest.source, ...(manifest.parts ?? []).map(({ source }) => source)].some(({ type }) => type === 'files') }] as const] : [])));
  return damage.map((object) => {
    if (object.kind !== 'pack') return object;
    const isLost = object.touched.some(({ entries, ranges }) => entries + ranges.length > 0);
    const touched = new Map(object.touched.flatMap(({ snapshot }) => plans.get(snapshot) ?? []).map((plan) => [plan.id, plan]));
    return isLost && touched.size > 0 ? { ...object, outlook: outlookOf([...touched.values()], triedSince(object.name, listing)) } : object;
  });
}

interface TouchedPlan {
  readonly id: string;
  readonly name: string;
  /** Of a set: some of it is. False: a stream, which is read anew each time and seldom brings the same bytes. */
  readonly isTree: boolean;
}

function outlookOf(plans: readonly TouchedPlan[], isTried: (plan: string) => boolean): string {
  const tried = plans.filter(({ id }) => isTried(id));
  const untried = plans.filter(({ id }) => !isTried(id));
  const [trees, streams] = [untried.filter(({ isTree }) => isTree), untried.filter(({ isTree }) => !isTree)];
  return [
    ...(trees.length > 0 ? [`a backup of ${namesOf(trees)} heals it as far as the source still has this data as it was`] : []),
    ...(streams.length > 0 ? [`a backup of ${namesOf(streams)} only as far as the new stream has the same data in it`] : []),
    ...(tried.length > 0 ? [`a backup of ${namesOf(tried)}, made since this was noted, did not heal it: another one will only if the source has this data again`] : []),
    '`holdfast repair packs --dry-run` says what other packs of the vault hold; a copy of the vault heals everything',
  ].join('; ');
}

/** Whether a plan was backed up after the note about this pack was there: that backup looked for what it held. */
function triedSince(pack: string, listing: VaultListing): (plan: string) => boolean {
  const noted = listing.objects.get(names.damaged(packIdOf(pack)))?.storedAt;
  return (plan) => noted !== undefined && listing.below('snapshots', `snapshots/${plan}/`).some(({ storedAt }) => storedAt > noted);
}

function namesOf(plans: readonly TouchedPlan[]): string {
  return plans.length > NAMED ? `${plans.length} plans` : plans.map(({ name }) => name).join(', ');
}
