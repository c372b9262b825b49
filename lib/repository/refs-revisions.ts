import { isHoldfastError } from '../model/errors.ts';
import { damaged } from './format.ts';
import type { Manifest } from './manifest.ts';
import { names } from './names.ts';
import { decodeRefs, isSigned } from './refs.ts';
import type { Refs } from './refs.ts';
import type { Repository } from './repository.ts';
import { sha256 } from './seal.ts';

/** Whatever else stands behind the dot is no revision, and must not hide those that are. */
const REVISION = /^(0|[1-9][0-9]{0,8})$/;

/** `refs/<plan>/<backup>.<n>` → n; undefined for what only lies beside lists of packs, such as somebody's `….0.bak`. */
export function revisionOf(name: string): number | undefined {
  const [, text = ''] = /^refs\/[^/]+\/[^./]+\.([^/]*)$/.exec(name) ?? [];
  return REVISION.test(text) ? Number(text) : undefined;
}

/** What stands of one backup's lists of packs (format §8). */
export interface RefsRevisions {
  /** The greatest genuine revision: the one that counts. */
  readonly newest: Refs | undefined;
  /** The greatest number that is taken, genuine or not; -1 when there is none. */
  readonly greatest: number;
  /** What is wrong with the last one that was looked at and is not genuine. */
  readonly problem: string | undefined;
}

export async function readRevisions(repository: Repository, manifest: Manifest): Promise<RefsRevisions> {
  const numbers = await listRevisions(repository, manifest);
  const [greatest = -1] = numbers;
  let problem: string | undefined;
  for (const revision of numbers) {
    const read = await readGenuine(repository, manifest, revision);
    if (typeof read !== 'string') return { newest: read, greatest, problem };
    problem = read;
  }
  return { newest: undefined, greatest, problem };
}

/** The greatest valid revision of a backup's refs (format §8); `damaged` when there is none. */
export async function readRefs(repository: Repository, manifest: Manifest): Promise<Refs> {
  const { newest, greatest, problem } = await readRevisions(repository, manifest);
  if (newest) return newest;
  const first = names.refs(manifest.plan, manifest.backup, 0);
  if (greatest < 0) throw damaged(`The refs ${first} are missing: the backup ${manifest.backup} cannot say which packs it needs`);
  throw damaged(greatest === 0 ? (problem as string) : `No revision of the refs of backup ${manifest.backup} is genuine: ${problem}`);
}

/** Numbers of all revisions, greatest first. */
async function listRevisions({ store }: Repository, { plan, backup }: Manifest): Promise<number[]> {
  const prefix = names.refs(plan, backup, 0).slice(0, -1);
  const numbers: number[] = [];
  for await (const { name } of store.list(`refs/${plan}/`)) {
    const number = name.startsWith(prefix) ? revisionOf(name) : undefined;
    if (number !== undefined) numbers.push(number);
  }
  return numbers.sort((left, right) => right - left);
}

/** A revision that is damaged or forged takes nothing away from those before it: what is wrong with it, in words. */
async function readGenuine(repository: Repository, manifest: Manifest, revision: number): Promise<Refs | string> {
  const name = names.refs(manifest.plan, manifest.backup, revision);
  try {
    const stored = await repository.store.get(name);
    const refs = decodeRefs(stored, name, repository.config.repository);
    const isGenuine = revision === 0 ? sha256(stored).toString('hex') === manifest.refsSha256 : isSigned(repository.keys, name, refs);
    if (isGenuine) return refs;
    return revision === 0 ? `The refs ${name} are not those that the manifest names` : `The refs ${name} do not carry the signature of this vault`;
  } catch (error) {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) return error.message;
    throw error;
  }
}
