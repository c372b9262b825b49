import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { environmentOf, fill } from './command-line.ts';
import { ChangingTree, changeStream, makeStream, makeTree } from './data.ts';
import { measure } from './measure.ts';
import { writeReport } from './report.ts';
import type { Row } from './report.ts';
import { difference, readAll, sizeOf } from './restored.ts';
import { TOOLS } from './tools.ts';
import type { Steps, Tool } from './tools.ts';

const HELP = `Measures Holdfast against whichever of kopia, restic, rustic, borg and tar|zstd are on PATH: the same data, one run, tools taking turns, medians.
usage: npm run bench -- [--tree DIR] [--stream FILE [--second FILE]] [--files N] [--megabytes N] [--work DIR] [--repeat N] [--tools a,b] [--dry-run]
  --tree DIR      a copy of DIR instead of a made tree of --files files (4000); 1 % of its files change
  --stream FILE   FILE instead of a made dump of --megabytes MB (64); --second FILE: the later dump, else 1 % of the bytes change
                  one of --tree and --stream measures that alone
  --work DIR      where data, repositories and restores go (/dev/shm: measures the tools, not the disk)
  --repeat N      turns (3)     --tools a,b   only tools whose name begins so, beside Holdfast     --dry-run   print to the terminal alone
Writes a section of bench/RESULTS.md and appends bench/results.jsonl.`;

let made: string | undefined;
const { values } = parseArgs({
  options: {
    tree: { type: 'string' }, stream: { type: 'string' }, second: { type: 'string' }, files: { type: 'string', default: '4000' }, megabytes: { type: 'string', default: '64' },
    work: { type: 'string' }, repeat: { type: 'string', default: '3' }, tools: { type: 'string' }, 'dry-run': { type: 'boolean', default: false }, help: { type: 'boolean', default: false },
  },
});
if (values.help) fail(HELP, 0);
for (const path of [values.tree, values.stream, values.second]) if (path !== undefined && !existsSync(path)) fail(`${path} is not there.\n${HELP}`);
if (!existsSync('dist/holdfast.mjs')) fail('dist/holdfast.mjs is missing: run `npm run build` first.');
/** Files changed less than two seconds ago are read again by careful tools: no tool gets that for free. */
const SETTLE_MILLISECONDS = 2500;

const work = (made = mkdtempSync(join(resolve(values.work ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())), 'holdfast-bench-')));
const rows: Row[] = [];
const present = TOOLS.flatMap((tool) => versionOf(tool));
try {
  const wants = { tree: values.stream === undefined || values.tree !== undefined, stream: values.tree === undefined || values.stream !== undefined };
  if (wants.tree) await measureTree();
  if (wants.stream) await measureStream();
  const given = [values.tree, values.stream].flatMap((path) => (path === undefined ? [] : [`${basename(path)} (${Math.round(sizeOf(path) / 1e6)} MB)`]));
  writeReport(rows, { tools: present, work, repeat: Number(values.repeat), data: given.length > 0 ? given.join(', ') : `made by the script (${values.files} files, ${values.megabytes} MB)`, isDryRun: values['dry-run'] });
} finally {
  rmSync(work, { recursive: true, force: true });
}

function versionOf(tool: Tool): { tool: Tool; version: string }[] {
  const isWanted = values.tools === undefined || tool.name === 'holdfast' || values.tools.split(',').some((name) => tool.name.startsWith(name));
  if (!isWanted) return [];
  const found = spawnSync('sh', ['-c', fill(tool.version, {})], { encoding: 'utf8' });
  const [version = ''] = /\d+(\.\d+)+[\w.-]*/.exec(found.stdout) ?? [];
  process.stderr.write(found.status === 0 ? `${tool.name}: ${version}\n` : `${tool.name}: not found, left out\n`);
  return found.status === 0 ? [{ tool, version }] : [];
}

