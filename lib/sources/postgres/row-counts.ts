import { isHoldfastError } from '../../model/errors.ts';
import type { CountedTable } from '../source.ts';
import type { ListedTable, SnapshotSession } from './snapshot-session.ts';

/** `auto`: as many tables as `COUNTED_BYTES` allow, the smallest first; of others the planner's estimate. */
export type RowCounts = 'auto' | 'exact' | 'none';

/** Counting reads a table once more, mostly from memory: pg_dump reads it at the same time. */
const COUNTED_BYTES = 16 * 2 ** 30;
/** Evidence lies in the manifest, which every list of backups reads. */
const KEPT_TABLES = 10_000;

/** What is kept beside a dump, to compare a restored database with. */
export interface DatabaseFacts {
  readonly tables: readonly CountedTable[];
  readonly versions: Readonly<Record<string, string>>;
}

export async function databaseFacts(snapshot: SnapshotSession, how: Exclude<RowCounts, 'none'>): Promise<DatabaseFacts> {
  return { versions: await snapshot.extensions(), tables: await countRows(snapshot, how) };
}

/** A session that failed took its snapshot with it: then its reason is the one to tell, and not that the snapshot is gone. */
export async function reasonOf(error: unknown, facts: Promise<DatabaseFacts> | undefined): Promise<unknown> {
  if (!isHoldfastError(error) || !/snapshot ".*" does not exist/.test(error.message)) return error;
  const cause: unknown = await facts?.then(() => undefined, (reason: unknown) => reason);
  return cause ?? error;
}

/** Rows of every table in the snapshot, in order of their names. */
export async function countRows(snapshot: SnapshotSession, how: Exclude<RowCounts, 'none'>, countedBytes = COUNTED_BYTES): Promise<CountedTable[]> {
  const tables = (await snapshot.tables()).slice(-KEPT_TABLES);
  const limit = how === 'exact' ? Number.POSITIVE_INFINITY : countedBytes;
  const counted: CountedTable[] = [];
  const exact: ListedTable[] = [];
  let bytes = 0;
  for (const table of tables) {
    bytes += table.bytes;
    if (bytes <= limit) exact.push(table);
    else if (table.estimatedRows !== undefined) counted.push({ schema: table.schema, table: table.table, rows: table.estimatedRows, isEstimate: true });
  }
  await snapshot.lock(exact);
  for (const table of exact) counted.push({ schema: table.schema, table: table.table, rows: await snapshot.rowsOf(table) });
  return counted.sort((left, right) => order(left.schema, right.schema) || order(left.table, right.table));
}

/** For the list of what proves a dump. */
export function countsInWords(tables: readonly CountedTable[]): string {
  const estimated = tables.filter(({ isEstimate }) => isEstimate === true).length;
  return `rows of ${tables.length - estimated} tables counted in the same snapshot${estimated > 0 ? `, of ${estimated} larger ones estimated` : ''}`;
}

function order(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
