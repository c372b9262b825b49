import { fromText } from '../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { isVoid, listSnapshots, readManifest, readVerdicts, standingVerdict } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import type { ObjectInfo } from '../stores/store.ts';
import { complaintOf } from '../validation/complaint.ts';
import { absolutePaths, streamPlanName } from './backup-order.ts';
import { planIdOf } from './plan-id.ts';

export interface FoundBackup {
  readonly backup: string;
  readonly plan: string;
  /** Its object below `snapshots/`. */
  readonly name: string;
  /** Of `latest`: newer backups that are not good were passed over, told in words. */
  readonly passedOver?: string;
}

const NEXT_STEP = 'Run `holdfast list` for the ids.';

/**
 * The backup that a person means: a whole id or the beginning of one, `latest` (the newest good one of all plans) or
 * `latest:PLAN`, where PLAN is a name or a path that was backed up. Asks the vault alone. `not-found`; `usage` when
 * several begin so.
 */
export async function findBackup(repository: Repository, wanted: string, workingFolder: string): Promise<FoundBackup> {
  const isLatest = wanted === 'latest' || wanted.startsWith('latest:');
  const { name, passedOver } = isLatest ? await findLatest(repository, wanted.slice('latest:'.length), workingFolder) : { name: await findByPrefix(repository, wanted) };
  return { name, backup: name.slice(name.lastIndexOf('/') + 1), plan: name.split('/')[1] ?? '', ...(passedOver !== undefined && { passedOver }) };
}

async function findByPrefix(repository: Repository, wanted: string): Promise<string> {
  const prefix = wanted.toUpperCase();
  const names = prefix === '' ? [] : (await listSnapshots(repository.store)).map(({ name }) => name).filter((name) => name.slice(name.lastIndexOf('/') + 1).startsWith(prefix));
  const [only] = names;
  if (only === undefined) throw new HoldfastError('not-found', `No backup begins with ${JSON.stringify(wanted)}.`, { nextStep: NEXT_STEP });
  if (names.length === 1) return only;
  const candidates = names.slice(0, 5).map((name) => name.slice(name.lastIndexOf('/') + 1));
  throw new HoldfastError('usage', `${JSON.stringify(wanted)} is the beginning of ${names.length} backups (${candidates.join(', ')}${names.length > 5 ? ', ...' : ''}), wanted one.`, { nextStep: 'Give more characters of the id.', data: { candidates } });
}

async function findLatest(repository: Repository, planName: string, workingFolder: string): Promise<{ readonly name: string; readonly passedOver?: string }> {
  const ofPlan = planName === '' ? await listSnapshots(repository.store) : await snapshotsOfPlan(repository, planName, workingFolder);
  const newestFirst = ofPlan.sort((left, right) => (idOf(left) < idOf(right) ? 1 : -1));
  const unfit: { readonly id: string; readonly reason: string }[] = [];
  for (const snapshot of newestFirst) {
    const reason = await complaintAbout(repository, snapshot);
    if (reason === undefined) return { name: snapshot.name, ...(unfit[0] && { passedOver: wordsOn(unfit, idOf(snapshot)) }) };
    unfit.push({ id: idOf(snapshot), reason });
  }
  const where = planName === '' ? 'this vault' : `the plan ${planName}`;
  const [newest] = unfit;
  if (newest === undefined) throw new HoldfastError('not-found', `There is no backup in ${where}.`, { nextStep: NEXT_STEP });
  throw new HoldfastError('damaged', `No backup in ${where} is good; the newest of ${unfit.length}, ${newest.id}: ${newest.reason}`, { nextStep: `What is whole in it can be had by its id: holdfast restore ${newest.id} --to DIR.` });
}

function wordsOn(unfit: readonly { readonly id: string; readonly reason: string }[], taken: string): string {
  const [newest] = unfit;
  const others = unfit.length > 1 ? ` (and ${unfit.length - 1} more)` : '';
  return `${newest?.id}${others} is newer and not good: ${newest?.reason} ${taken} is taken instead. \`holdfast verify\` says more, and \`holdfast repair packs --dry-run\` what can be healed.`;
}

/** A name may be that of a plan, of a stream, or a path: ids are made of names, so each is tried. */
async function snapshotsOfPlan(repository: Repository, planName: string, workingFolder: string): Promise<ObjectInfo[]> {
  const secret = repository.keys.keys.chunker;
  const byName = [planName, streamPlanName('stdin', planName), streamPlanName('command', planName)].map((name) => [fromText(name)]);
  const byPath = [absolutePaths([planName], workingFolder), absolutePaths(planName.split(', '), workingFolder)].map((paths) => paths.map(fromText));
  const found = new Map<string, ObjectInfo>();
  for (const parts of [...byName, ...byPath]) for (const snapshot of await listSnapshots(repository.store, planIdOf(secret, parts))) found.set(snapshot.name, snapshot);
  return [...found.values()];
}

/** Why a backup is not good, as far as the newest word about it goes; packs are not looked at. */
async function complaintAbout(repository: Repository, snapshot: ObjectInfo): Promise<string | undefined> {
  try {
    const { manifest } = await readManifest(repository, snapshot.name);
    const verdicts = await readVerdicts(repository, manifest.backup);
    const complaint = complaintOf(manifest, verdicts);
    if (complaint !== undefined) return complaint;
    const isTooLate = standingVerdict(verdicts) === undefined && isVoid(manifest.checkedAt, snapshot.storedAt);
    return isTooLate ? 'it was stored too late to be trusted.' : undefined;
  } catch (error) {
    if (isHoldfastError(error, 'damaged')) return error.message;
    throw error;
  }
}

function idOf({ name }: ObjectInfo): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
