import { machineInWords, median, placeInWords, writeSection } from '../report.ts';
import type { DatabaseRow, Group } from './desk.ts';

export interface GroupFacts {
  readonly group: Group;
  readonly tools: readonly { readonly tool: { readonly name: string }; readonly version: string }[];
  readonly data: string;
  readonly work: string;
  readonly turns: number;
  readonly isDryRun: boolean;
}

/** What a reader of the figures must know, of each group. */
const NOTES: Readonly<Record<Group, string>> = {
  logical: 'All over TCP on loopback. Holdfast encrypts, reads every dump to its end by `pg_restore` while it passes, counts the rows in the same snapshot, and counts them again after the restore; restic encrypts; zstd does neither. Restored by one connection, but for *2 jobs*.',
  physical: 'Holdfast compares every file with the server\'s own checksum, when it is kept and when it is restored. pgBackRest has `compress-type=zst` and `process-max=2`, which are faster than its defaults, no encryption, and copies files without the server; its first backup is `full`, its second `incr`. A server was started on each restore.',
  wal: 'One process for each segment, started through a shell as the server does it: by a loop that renames `.ready` to `.done`, so that the CPU time of all is counted. Holdfast encrypts; pgBackRest has `compress-type=zst`, `process-max=2` and no encryption. *async*: `archive-async=y`, in a process of its own that pushes and prefetches. *ahead*: `--also-ready 50` and `--also-next 30`, where one call works for the next ones, too, and ends before they begin.',
};

/** Prints the tables of a group, and puts them into a section of bench/RESULTS.md of their own. */
export function writeGroup(rows: readonly DatabaseRow[], facts: GroupFacts): void {
  const { group, tools, data, work, turns, isDryRun } = facts;
  const text = `${new Date().toISOString().slice(0, 10)}, ${machineInWords()}. Data: ${data}; everything on ${placeInWords(work)}. Medians of ${turns}, the tools taking turns; whatever came back was compared with what was there.
${tools.map(({ tool, version }) => `${tool.name}: ${version}`).join('; ')}.

${NOTES[group]}

Seconds (CPU seconds, peak MiB) of the tool and what it starts, the server apart. The peak is the sum of the kernel's high-water marks (VmHWM) of all processes alive together. *Ratio*: each of Holdfast's to the best peer.

${table(rows, facts)}`;
  console.log(text);
  if (!isDryRun) writeSection(`<!-- written by npm run bench:databases, ${group}, from here -->`, `## \`npm run bench:databases\`, ${group}\n\n${text}`);
}

function table(rows: readonly DatabaseRow[], { group, tools }: GroupFacts): string {
  const names = tools.map(({ tool }) => tool.name);
  const [ours, peers] = [names.filter((name) => name.startsWith('holdfast')), names.filter((name) => !name.startsWith('holdfast'))];
  const steps = [...new Set(rows.map(({ step }) => step))];
  const of = (tool: string, step: string, pick: (row: DatabaseRow) => number) => median(rows.filter((row) => row.tool === tool && row.step === step).map(pick));
  const line = (title: string, value: (tool: string) => number, inWords: (tool: string) => string) => {
    const best = Math.min(...peers.map(value));
    const ratios = ours.map((name) => (Number.isFinite(best) ? (value(name) / best).toFixed(2) : '-'));
    return `| ${title} | ${names.map(inWords).join(' | ')} | ${ratios.join(', ')} |`;
  };
  const timed = steps.map((step) => {
    const wall = (tool: string) => of(tool, step, (row) => row.wallSeconds);
    return line(step, wall, (tool) => `${wall(tool).toFixed(2)} (${of(tool, step, (row) => row.cpuSeconds).toFixed(2)}, ${Math.round(of(tool, step, (row) => row.peakKiB) / 1024)})`);
  });
  const megabytes = (title: string, value: (tool: string) => number) => line(title, value, (tool) => (value(tool) / 1e6).toFixed(1));
  const stored = (tool: string, step: string | undefined) => of(tool, step ?? '', (row) => row.storedBytes);
  const first = (tool: string) => stored(tool, steps[0]);
  return [
    `| ${group} | ${names.join(' | ')} | ratio |`,
    `| --- |${' --- |'.repeat(names.length + 1)}`,
    ...timed,
    megabytes('stored by the first, MB', first),
    ...(group === 'wal' ? [] : [megabytes('added by the changed one, MB', (tool) => stored(tool, steps[1]) - first(tool))]),
  ].join('\n');
}
