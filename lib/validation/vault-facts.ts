import { kitProblem } from '../recovery/kit.ts';
import { decodeDamage, decodeMark, decodeRefs, encodeMark, encodeRuling, headProblem, markNameOf, names, openCoverage, openIndex, openJson, openVerdict, packIdOf, quoted } from '../repository/index.ts';
import type { Context } from './context.ts';
import { inParallel } from './in-parallel.ts';
import type { OpenedBackup } from './open-backups.ts';
import { byId, isDirectoryKnown } from './pack-survey.ts';
import type { PackSurvey } from './pack-survey.ts';
import { problemOf, throwIfInterrupted } from './problem.ts';
import type { ObjectKind } from './verify-report.ts';
import type { Folder } from './vault-listing.ts';

interface Check {
  readonly folder: Folder;
  readonly kind: ObjectKind;
  /** Answers with what is wrong; damage may be thrown as well. */
  readonly look: (context: Context, name: string, stored: Uint8Array, survey: PackSurvey) => string | undefined;
}

/** Objects that no backup needs to be restored, each looked at by itself. */
const CHECKS: readonly Check[] = [
  { folder: 'index', kind: 'index', look: lookAtIndex },
  { folder: 'partial', kind: 'partial', look: lookAtPartial },
  { folder: 'verdicts', kind: 'verdict', look: lookAtVerdict },
  { folder: 'coverage', kind: 'coverage', look: ({ repository }, name, stored) => headProblem(stored) ?? void openCoverage(repository, name, stored) },
  { folder: 'removed', kind: 'removal', look: ({ repository }, name, stored) => headProblem(stored) ?? void openJson(repository.keys, 'verdict', name, stored) },
  { folder: 'damaged', kind: 'damage-record', look: (_, name, stored) => wrongPack(packIdOf(name), decodeDamage(stored, name)) },
  { folder: 'condemned', kind: 'mark', look: lookAtMark },
  { folder: 'kit', kind: 'kit', look: (_, name, stored) => kitProblem(name, stored) },
];

const AT_ONCE = 8;

/** Looks at every index, partial, verdict, removal, damage record, mark and recovery kit of the vault. */
export async function checkFacts(context: Context, survey: PackSurvey): Promise<void> {
  const { repository, listing, findings } = context;
  const broken = new Map<string, string>();
  for (const { folder, kind, look } of CHECKS) {
    await inParallel(listing.in(folder), AT_ONCE, async ({ name }) => {
      throwIfInterrupted(context.signal);
      try {
        const problem = look(context, name, await repository.store.get(name), survey);
        if (problem !== undefined) broken.set(name, problem);
      } catch (error) {
        // Prune and removals may tidy up meanwhile.
        const problem = problemOf(error, context);
        if (problem !== MISSING) broken.set(name, problem);
      }
    });
    for (const [name, problem] of broken) {
      // What another index says in its place; prune takes it away.
      if (kind !== 'index' || !survey.superseded.has(name)) findings.damage(name, kind, problem);
      if (kind === 'verdict') touchJudged(context, name);
    }
    broken.clear();
  }
  noteStrays(context);
}

const MISSING = 'it is missing';

/** An index that is not the one of its packs would send deduplication to chunks that are not there. */
function lookAtIndex({ repository, listing }: Context, name: string, stored: Uint8Array, survey: PackSurvey): string | undefined {
  const odd = headProblem(stored);
  if (odd !== undefined) return odd;
  const index = openIndex(repository.keys, name, stored);
  for (const pack of index.packs) survey.indexed.add(pack.name);
  for (const superseded of index.supersedes) survey.superseded.add(superseded);
  const claims = new Uint32Array(index.packs.length);
  for (const [position, ordinal] of index.ordinals.entries()) {
    claims[ordinal]! += 1;
    const pack = survey.packs.get(index.packs[ordinal]?.name ?? '');
    if (pack && isDirectoryKnown(pack) && survey.chunks.find(pack.ordinal, index.ids.subarray(position * 32, position * 32 + 32)) < 0) return `it claims a chunk in ${pack.ref.name} that is not there`;
  }
  for (const [ordinal, pack] of index.packs.entries()) {
    const surveyed = survey.packs.get(pack.name);
    const listed = listing.objects.get(pack.name)?.size;
    if (surveyed && (surveyed.ref.size !== pack.size || surveyed.ref.sha256 !== pack.sha256)) return `it names ${pack.name} with another size or digest than the backups that need it`;
    // A pack that was healed, and that prune has not freed yet, is told by the note about it.
    const isKnownDamage = listing.has(names.damaged(packIdOf(pack.name)));
    if (!surveyed && !isKnownDamage && listed !== undefined && listed !== pack.size) return `it names ${pack.name} with ${pack.size} bytes, the pack has ${listed}`;
    if (surveyed && isDirectoryKnown(surveyed) && surveyed.chunks !== claims[ordinal]) return `it claims ${claims[ordinal]} chunks in ${pack.name}, which holds ${surveyed.chunks}`;
  }
  return undefined;
}

function lookAtPartial({ repository, listing }: Context, name: string, stored: Uint8Array, survey: PackSurvey): string | undefined {
  const partial = decodeRefs(stored, name, repository.config.repository);
  const isOwn = partial.kind === 'partial' && name.startsWith(`partial/${partial.plan}/${partial.run}-`);
  if (!isOwn) return `it is the partial list of run ${quoted(partial.run)} of plan ${quoted(partial.plan)}`;
  const gone = [...partial.packs.map((pack) => pack.name), ...(partial.index ?? [])].find((wanted) => !listing.has(wanted));
  if (gone !== undefined) return `it names ${gone}, which is missing`;
  const other = partial.packs.find((pack) => listing.objects.get(pack.name)?.size !== pack.size || (survey.packs.get(pack.name)?.ref.sha256 ?? pack.sha256) !== pack.sha256);
  return other && `it names ${other.name} with another size or digest than the pack has`;
}

