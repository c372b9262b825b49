import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryBudgetBytes } from '../lib/engine/memory-budget.ts';
import { CHUNKER_SIZES, PACK_SIZES } from '../lib/repository/index.ts';
import { environmentOf, fill } from './command-line.ts';
import { measure } from './measure.ts';
import { TOOLS } from './tools.ts';

/**
 * A million small files, each with a content of its own: first and unchanged run, peak memory against the budget
 * (docs/memory.md). usage: node bench/many-files.ts [FILES, 1000000] [WORK]; needs npm run build, and for a tmpfs 6 GB
 * of memory. Exit code 1 when a run takes more than its budget.
 */
const files = Number(process.argv[2] ?? 1_000_000);
const place = process.argv[3] ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir());
const holdfast = TOOLS[0] as (typeof TOOLS)[0];
const FILES_IN_FOLDER = 1000;
const THREADS = 2;
if (!existsSync('dist/holdfast.mjs')) throw new Error('dist/holdfast.mjs is missing: run `npm run build` first.');
const { bavail, bsize } = statfsSync(place);
if (bavail * bsize < files * 6000) throw new Error(`${place} has ${Math.round((bavail * bsize) / 1e6)} MB free, wanted ${Math.round((files * 6000) / 1e6)}: name another place.`);

const work = mkdtempSync(join(place, 'holdfast-many-'));
const places = { repo: join(work, 'repo'), home: join(work, 'home'), src: join(work, 'tree'), now: 'first' };
try {
  for (const folder of [places.repo, places.home, places.src]) mkdirSync(folder);
  for (let number = 0; number < files; number++) {
    const folder = join(places.src, `folder-${Math.floor(number / FILES_IN_FOLDER)}`);
    if (number % FILES_IN_FOLDER === 0) mkdirSync(folder);
    writeFileSync(join(folder, `file-${number}.txt`), `file ${number}\n${'some text '.repeat(number % 30)}`);
  }
  const environment = environmentOf(holdfast, places);
  const budget = memoryBudgetBytes({ threads: THREADS, packSizes: PACK_SIZES, chunker: CHUNKER_SIZES }, files);
  await measure(fill(holdfast.init, places), environment, join(work, 'times'));
  for (const step of ['first', 'unchanged', 'unchanged again']) {
    const outcome = await measure(fill(`${holdfast.tree.backup} --threads ${THREADS}`, places), environment, join(work, 'times'));
    if ('message' in outcome) throw new Error(outcome.message);
    const peak = outcome.peakKiB * 1024;
    console.log(`${files} files, ${step}: ${outcome.wallSeconds.toFixed(1)} s, ${outcome.cpuSeconds.toFixed(1)} CPU s, peak ${Math.round(peak / 2 ** 20)} MiB, budget ${Math.round(budget / 2 ** 20)} MiB`);
    if (peak > budget) process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
