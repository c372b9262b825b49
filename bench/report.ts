import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { resolve } from 'node:path';
import type { Measure } from './measure.ts';
import type { Tool } from './tools.ts';

/** One step of one tool in one turn. */
export interface Row extends Measure {
  readonly set: 'tree' | 'stream';
  readonly tool: string;
  readonly step: string;
  readonly turn: number;
  /** What the repository holds after the step. */
  readonly storedBytes: number;
}

export interface Circumstances {
  readonly tools: readonly { readonly tool: Tool; readonly version: string }[];
  readonly work: string;
  readonly repeat: number;
  readonly data: string;
  readonly isDryRun: boolean;
}

const FILE = 'bench/RESULTS.md';
const BEGIN = '<!-- written by npm run bench, from here -->';
const END = '<!-- to here -->';

/** Prints the tables, and puts them into the generated section of bench/RESULTS.md. */
export function writeReport(rows: readonly Row[], circumstances: Circumstances): void {
  const text = [heading(circumstances), ...(['tree', 'stream'] as const).filter((set) => rows.some((row) => row.set === set)).map((set) => table(rows.filter((row) => row.set === set), set, circumstances))].join('\n\n');
  console.log(text);
  if (!circumstances.isDryRun) writeSection(BEGIN, `## \`npm run bench\`\n\n${text}`);
}

/** Puts a text where the one of this beginning was before, or at the end. */
export function writeSection(begin: string, text: string): void {
  const before = readFileSync(FILE, 'utf8');
  const from = before.indexOf(begin);
  const to = before.indexOf(END, from);
  const section = `${begin}\n${text}\n${END}`;
  if (from < 0 || to < 0) appendFileSync(FILE, `\n${section}\n`);
  else writeFileSync(FILE, before.slice(0, from) + section + before.slice(to + END.length));
  console.error(`\nwritten to ${resolve(FILE)}`);
}

export function machineInWords(): string {
  return `${availableParallelism()} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}`;
}

export function placeInWords(work: string): string {
  return work.startsWith('/dev/shm') ? 'a tmpfs, so flushing costs nothing' : 'a disk';
}

function heading({ tools, repeat, data, work }: Circumstances): string {
  const versions = tools.map(({ tool, version }) => `${tool.name}: ${version}`).join('; ');
  return `${new Date().toISOString().slice(0, 10)}, ${machineInWords()}. Data: ${data}; repositories on ${placeInWords(work)}; everything read once before. Medians of ${repeat}, the tools taking turns.
${versions}.

Seconds (CPU seconds, peak MiB). The peak is the sum of the kernel's high-water marks (VmHWM) of all processes alive together. *Ratio*: Holdfast to the best peer that does the step, least wall time.`;
}

function table(rows: readonly Row[], set: Row['set'], { tools }: Circumstances): string {
  const names = tools.map(({ tool }) => tool.name);
  const peers = tools.filter(({ tool }) => tool.name !== 'holdfast' && !tool.isOneShot).map(({ tool }) => tool.name);
  const steps = [...new Set(rows.map(({ step }) => step))].filter((step) => step !== 'init');
  const of = (tool: string, step: string, pick: (row: Row) => number) => median(rows.filter((row) => row.tool === tool && row.step === step).map(pick));
  const line = (title: string, value: (tool: string) => number, text: (tool: string) => string) => {
    const best = Math.min(...peers.map(value).filter(Number.isFinite));
    const ratio = value('holdfast') / best;
    return `| ${title} | ${names.map((tool) => (Number.isFinite(value(tool)) ? text(tool) : '-')).join(' | ')} | ${Number.isFinite(ratio) ? ratio.toFixed(2) : '-'} |`;
  };
  const timed = steps.map((step) => {
    const wall = (tool: string) => of(tool, step, (row) => row.wallSeconds);
    return line(step, wall, (tool) => `${wall(tool).toFixed(2)} (${of(tool, step, (row) => row.cpuSeconds).toFixed(2)}, ${Math.round(of(tool, step, (row) => row.peakKiB) / 1024)})`);
  });
  const stored = (tool: string, step: string) => of(tool, step, (row) => row.storedBytes);
  const first = (tool: string) => stored(tool, 'backup, first');
  const added = (tool: string) => stored(tool, 'backup, 1 % changed') - stored(tool, 'backup, unchanged');
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return [
    `| ${set} | ${names.join(' | ')} | ratio |`,
    `| --- |${' --- |'.repeat(names.length + 1)}`,
    ...timed,
    line('stored by the first, MB', first, (tool) => megabytes(first(tool))),
    line('added by the changed one, MB', added, (tool) => megabytes(added(tool))),
  ].join('\n');
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}