async function measureTree(): Promise<void> {
  const fresh = join(work, 'fresh');
  if (values.tree === undefined) makeTree(fresh, Number(values.files));
  const source = values.tree ?? fresh;
  refuseIfFull(sizeOf(source) * 5);
  const tree = new ChangingTree(source, work);
  rmSync(fresh, { recursive: true, force: true });
  const before = () => (tree.changeBack(), pause());
  await inTurns('tree', { src: tree.root, change: () => (tree.change(), tree.root), before });
  rmSync(tree.root, { recursive: true });
}

async function measureStream(): Promise<void> {
  const first = values.stream === undefined ? join(work, 'first') : resolve(values.stream);
  if (values.stream === undefined) makeStream(first, Number(values.megabytes));
  refuseIfFull(sizeOf(first) * 4);
  const second = values.second === undefined ? join(work, 'second') : resolve(values.second);
  if (values.second === undefined) await changeStream(first, second);
  await inTurns('stream', { src: first, change: () => second, before: async () => undefined });
}

interface Data {
  readonly src: string;
  /** Changes 1 % and says where the changed state is. */
  readonly change: () => string;
  readonly before: () => Promise<void>;
}

async function inTurns(set: 'tree' | 'stream', data: Data): Promise<void> {
  for (let turn = 0; turn < Number(values.repeat); turn++) {
    // Another one goes first each time.
    for (const index of present.keys()) await oneTurn(set, data, (present[(index + turn) % present.length] as (typeof present)[0]).tool, turn);
  }
}

async function oneTurn(set: 'tree' | 'stream', data: Data, tool: Tool, turn: number): Promise<void> {
  await data.before();
  const place = mkdtempSync(join(work, 'turn-'));
  const places = { repo: join(place, 'repo'), out: join(place, 'out'), home: join(place, 'home') };
  for (const folder of Object.values(places)) mkdirSync(folder);
  const steps: Steps = tool[set];
  let src = data.src;
  const run = async (step: string, command: string): Promise<void> => {
    // So that no tool pays for what another one finds in memory.
    readAll(step.startsWith('backup') ? src : places.repo);
    const outcome = await measure(fill(command, { ...places, src, now: step }), environmentOf(tool, places), join(places.home, 'times'));
    if ('message' in outcome) fail(`${tool.name}, ${step} of the ${set}: exit code ${outcome.exitCode}\n${outcome.message}`);
    note({ set, tool: tool.name, step, turn, ...outcome, storedBytes: sizeOf(places.repo) });
  };
  try {
    await run('init', tool.init);
    await run('backup, first', steps.backup);
    if (!tool.isOneShot) {
      await run('backup, unchanged', steps.backup);
      src = data.change();
      await run('backup, 1 % changed', steps.backup);
    }
    await run('restore', steps.restore);
    const wrong = set === 'tree' ? difference(src, places.out) : difference(src, join(places.out, 'dump'));
    if (wrong) fail(`${tool.name} did not give back what it was given: ${wrong}`);
    await run('verify in full', tool.verify);
    if (tool.prune) await run('prune', tool.prune);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function note(row: Row): void {
  rows.push(row);
  if (!values['dry-run']) appendFileSync('bench/results.jsonl', `${JSON.stringify({ at: new Date().toISOString(), ...row })}\n`);
  process.stderr.write(`${row.tool}: ${row.set} ${row.step} ${row.wallSeconds.toFixed(2)} s\n`);
}

function refuseIfFull(wanted: number): void {
  const { bavail, bsize } = statfsSync(work);
  if (bavail * bsize < wanted) fail(`${work} has ${Math.round((bavail * bsize) / 1e6)} MB free, wanted ${Math.round(wanted / 1e6)}: name a larger place with --work, or less data.`);
}

function pause(): Promise<void> {
  return new Promise((done) => void setTimeout(done, SETTLE_MILLISECONDS));
}

function fail(message: string, code = 2): never {
  (code === 0 ? console.log : console.error)(message);
  if (made !== undefined) rmSync(made, { recursive: true, force: true });
  process.exit(code);
}
