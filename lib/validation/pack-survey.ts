import { HEADER_BYTES, packHeader, packIdOf, readPackDirectory } from '../repository/index.ts';
import type { PackRef, Refs } from '../repository/index.ts';
import type { Context } from './context.ts';
import { inParallel } from './in-parallel.ts';
import { PackedChunks } from './packed-chunks.ts';
import { problemOf, throwIfInterrupted } from './problem.ts';

/** One pack that a verified backup needs. */
export interface SurveyedPack {
  /** Position among the surveyed packs; `PackedChunks` knows it by this. */
  readonly ordinal: number;
  readonly ref: PackRef;
  readonly isMeta: boolean;
  chunks: number;
  /** Missing, or its directory cannot be read: nothing in it can be found. */
  isLost: boolean;
  /** Its directory was not looked at: what is in it is not known. */
  readonly isUnopened?: boolean;
}

export function isDirectoryKnown({ isLost, isUnopened }: SurveyedPack): boolean {
  return !isLost && !isUnopened;
}

export interface PackSurvey {
  /** By name. */
  readonly packs: ReadonlyMap<string, SurveyedPack>;
  readonly chunks: PackedChunks;
  /** Names of packs that a readable index names; filled when indexes are looked at. */
  readonly indexed: Set<string>;
  /** Names of index objects that a readable index stands for. */
  readonly superseded: Set<string>;
}

const AT_ONCE = 8;

/** Each pack once, however many backups share it: listed with its size, header, footer, directory. */
export async function surveyPacks(context: Context, lists: readonly Refs[]): Promise<PackSurvey> {
  const packs = gather(context, lists);
  const chunks = new PackedChunks();
  await inParallel(packs.values(), AT_ONCE, async (pack) => {
    throwIfInterrupted(context.signal);
    await surveyPack(context, pack, chunks);
  });
  return { packs, chunks, indexed: new Set(), superseded: new Set() };
}

/** Only what the listing shows of them: there, and of their size. */
export function surveyListing(context: Context, lists: readonly Refs[]): PackSurvey {
  const packs = gather(context, lists, true);
  for (const pack of packs.values()) noteUnlisted(context, pack);
  return { packs, chunks: new PackedChunks(), indexed: new Set(), superseded: new Set() };
}

function gather({ findings }: Context, lists: readonly Refs[], isUnopened = false): Map<string, SurveyedPack> {
  const packs = new Map<string, SurveyedPack>();
  for (const { packs: refs } of lists) {
    for (const ref of refs) {
      const known = packs.get(ref.name)?.ref;
      if (!known) packs.set(ref.name, { ordinal: packs.size, ref, isMeta: ref.name.startsWith('packs/meta/'), chunks: 0, isLost: false, ...(isUnopened && { isUnopened }) });
      else if (known.size !== ref.size || known.sha256 !== ref.sha256) findings.damage(ref.name, 'pack', 'two backups name it with different sizes or digests');
    }
  }
  return packs;
}

async function surveyPack(context: Context, pack: SurveyedPack, chunks: PackedChunks): Promise<void> {
  const { repository, findings } = context;
  const { name, size } = pack.ref;
  if (noteUnlisted(context, pack)) return;
  try {
    const directory = await readPackDirectory(repository.store, repository.keys, name, size);
    for (const frame of directory.frames) {
      pack.chunks += frame.chunks.length;
      for (const chunk of frame.chunks) chunks.add(pack.ordinal, chunk.id, chunk.length);
    }
    const header = await repository.store.get(name, { offset: 0, length: HEADER_BYTES });
    const wanted = repository.keys.keys.pairs.map(({ number }) => packHeader(directory.cipher, number));
    if (!wanted.some((candidate) => candidate.equals(header))) findings.damage(name, 'pack', 'it does not begin like a pack: its header was altered');
  } catch (error) {
    findings.damage(name, 'pack', problemOf(error, context));
    pack.isLost = true;
  }
}

function noteUnlisted({ listing, findings }: Context, pack: SurveyedPack): boolean {
  const { name, size } = pack.ref;
  const listed = listing.objects.get(name)?.size;
  if (listed === size) return false;
  findings.damage(name, 'pack', listed === undefined ? 'it is missing' : `it has ${listed} bytes, wanted ${size}`);
  pack.isLost = true;
  return true;
}

/** Packs of the vault by the last component of their names. */
export function byId(survey: PackSurvey): Map<string, SurveyedPack> {
  return new Map([...survey.packs].map(([name, pack]) => [packIdOf(name), pack]));
}
