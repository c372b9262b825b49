import type { TableCount } from '../database-loader.ts';
import type { CountedTable } from '../source.ts';

/** What differs between a restored database and what was counted in the snapshot of its dump, for people (R8). */
export function compareCounts(wanted: readonly CountedTable[], seen: readonly TableCount[]): string[] {
  const rows = new Map(seen.map((table) => [`${table.schema}\0${table.table}`, table.rows]));
  return wanted.flatMap(({ schema, table, rows: expected, isEstimate }) => {
    const found = rows.get(`${schema}\0${table}`);
    if (found === undefined) return [`the table ${schema}.${table} is not there, it had ${expected} rows`];
    return found === expected || isEstimate === true ? [] : [`the table ${schema}.${table} has ${found} rows, ${expected} were counted when it was backed up`];
  });
}
