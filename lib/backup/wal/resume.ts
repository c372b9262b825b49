import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseWalObjectName, timelineInHex, walFolder, walObjectName } from '../../repository/index.ts';
import type { WalPlace } from '../../repository/index.ts';
import type { Store } from '../../stores/store.ts';
import { segmentName, segmentNumber, segmentOf } from '../../sources/postgres/wal/lsn.ts';

export interface Resuming extends WalPlace {
  readonly store: Pick<Store, 'list'>;
  readonly timeline: number;
  readonly segmentBytes: number;
  /** Where receiving would begin: what the slot says was received. */
  readonly confirmed: bigint;
}

/** Behind the slot, so many segments are looked for: 16 GiB as they usually are. One listing, of their names alone. */
const LOOKED_BACK = 1024;

/**
 * The first segment that the vault lacks behind what the slot says was received, which is so where a spool was lost with
 * segments in it. Undefined: it lacks none, or has nothing there to go on from, as of a plan that is new.
 */
export async function firstLacking({ store, plan, systemId, timeline, segmentBytes, confirmed }: Resuming): Promise<string | undefined> {
  const next = segmentOf(confirmed, segmentBytes);
  const nameOf = (number: number) => walObjectName({ plan, systemId, timeline, name: segmentName(timeline, number, segmentBytes), part: 1, parts: 1 });
  let last: number | undefined;
  const parts = new Map<number, number>();
  for await (const { name } of store.list(`${walFolder(plan, systemId)}${timelineInHex(timeline)}/`, nameOf(Math.max(0, next - LOOKED_BACK - 1)))) {
    const found = parseWalObjectName(name);
    if (found?.kind !== 'segment') continue;
    const number = segmentNumber(found.name, segmentBytes);
    if (number >= next) break;
    parts.set(number, (parts.get(number) ?? 0) + 1);
    if (parts.get(number) === found.parts) last = number;
  }
  return last === undefined || last + 1 >= next ? undefined : segmentName(timeline, last + 1, segmentBytes);
}

/** An empty beginning of a segment is where pg_receivewal begins (FindStreamingStart of its source), wherever the slot stands. */
export async function beginAt(folder: string, segment: string): Promise<string> {
  const path = join(folder, `${segment}.partial`);
  await writeFile(path, '', { mode: 0o600 });
  return path;
}
