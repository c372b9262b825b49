import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { listSnapshots, readManifest, readVerdicts } from '../../repository/index.ts';
import type { Manifest, Repository } from '../../repository/index.ts';
import { complaintOf } from '../../validation/complaint.ts';

/** One backup as far as it opens. */
export interface ReadBackup {
  readonly backup: string;
  readonly plan: string;
  /** Its object below `snapshots/`. */
  readonly name: string;
  readonly manifest?: Manifest;
  /** Why it is not good; undefined when nothing is known against it. Packs are not looked at. */
  readonly complaint?: string;
}

/** Every backup of the vault, newest first. What does not open is there with its complaint. */
export async function readBackups(repository: Repository): Promise<ReadBackup[]> {
  const backups: ReadBackup[] = [];
  for (const { name } of await listSnapshots(repository.store)) backups.push(await readOne(repository, name));
  return backups.sort((left, right) => (left.backup < right.backup ? 1 : -1));
}

async function readOne(repository: Repository, name: string): Promise<ReadBackup> {
  const [, plan = '', backup = ''] = name.split('/');
  try {
    const { manifest } = await readManifest(repository, name);
    const complaint = complaintOf(manifest, await readVerdicts(repository, backup));
    return { backup, plan, name, manifest, ...(complaint !== undefined && { complaint }) };
  } catch (error) {
    if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'wrong-key') && !isHoldfastError(error, 'unsupported-version')) throw error;
    return { backup, plan, name, complaint: error.message };
  }
}

/**
 * The backup that a person means: an id or the beginning of one, `latest`, or `latest:PLAN` with the plan's name or id.
 * `not-found`; `usage` when several begin so; `damaged` when there is no good one.
 */
export async function findBackup(repository: Repository, wanted: string): Promise<ReadBackup> {
  return wanted === 'latest' || wanted.startsWith('latest:') ? findLatest(repository, wanted.slice('latest:'.length)) : findByPrefix(repository, wanted);
}

async function findByPrefix(repository: Repository, wanted: string): Promise<ReadBackup> {
  const prefix = wanted.toUpperCase();
  const found = (await listSnapshots(repository.store)).map(({ name }) => name).filter((name) => prefix !== '' && name.slice(name.lastIndexOf('/') + 1).startsWith(prefix));
  const [name] = found;
  if (name === undefined) throw new HoldfastError('not-found', `No backup begins with ${JSON.stringify(wanted)}.`, { nextStep: 'Run `holdfast list` for the ids.' });
  if (found.length > 1) throw new HoldfastError('usage', `${JSON.stringify(wanted)} is the beginning of ${found.length} backups, wanted one.`, { nextStep: 'Give more characters of the id.' });
  return readOne(repository, name);
}

async function findLatest(repository: Repository, plan: string): Promise<ReadBackup> {
  const backups = (await readBackups(repository)).filter((backup) => plan === '' || isOfPlan(backup, plan));
  const good = backups.find(({ complaint }) => complaint === undefined);
  if (good) return good;
  const where = plan === '' ? 'this vault' : `the plan ${plan}`;
  const [newest] = backups;
  if (newest === undefined) throw new HoldfastError('not-found', `There is no backup in ${where}.`, { nextStep: 'Run `holdfast list` for the ids and plans.' });
  throw new HoldfastError('damaged', `No backup in ${where} is good; the newest of ${backups.length}, ${newest.backup}: ${newest.complaint}`, { nextStep: `What is whole in it can be had by its id: \`holdfast restore ${newest.backup} --to DIR\`.` });
}

function isOfPlan({ plan, manifest }: ReadBackup, wanted: string): boolean {
  return plan === wanted || manifest?.planName === wanted;
}
