import { join } from 'node:path';
import { segmentName, segmentNumber } from '../../sources/postgres/wal/lsn.ts';
import { fetchWal } from './fetch-wal.ts';
import type { WalWanted } from './fetch-wal.ts';
import { bootIdOf, makeRoom, noteFetched } from './fetched-ahead.ts';
import type { AheadNote, AheadPlace } from './fetched-ahead.ts';

export interface Ahead {
  readonly place: AheadPlace;
  /** How many segments. */
  readonly count: number;
  readonly chosenBy: AheadNote['chosenBy'];
  readonly timeline: number;
  readonly segmentBytes: number;
}

/** Larger ones are not worth it: of those the bytes take the time, not the call. */
const MAX_AHEAD_BYTES = 64 << 20;
/** One is proved while another is read. */
const AT_ONCE = 2;

/**
 * Writes out the segments behind the one that was asked for, and answers how many. Ends at the first that the vault does
 * not hold whole or that cannot be read: when its turn comes, that is told. Throws where nothing can be kept.
 */
export async function fetchAhead(asked: WalWanted, { place, count, chosenBy, timeline, segmentBytes }: Ahead): Promise<number> {
  if (segmentBytes > MAX_AHEAD_BYTES) return 0;
  const next = segmentNumber(asked.name, segmentBytes) + 1;
  const names = Array.from({ length: count }, (_, index) => segmentName(timeline, next + index, segmentBytes));
  const folder = makeRoom(place, names);
  const bootId = bootIdOf();
  const rest = names[Symbol.iterator]();
  let done = 0;
  let isWell = true;
  const lane = async (): Promise<void> => {
    for (let name = rest.next(); !name.done && isWell; name = rest.next()) {
      try {
        const fetched = await fetchWal({ ...asked, name: name.value, target: join(folder, name.value), onlyWhole: true });
        if (fetched.found !== 'whole') break;
        noteFetched(folder, name.value, { sha256: fetched.sha256, systemId: asked.systemId, bootId, fetchedAt: place.now, chosenBy });
        done += 1;
      } catch {
        break;
      }
    }
    isWell = false;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return done;
}
