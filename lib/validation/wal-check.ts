import { listWal, parseKeptNote, parseWalObjectName, readWal, sha256 } from '../repository/index.ts';
import type { WalEntry } from '../repository/index.ts';
import type { ObjectInfo } from '../stores/store.ts';
import type { Context } from './context.ts';
import { inParallel } from './in-parallel.ts';
import { problemOf, throwIfInterrupted } from './problem.ts';
import { SAMPLE_WHOLE_BYTES } from './sample.ts';
import type { SampleTurn } from './sample.ts';

/** Each may hold 32 MiB and what that unfolds to. */
const AT_ONCE = 2;

/**
 * Reads WAL (format §16): all of it, or what belongs to the turn of a sample. No backup is touched by damage here: what is
 * lost are moments behind it.
 */
export async function checkWal(context: Context, sample: SampleTurn | undefined): Promise<void> {
  const { listing, findings } = context;
  const objects = listing.in('wal');
  const strays = [...objects.filter(({ name }) => parseWalObjectName(name) === undefined), ...listing.in('wal-kept').filter(({ name }) => parseKeptNote(name) === undefined)];
  for (const { name } of strays.slice(0, 20)) findings.note('stray-object', `${name} is no object of this vault's format; nothing reads it.`);
  const plans = new Set(objects.flatMap(({ name }) => parseWalObjectName(name)?.plan ?? []));
  const isAll = sample === undefined || objects.reduce((sum, { size }) => sum + size, 0) <= SAMPLE_WHOLE_BYTES;
  for (const plan of plans) {
    const entries = await listWal({ list: (prefix) => inOrder(objects.filter(({ name }) => name.startsWith(prefix))) }, plan);
    await inParallel(entries.filter((entry) => isAll || isTurn(entry, sample)), AT_ONCE, (entry) => checkEntry(context, entry));
  }
}

async function checkEntry(context: Context, entry: WalEntry): Promise<void> {
  const { repository, findings, signal } = context;
  throwIfInterrupted(signal);
  const [first] = entry.objects;
  if (!entry.isComplete) return findings.note('unfinished-run', `${first?.name} has not all of its parts: whoever stored them was stopped. It is no WAL until they are there.`);
  try {
    await readWal(repository, entry, async () => undefined);
  } catch (error) {
    const problem = problemOf(error, context);
    // Beginnings of segments go when something longer is there.
    if (problem !== 'it is missing' && first !== undefined) findings.damage(first.name, 'wal', problem);
  }
}

async function* inOrder(objects: readonly ObjectInfo[]): AsyncGenerator<ObjectInfo> {
  yield* objects;
}

/** Of a file always the same one, as with packs. */
function isTurn({ name, systemId }: WalEntry, { part, parts }: SampleTurn): boolean {
  return sha256(Buffer.from(`${systemId}/${name}`)).readUInt32BE(0) % parts === part;
}