function lookAtVerdict({ repository }: Context, name: string, stored: Uint8Array): string | undefined {
  openVerdict(repository, name, stored);
  return headProblem(stored);
}

function touchJudged({ listing, findings }: Context, name: string): void {
  const backup = name.split('/')[1];
  for (const { name: snapshot } of listing.in('snapshots')) if (snapshot.endsWith(`/${backup}`)) findings.touch(name, snapshot);
}

function lookAtMark({ listing, findings }: Context, name: string, stored: Uint8Array): string | undefined {
  if (!name.endsWith('.ruling')) {
    const pack = decodeMark(stored, name);
    return encodeMark(pack).equals(stored) ? wrongPack(packIdOf(name).split('.')[0] as string, pack) : 'it is not the note that prune writes';
  }
  if (!listing.has(markNameOf(name))) findings.note('orphan-ruling', `${name} rules on a mark that is gone; the next prune clears it away.`);
  const isRuling = (['doomed', 'spared'] as const).some((ruling) => encodeRuling(ruling).equals(stored));
  return isRuling ? undefined : 'it is neither "doomed" nor "spared": nobody may act on it';
}

function wrongPack(id: string, named: string): string | undefined {
  return packIdOf(named) === id ? undefined : `it is the note about ${named}`;
}

/**
 * What should be there by the names of other things: a backup with a verdict has a snapshot, refs have a snapshot unless
 * their run is unfinished, packs of a run have an index.
 */
export async function checkCounterparts(context: Context, opened: readonly OpenedBackup[], survey: PackSurvey): Promise<void> {
  const { listing, findings } = context;
  const known = await knownBackups(context);
  const judged = new Set(listing.in('verdicts').map(({ name }) => name.split('/')[1] as string));
  const withRefs = new Map<string, string>();
  for (const { name } of listing.in('refs')) {
    const [, plan = '', file = ''] = name.split('/');
    const backup = file.replace(/\.\d+$/, '');
    if (!known.has(backup)) withRefs.set(backup, names.snapshot(plan, backup));
  }
  for (const [backup, snapshot] of withRefs) {
    // A verdict says that the snapshot was there once.
    if (judged.has(backup)) lostSnapshot(context, snapshot);
    else findings.note('unfinished-run', `refs of backup ${backup} stand without its snapshot: its run was killed before the end, or the snapshot was deleted. Prune clears them away after 7 days.`);
  }
  for (const backup of judged) if (!known.has(backup) && !withRefs.has(backup) && !isNamedMissing(context, backup)) lostSnapshot(context, `snapshots/?/${backup}`);
  noteNotIndexed(context, opened, survey);
}

/** Looked at again now: a backup that ended, or was removed, since the listing is neither lost nor unfinished. */
async function knownBackups({ repository, listing }: Context): Promise<Set<string>> {
  const known = new Set([...listing.in('snapshots'), ...listing.in('removed')].map(({ name }) => packIdOf(name)));
  for (const folder of ['snapshots/', 'removed/']) for await (const { name } of repository.store.list(folder)) known.add(packIdOf(name));
  return known;
}

/** Its plan is known when a successor names it. */
function isNamedMissing({ findings }: Context, backup: string): boolean {
  return findings.names().some((name) => name.startsWith('snapshots/') && name.endsWith(`/${backup}`));
}

function lostSnapshot({ findings }: Context, name: string): void {
  findings.damage(name, 'snapshot', 'it is missing, a verdict says that it was there, and no record says that it was removed');
  findings.touch(name, name);
}

/** An index that is gone is named by the first backup whose packs no index names: its run must have written it. */
function noteNotIndexed({ listing, findings }: Context, opened: readonly OpenedBackup[], { indexed }: PackSurvey): void {
  const told = new Set<string>();
  const byAge = opened.toSorted((left, right) => (left.snapshot.name.split('/')[2]! < right.snapshot.name.split('/')[2]! ? -1 : 1));
  for (const { manifest, refs } of byAge) {
    if (!manifest || !refs) continue;
    const missing = refs.packs.filter(({ name }) => !indexed.has(name) && !told.has(name));
    const index = names.index(manifest.writer, manifest.run, 0);
    for (const { name } of missing) told.add(name);
    // An index that is there and damaged was told as such.
    if (missing.length === 0 || listing.has(index)) continue;
    findings.note('not-indexed', `${index} is missing, which named ${missing.length} packs that backup ${manifest.backup} needs. Nothing is lost: the next backup that finds something new reads what those packs hold from themselves, \`holdfast repair index\` at once.`);
  }
}

/** Packs that nothing names; prune frees them. */
export function noteOrphans({ listing, findings }: Context, survey: PackSurvey): void {
  const ids = byId(survey);
  const orphans = listing.in('packs').filter(({ name }) => !ids.has(packIdOf(name)));
  if (orphans.length === 0) return;
  const bytes = orphans.reduce((sum, { size }) => sum + size, 0);
  findings.note('orphan-packs', `${orphans.length === 1 ? '1 pack' : `${orphans.length} packs`} (${sizeInWords(bytes)}) ${orphans.length === 1 ? 'is' : 'are'} needed by no backup: an unfinished run's, or a removed backup's. \`holdfast prune\` frees ${orphans.length === 1 ? 'it' : 'them'}.`);
}

function sizeInWords(bytes: number): string {
  return bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

function noteStrays({ listing, findings }: Context): void {
  for (const name of listing.strays.slice(0, 20)) findings.note('stray-object', `${name} is no object of this vault's format; nothing reads it.`);
}
