import { spawnSync } from 'node:child_process';
import { appendFileSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf, fill } from '../command-line.ts';
import type { Places } from '../command-line.ts';
import { measure } from '../measure.ts';
import type { Measure } from '../measure.ts';
import { sizeOf } from '../restored.ts';
import { PG_15, asPostgres, folderOfPostgres } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import type { DatabaseTool } from './tools.ts';

export type Group = 'logical' | 'physical' | 'wal';

/** One step of one tool in one turn. */
export interface DatabaseRow extends Measure {
  readonly group: Group;
  readonly tool: string;
  readonly step: string;
  readonly turn: number;
  /** What the repository holds after the step. */
  readonly storedBytes: number;
}

/** A tool with a repository of its own for one turn. */
export interface Seat<Tool extends DatabaseTool> {
  readonly tool: Tool;
  readonly places: Required<Pick<Places, 'repo' | 'home' | 'out' | 'port' | 'socket' | 'server' | 'data'>>;
  readonly turn: number;
  remove(): void;
}

/** Where steps are run, and what they took. */
export class Desk {
  readonly rows: DatabaseRow[] = [];
  readonly work: string;
  readonly turns: number;
  readonly #group: Group;
  readonly #isDryRun: boolean;

  constructor(group: Group, { work, turns, isDryRun }: { readonly work: string; readonly turns: number; readonly isDryRun: boolean }) {
    this.#group = group;
    this.#isDryRun = isDryRun;
    this.work = work;
    this.turns = turns;
  }

  /** In the order of their turn: another tool is the first each time. */
  async seats<Tool extends DatabaseTool>(tools: readonly Tool[], turn: number, cluster: Cluster, data = cluster.data): Promise<Seat<Tool>[]> {
    const seats: Seat<Tool>[] = [];
    for (const index of tools.keys()) seats.push(await this.#seat(tools[(index + turn) % tools.length] as Tool, turn, cluster, data));
    return seats;
  }

  async #seat<Tool extends DatabaseTool>(tool: Tool, turn: number, cluster: Cluster, data: string): Promise<Seat<Tool>> {
    const place = mkdtempSync(join(this.work, 'seat-'));
    folderOfPostgres(place);
    const [repo, home, out] = ['repo', 'home', 'out'].map((name) => folderOfPostgres(join(place, name))) as [string, string, string];
    const places = { repo, home, out, port: String(cluster.port), socket: cluster.socket, server: cluster.data, data };
    for (const [name, content] of Object.entries(tool.files)) {
      writeFileSync(join(home, name), fill(content, places));
      const { uid, gid } = statSync(home);
      chownSync(join(home, name), uid, gid);
    }
    const seat = { tool, places, turn, remove: () => rmSync(place, { recursive: true, force: true }) };
    await this.#measure(seat, 'init', tool.init, {});
    return seat;
  }

  /** A command of a tool; a failure ends the run. */
  async step(seat: Seat<DatabaseTool>, step: string, command: string, variables: Readonly<Record<string, string>> = {}): Promise<void> {
    const outcome = await this.#measure(seat, step, command, variables);
    const row = { group: this.#group, tool: seat.tool.name, step, turn: seat.turn, ...outcome, storedBytes: sizeOf(seat.places.repo) };
    this.rows.push(row);
    if (!this.#isDryRun) appendFileSync('bench/results.jsonl', `${JSON.stringify({ at: new Date().toISOString(), ...row })}\n`);
    process.stderr.write(`${row.tool}: ${row.step} ${row.wallSeconds.toFixed(2)} s, ${row.cpuSeconds.toFixed(2)} CPU s, ${Math.round(row.peakKiB / 1024)} MiB, ${(row.storedBytes / 1e6).toFixed(1)} MB stored\n`);
  }

  async #measure({ tool, places }: Seat<DatabaseTool>, step: string, command: string, variables: Readonly<Record<string, string>>): Promise<Measure> {
    const environment = { ...environmentOf(tool, places), PATH: `${PG_15}:${process.env['PATH']}`, COMMAND: fill(command, places), ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, fill(value, places)])) };
    // A process namespace of its own: what a tool leaves running in the background is counted, and ends with the step.
    const outcome = await measure(`cd / && unshare --pid --mount-proc --fork --kill-child ${asPostgres('bash', ['-o', 'pipefail', '-c']).flat().join(' ')} "$COMMAND"`, environment, join(this.work, 'times'));
    if ('message' in outcome) throw new Error(`${tool.name}, ${step}: exit code ${outcome.exitCode}\n${outcome.message}`);
    return outcome;
  }
}

/** The tools that are here, with their versions; the others are named. */
export function presentTools<Tool extends DatabaseTool>(tools: readonly Tool[]): { readonly tool: Tool; readonly version: string }[] {
  return tools.flatMap((tool) => {
    const found = spawnSync('sh', ['-c', fill(tool.version, {})], { encoding: 'utf8', env: { ...process.env, PATH: `${PG_15}:${process.env['PATH']}` } });
    const [version = ''] = /\d+(\.\d+)+[\w.-]*/.exec(found.stdout) ?? [];
    if (found.status !== 0) process.stderr.write(`${tool.name}: not found, left out\n`);
    return found.status === 0 ? [{ tool, version }] : [];
  });
}
