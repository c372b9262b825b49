import { existsSync, mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryBudgetBytes } from '../lib/engine/memory-budget.ts';
import { CHUNKER_SIZES, PACK_SIZES } from '../lib/repository/index.ts';
import { environmentOf, fill } from './command-line.ts';
import { makeStream, makeTree } from './data.ts';
import { measure } from './measure.ts';
import { sizeOf } from './restored.ts';
import { TOOLS } from './tools.ts';

/**
 * Proves the memory budget (docs/memory.md) at 2 and at 16 threads, on a made tree and a made dump.
 * usage: node bench/memory.ts [MEGABYTES of each, 600]; needs npm run build. Exit code 1 when a run takes more than its budget.
 */
const megabytes = Number(process.argv[2] ?? 600);
const holdfast = TOOLS[0] as (typeof TOOLS)[0];
const MIB = 1 << 20;
if (!existsSync('dist/holdfast.mjs')) throw new Error('dist/holdfast.mjs is missing: run `npm run build` first.');

const work = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-memory-'));
try {
  makeStream(join(work, 'dump'), megabytes);
  makeTree(join(work, 'tree'), megabytes * 20);
  for (const threads of [2, 16]) {
    await prove(threads, 'dump', holdfast.stream.backup.replace(' < ', ` --threads ${threads} < `));
    await prove(threads, 'tree', `${holdfast.tree.backup} --threads ${threads}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function prove(threads: number, set: 'dump' | 'tree', backup: string): Promise<void> {
  const places = { repo: join(work, 'repo'), home: join(work, 'home'), src: join(work, set), now: 'first' };
  for (const folder of [places.repo, places.home]) mkdirSync(folder);
  const environment = environmentOf(holdfast, places);
  await measure(fill(holdfast.init, places), environment, join(work, 'times'));
  const outcome = await measure(fill(backup, places), environment, join(work, 'times'));
  if ('message' in outcome) throw new Error(outcome.message);
  const chunks = set === 'tree' ? megabytes * 20 : (megabytes * 1e6) / CHUNKER_SIZES.streams.min;
  const budget = memoryBudgetBytes({ threads, packSizes: PACK_SIZES, chunker: CHUNKER_SIZES }, chunks) / MIB;
  const peak = outcome.peakKiB / 1024;
  console.log(`${set}, ${Math.round(sizeOf(places.src) / 1e6)} MB, ${threads} threads: peak ${Math.round(peak)} MiB, budget ${Math.round(budget)} MiB, ${outcome.wallSeconds.toFixed(1)} s`);
  if (peak > budget) process.exitCode = 1;
  for (const folder of [places.repo, places.home]) rmSync(folder, { recursive: true });
}
