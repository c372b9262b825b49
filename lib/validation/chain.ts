import { names } from '../repository/index.ts';
import type { Manifest } from '../repository/index.ts';
import type { Context } from './context.ts';
import type { OpenedBackup } from './open-backups.ts';

/** The newest backup of a plan as somebody outside the vault knows it: the catalog, or a person. */
export interface KnownNewest {
  readonly plan: string;
  readonly backup: string;
  readonly sequence: number;
}

/**
 * Whether the backups of each plan are all that were made: every manifest names its predecessors with their digests. What
 * nobody inside the vault can prove is that the newest one is the newest: only `known` can.
 */
export function checkChains(context: Context, opened: readonly OpenedBackup[], isWhole: boolean, known: readonly KnownNewest[]): void {
  const digests = new Map(opened.filter(({ manifest }) => manifest).map(({ snapshot, sha256 }) => [snapshot.name, sha256]));
  const manifests = opened.flatMap(({ manifest }) => manifest ?? []);
  for (const manifest of manifests) for (const predecessor of manifest.predecessors) checkLink(context, manifest, predecessor, digests);
  if (isWhole) for (const [plan, members] of Map.groupBy(manifests, ({ plan }) => plan)) checkSequence(context, plan, members);
  for (const newest of known) checkNewest(context, newest, manifests);
}

function checkLink({ listing, findings }: Context, manifest: Manifest, predecessor: Manifest['predecessors'][number], digests: ReadonlyMap<string, string | undefined>): void {
  const name = names.snapshot(manifest.plan, predecessor.backup);
  if (!listing.has(name)) {
    if (listing.has(names.removed(manifest.plan, predecessor.backup))) return;
    findings.damage(name, 'snapshot', `it is missing, its successor ${manifest.backup} names it, and no record says that it was removed`);
    findings.touch(name, name);
    return;
  }
  const seen = digests.get(name);
  if (seen === undefined || seen === predecessor.sha256) return;
  findings.damage(name, 'snapshot', `it is not the manifest that its successor ${manifest.backup} names`);
  findings.touch(name, name);
}

/** Sequence numbers without a backup and without a record of removal: somebody withholds backups, or lost them. */
function checkSequence({ listing, findings }: Context, plan: string, members: readonly Manifest[]): void {
  const present = new Set(members.map(({ sequence }) => sequence));
  const newest = Math.max(...present);
  const missing = newest - present.size;
  const unopened = listing.below('snapshots', `snapshots/${plan}/`).length - members.length;
  const explained = listing.below('removed', `removed/${plan}/`).length + unopened;
  if (missing <= explained) return;
  findings.note('freshness-unproven', `Plan ${nameOf(members)}: ${missing - explained} of the backups numbered 1 to ${newest} are neither in the vault nor recorded as removed.`);
}

function checkNewest({ listing, findings }: Context, { plan, backup, sequence }: KnownNewest, manifests: readonly Manifest[]): void {
  const name = names.snapshot(plan, backup);
  if (listing.has(name) || listing.has(names.removed(plan, backup))) return;
  const members = manifests.filter((manifest) => manifest.plan === plan);
  const newest = Math.max(0, ...members.map((manifest) => manifest.sequence));
  const shown = newest === 0 ? 'shows no backup of that plan' : `shows number ${newest} as the newest`;
  findings.note('rolled-back', `Plan ${nameOf(members) || plan}: backup ${backup} (number ${sequence}) was made, and the vault ${shown} without a record of its removal: an old state of the vault is served, or the backup was deleted.`);
}

function nameOf(members: readonly Manifest[]): string {
  return members.reduce<Manifest | undefined>((newest, manifest) => (newest && newest.sequence > manifest.sequence ? newest : manifest), undefined)?.planName ?? '';
}
