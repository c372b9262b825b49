import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { TOOLS } from './tools.ts';
import type { Tool } from './tools.ts';

/**
 * Measures Holdfast against whichever peers are on PATH: the same data, one run, tools taking turns, medians.
 * usage: node bench/compare.ts --tree DIR | --stream FILE [--work DIR] [--repeat N] [--tools a,b]
 * Repositories and restores go below --work (a tmpfs such as /dev/shm measures the tools and not the disk).
 */
const USAGE = 'usage: node bench/compare.ts --tree DIR | --stream FILE [--work DIR] [--repeat N] [--tools a,b]';
const TIME = '/usr/bin/time';

interface Measure {
  readonly tool: string;
  readonly step: string;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakKiB: number;
}

const { values } = parseArgs({ options: { tree: { type: 'string' }, stream: { type: 'string' }, work: { type: 'string', default: '/dev/shm' }, repeat: { type: 'string', default: '3' }, tools: { type: 'string' } } });
const source = values.tree ?? values.stream;
if (source === undefined || !existsSync(source)) fail(USAGE);
if (!existsSync(TIME)) fail(`${TIME} is missing: it gives CPU time and peak memory (Debian: apt-get install time).`);
if (!existsSync('dist/holdfast.mjs')) fail('dist/holdfast.mjs is missing: run `npm run build` first.');

const present = TOOLS.filter((tool) => isWanted(tool) && isPresent(tool));
const measures: Measure[] = [];
const stored = new Map<string, number[]>();
for (let turn = 0; turn < Number(values.repeat); turn++) for (const tool of present) measureTool(tool);
print();

function isWanted(tool: Tool): boolean {
  return values.tools === undefined || tool.name === 'holdfast' || values.tools.split(',').some((name) => tool.name.startsWith(name));
}

function isPresent(tool: Tool): boolean {
  const found = spawnSync('sh', ['-c', fill(tool.version, {})], { encoding: 'utf8' });
  process.stderr.write(found.status === 0 ? `${tool.name}: ${found.stdout.trim().split('\n')[0]}\n` : `${tool.name}: not found, left out\n`);
  return found.status === 0;
}

function measureTool(tool: Tool): void {
  const work = mkdtempSync(join(resolve(values.work), 'holdfast-bench-'));
  const places = { repo: join(work, 'repo'), out: join(work, 'out'), home: join(work, 'home'), src: resolve(source as string), now: `a${measures.length}` };
  for (const place of [places.repo, places.out, places.home]) mkdirSync(place);
  const run = (step: string, command: string) => measures.push(time(tool, step, command, places));
  try {
    const steps = values.tree === undefined ? tool.stream : tool.tree;
    if (!steps) return;
    time(tool, 'init', tool.init, places);
    run('first backup', steps.backup);
    stored.set(tool.name, [...(stored.get(tool.name) ?? []), sizeOf(places.repo)]);
    if (!tool.name.startsWith('tar')) run('unchanged backup', steps.backup.replaceAll('{now}', `b${measures.length}`));
    run('restore', steps.restore);
    if (tool.verify) run('full verify', tool.verify);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function time(tool: Tool, step: string, command: string, places: Record<string, string>): Measure {
  const environment = Object.fromEntries(Object.entries(tool.environment).map(([name, value]) => [name, fill(value, places)]));
  const report = join(places['home'] as string, 'time.txt');
  const done = spawnSync(TIME, ['-f', '%e %U %S %M', '-o', report, 'sh', '-c', fill(command, places)], { env: { ...process.env, HOME: places['home'], ...environment }, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (done.status !== 0) fail(`${tool.name}, ${step}: exit code ${done.status}\n${done.stderr.slice(-2000)}`);
  const [wall, user, system, peak] = (readFileSync(report, 'utf8').trim().split('\n').at(-1) ?? '').split(' ').map(Number) as [number, number, number, number];
  return { tool: tool.name, step, wallSeconds: wall, cpuSeconds: user + system, peakKiB: peak };
}

function fill(template: string, places: Record<string, string>): string {
  const holdfast = `${process.execPath} ${resolve('dist/holdfast.mjs')}`;
  return template.replace(/\{(holdfast|repo|src|out|home|now)\}/g, (_, name: string) => (name === 'holdfast' ? holdfast : (places[name] ?? `{${name}}`)));
}

function sizeOf(folder: string): number {
  return Number(spawnSync('du', ['-sb', folder], { encoding: 'utf8' }).stdout.split('\t')[0]);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function print(): void {
  const memory = Math.round(totalmem() / 2 ** 30);
  console.log(`${cpus().length} × ${cpus()[0]?.model}, ${memory} GiB, Node ${process.version}, ${values.repeat} turns, repositories below ${resolve(values.work)}\n`);
  const steps = [...new Set(measures.map(({ step }) => step))];
  console.log(`| step | ${present.map(({ name }) => name).join(' | ')} |\n| --- |${' --- |'.repeat(present.length)}`);
  for (const step of steps) console.log(`| ${step}: s (CPU s, peak MiB) | ${present.map(({ name }) => cell(name, step)).join(' | ')} |`);
  console.log(`| stored MB after the first backup | ${present.map(({ name }) => (median(stored.get(name) ?? []) / 1e6).toFixed(1)).join(' | ')} |`);
}

function cell(tool: string, step: string): string {
  const own = measures.filter((measure) => measure.tool === tool && measure.step === step);
  if (own.length === 0) return '-';
  const of = (pick: (measure: Measure) => number) => median(own.map(pick));
  return `${of((m) => m.wallSeconds).toFixed(2)} (${of((m) => m.cpuSeconds).toFixed(1)}, ${Math.round(of((m) => m.peakKiB) / 1024)})`;
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
