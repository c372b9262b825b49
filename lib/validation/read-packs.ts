import type { Clock } from '../model/clock.ts';
import { isHoldfastError } from '../model/errors.ts';
import { PACK_SIZES } from '../repository/index.ts';
import type { CheckPool } from './check-pool.ts';
import type { Context } from './context.ts';
import type { CoverageRecorder } from './coverage-recorder.ts';
import { inParallel } from './in-parallel.ts';
import { PackChecker } from './pack-check.ts';
import type { PackFindings, PackToCheck } from './pack-check.ts';
import { problemOf, throwIfInterrupted } from './problem.ts';

export interface VerifyProgress {
  readonly phase: 'structure' | 'reading';
  readonly packs: number;
  readonly totalPacks: number;
  readonly bytes: number;
  readonly totalBytes: number;
  /** Undefined in the first second. */
  readonly etaSeconds: number | undefined;
}

/** Asked before each pack: `longest` is the time that the slowest one took so far, in milliseconds. */
export type MayGoOn = (read: { readonly begun: number; readonly longest: number }) => boolean;

export interface Reading {
  readonly pool: CheckPool;
  readonly clock: Pick<Clock, 'now'>;
  readonly onProgress: ((progress: VerifyProgress) => void) | undefined;
  /** Notes what was read and is whole; whoever records the damage notes the other packs. */
  readonly recorder: CoverageRecorder | undefined;
  /** Without it all packs are read. */
  readonly mayGoOn?: MayGoOn;
}

/** A pack that was read in full and is not whole. */
export interface SpoiltPack extends PackFindings {
  readonly name: string;
  /** The recorder's time before it was read. */
  readonly since: number;
}

export interface ReadPacks {
  /** Read in full, whole or not. */
  readonly names: ReadonlySet<string>;
  readonly bytes: number;
  readonly spoilt: readonly SpoiltPack[];
  /** Some were left out, because it might not go on. */
  readonly isCutShort: boolean;
}

/**
 * Reads packs in full and in order, each once, a few at a time, and has every byte of them proved. Each is damage as soon
 * as it is found to be; a pack without digest that is gone is none, because nothing needs it.
 */
export async function readPacks(context: Context, packs: readonly { readonly ref: PackToCheck }[], { pool, clock, onProgress, recorder, mayGoOn = () => true }: Reading): Promise<ReadPacks> {
  const startedAt = clock.now();
  const totalBytes = packs.reduce((sum, { ref }) => sum + ref.size, 0);
  const read = { names: new Set<string>(), bytes: 0, spoilt: [] as SpoiltPack[], isCutShort: false };
  let begun = 0;
  let longest = 0;
  const tell = () => {
    const seconds = (clock.now() - startedAt) / 1000;
    const etaSeconds = seconds < 1 || read.bytes === 0 ? undefined : (seconds * (totalBytes - read.bytes)) / read.bytes;
    onProgress?.({ phase: 'reading', packs: read.names.size, totalPacks: packs.length, bytes: read.bytes, totalBytes, etaSeconds });
  };
  const spares: Uint8Array[] = [];
  await inParallel(packs, pool.width, async ({ ref }) => {
    throwIfInterrupted(context.signal);
    if (!mayGoOn({ begun, longest })) {
      read.isCutShort = true;
      return;
    }
    begun++;
    const packStartedAt = clock.now();
    const since = recorder?.time ?? 0;
    const spare = spares.pop() ?? new Uint8Array(new SharedArrayBuffer(SPARE_BYTES));
    const found = await readPack(context, ref, pool, spare);
    spares.push(spare);
    longest = Math.max(longest, clock.now() - packStartedAt);
    if (found === 'gone') return;
    read.names.add(ref.name);
    read.bytes += ref.size;
    if (found.problems.length > 0) read.spoilt.push({ name: ref.name, since, ...found });
    else await recorder?.add(ref.name, since);
    tell();
  }).catch(async (error: unknown) => {
    if (isHoldfastError(error, 'interrupted')) await recorder?.flush();
    throw error;
  });
  return read;
}

/** Room for the longest pack; memory that is never written takes none. Threads see it where it is. */
const SPARE_BYTES = PACK_SIZES.limitBytes + (1 << 20);
const NONE = new Uint8Array(0);

async function readPack(context: Context, ref: PackToCheck, pool: CheckPool, spare: Uint8Array): Promise<PackFindings | 'gone'> {
  const { findings } = context;
  const { name } = ref;
  try {
    const found = await proved(context, ref, pool, spare);
    for (const { problem } of found.problems) findings.damage(name, 'pack', problem, 'content');
    return found;
  } catch (error) {
    // Of a run under a key that this one was not given.
    if (isHoldfastError(error, 'wrong-key') && !context.hasAllKeys && ref.sha256 === undefined) return 'gone';
    // Listed a moment ago: gone or shorter by now is damage like any other.
    const problem = problemOf(error, context);
    if (problem === MISSING && ref.sha256 === undefined) return 'gone';
    findings.damage(name, 'pack', problem, 'content');
    return { problems: [{ problem, ids: NONE }], isLost: true };
  }
}

/** Threads have the keys of the start; this one may have met a number that was added meanwhile. */
async function proved({ repository }: Context, ref: PackToCheck, pool: CheckPool, spare: Uint8Array): Promise<PackFindings> {
  try {
    return await pool.check(ref, await repository.store.get(ref.name, undefined, { spare }));
  } catch (error) {
    if (!isHoldfastError(error, 'wrong-key')) throw error;
    return new PackChecker(repository.keys).check(ref, await repository.store.get(ref.name));
  }
}

const MISSING = 'it is missing';
