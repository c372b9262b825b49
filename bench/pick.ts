import { readFileSync } from 'node:fs';

/**
 * Ids from a tool's list of backups on standard input (one JSON array, or a JSON object a line).
 * usage: node bench/pick.ts FIELD newest|all-but-newest; a field may lead inwards: rootEntry.obj
 */
const [field = '', which = 'newest'] = process.argv.slice(2);
const text = readFileSync(0, 'utf8').trim();
const rows = (text.startsWith('[') ? JSON.parse(text) : text.split('\n').map((line) => JSON.parse(line))) as Record<string, unknown>[];
const ids = rows
  .sort((left, right) => (madeAt(left) < madeAt(right) ? -1 : 1))
  .map((row) => field.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], row));
process.stdout.write(`${(which === 'newest' ? ids.slice(-1) : ids.slice(0, -1)).join(' ')}\n`);

/** kopia tells the time; Holdfast's ids are in the order of time. */
function madeAt(row: Record<string, unknown>): string {
  return String(row['startTime'] ?? row['backup']);
}
