// Restores one and the same tree into a directory: node restore-child.ts TARGET. Says `begin` and what came of it.
import { createHash } from 'node:crypto';
import { systemClock } from '../../lib/model/clock.ts';
import { executeRestore, outcomeOf, planRestore } from '../../lib/recovery/restore.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from './fixture-snapshot.ts';

const LARGE_PIECES = 60;
const SMALL_FILES = 300;

function bytes(seed: string, length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

async function main(target: string): Promise<void> {
  const snapshot = new FixtureSnapshot(new MemoryStore(systemClock), { treeChunkBytes: 4096 }).directory('', { mode: 0o755 }).directory('open', { mode: 0o755 }).directory('open/closed', { mode: 0o700 });
  for (let index = 0; index < SMALL_FILES; index++) await snapshot.file(`open/${index % 2 ? 'closed/' : ''}f${index}`, bytes(`f${index}`, index % 7 === 0 ? 200_000 : 40 * index), { mode: 0o640 });
  await snapshot.file('large', Array.from({ length: LARGE_PIECES }, (_, index) => bytes(`large ${index}`, 1 << 20)));
  await snapshot.file('open/last', bytes('last', 3000));
  const reader = await snapshot.build();
  process.stdout.write('begin\n');
  const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none' });
  process.stdout.write(`${outcomeOf(report) ?? 'done'}\n`);
}

await main(process.argv[2] as string);
