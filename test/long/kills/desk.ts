import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Person, describeTree, ended } from '../../e2e/program.ts';
import type { Ran } from '../../e2e/program.ts';
import { SeededRandom } from '../../simulation/dice.ts';

const AGED_PRUNE = join(import.meta.dirname, '..', '..', 'e2e', 'aged-prune.ts');

/** A process to start: the program with these arguments, or a pruner whose clock is ahead. */
export type Command = { readonly args: readonly string[]; /** It may end with; default 0 alone. */ readonly code?: number } | { readonly pruneHoursAhead: number };

interface Kept {
  readonly plan: string;
  /** As `describeTree` tells it, of the source when the backup was made. */
  readonly tree: readonly string[];
}

interface Expected {
  /** A backup that is being removed. */
  readonly mayBeGone?: string | undefined;
  /** The one object that does not hold what was stored there. */
  readonly wounded?: string | undefined;
}

/** A machine of one person with two plans and one vault, and what must be in the vault whatever is killed. */
export class KillDesk {
  readonly person = new Person({}, mkdtempSync(join(tmpdir(), 'holdfast-kills-')));
  readonly dice: SeededRandom;
  /** By the id of the backup. */
  readonly kept = new Map<string, Kept>();
  /** Key files beside the first that were registered, or were to be when the process was killed. */
  readonly keys: string[] = [];
  /** Indexes that were broken here. Others stand for them until those are broken in turn: then they are told again. */
  readonly brokenIndexes = new Set<string>();
  readonly #flags = ['--vault', this.person.vault, '--key-file', this.person.path('key')];
  readonly #milliseconds = new Map<string, number>();

  constructor(seed: number) {
    this.dice = new SeededRandom('kills', seed);
  }

  async open(): Promise<void> {
    for (const plan of PLANS) {
      mkdirSync(this.person.path('work', plan));
      this.change(plan);
    }
    await this.complete('init', { args: ['init', '--no-yaml'] });
    for (const plan of PLANS) await this.complete('backup', { args: ['backup', plan] });
    await this.takeStock();
  }

  close(): void {
    rmSync(this.person.folder, { recursive: true, force: true });
  }

  /** Some files more, changed or gone. */
  change(plan: string): void {
    for (let count = 2 + this.dice.pick(6); count > 0; count--) {
      const file = this.person.path('work', plan, `file-${this.dice.pick(12)}`);
      if (existsSync(file) && this.dice.isOnceIn(4)) rmSync(file);
      else writeFileSync(file, this.dice.bytes(this.dice.from([10, 5_000, 300_000])));
    }
  }

  /**
   * Kills the process at some moment of the time that it takes here, or at first that a backup takes. True when it was
   * still there; one that came to its end must have ended well.
   */
  async kill(name: string, command: Command): Promise<boolean> {
    const usual = this.#milliseconds.get(name) ?? (this.#milliseconds.get('backup') as number);
    const child = this.#start(command);
    const running = ended(child);
    const hasEnded = await Promise.race([running.then(() => true), sleep((usual * (1 + this.dice.pick(110))) / 100).then(() => false)]);
    if (!hasEnded) child.kill('SIGKILL');
    const ran = await running;
    if (ran.signal === 'SIGKILL') return true;
    refuseEnd(command, ran);
    return false;
  }

  /** A command to its end; the same `name` as of those that are killed, so that their time is known. */
  async complete(name: string, command: Command, person = this.person): Promise<Ran> {
    const begun = performance.now();
    const ran = await ended(this.#start(command, person));
    refuseEnd(command, ran);
    if (person === this.person) this.#milliseconds.set(name, performance.now() - begun);
    return ran;
  }

  /** What the vault lists now: nothing kept may be missing but what `mayBeGone`, and what is new is of the sources as they are. */
  async takeStock(mayBeGone?: string): Promise<void> {
    const listed = new Map((await this.json(['list'])).map(({ backup, planName }) => [backup as string, (planName as string).split('/').at(-1) as string]));
    this.#expectKept(listed, mayBeGone);
    for (const [id, plan] of listed) if (!this.kept.has(id)) this.kept.set(id, { plan, tree: treeOf(this.person.path('work', plan)) });
  }

  /** Reads every byte: nothing kept is missing, nothing is damaged but what is `wounded`. True when that was found. */
  async prove({ mayBeGone, wounded }: Expected = {}): Promise<boolean> {
    const { code, stdout, stderr } = await ended(this.#start({ args: ['verify', '--level', 'full', '--json'] }));
    const report = (code === 0 || code === 12 ? JSON.parse(stdout) : { backups: [], damage: [] }) as { backups: { backup: string }[]; damage: { name: string }[] };
    if ((code !== 0 && (code !== 12 || wounded === undefined)) || report.damage.some(({ name }) => name !== wounded && !(wounded?.startsWith('index/') === true && this.brokenIndexes.has(name)))) throw new Error(`verify ended with ${code}${wounded === undefined ? '' : `, and ${wounded} alone was damaged`}: ${stdout}${stderr}`);
    this.#expectKept(new Set(report.backups.map(({ backup }) => backup)), mayBeGone);
    return code === 12;
  }

  /** Every backup that was ever called one restores to what its source was. */
  async restoreAll(): Promise<void> {
    for (const id of this.kept.keys()) await this.restore(id);
  }

  async restore(id: string): Promise<void> {
    const target = this.person.path('check');
    rmSync(target, { recursive: true, force: true });
    await this.complete('restore', { args: ['restore', id, '--to', target] });
    this.expectTree(id, target);
  }

  /** Of a folder that the backup was restored to, or exported. */
  expectTree(id: string, folder: string): void {
    const wanted = this.kept.get(id)?.tree ?? [];
    const seen = treeOf(folder);
    if (seen.join('\n') !== wanted.join('\n')) throw new Error(`the backup ${id} comes back as something else:\n${seen.join('\n')}\nwanted\n${wanted.join('\n')}`);
  }

  async json(args: readonly string[]): Promise<Record<string, unknown>[]> {
    const { stdout } = await this.complete(args[0] ?? '', { args: [...args, '--json'] });
    return stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  #expectKept(seen: { has(id: string): boolean }, mayBeGone: string | undefined): void {
    for (const id of this.kept.keys()) {
      if (seen.has(id)) continue;
      if (id !== mayBeGone) throw new Error(`the backup ${id} is not there any more`);
      this.kept.delete(id);
    }
  }

  #start(command: Command, person = this.person) {
    if ('args' in command) return person.start([...command.args, ...this.#flags]);
    return spawn(process.execPath, ['--no-warnings', AGED_PRUNE, this.person.vault, String(command.pruneHoursAhead), '2', this.person.path('key')], { stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

export const PLANS = ['a', 'b'] as const;

function refuseEnd(command: Command, { code, signal, stdout, stderr }: Ran): void {
  const wanted = 'args' in command ? (command.code ?? 0) : 0;
  if (code !== wanted) throw new Error(`${JSON.stringify(command)} ended with ${code ?? signal}, wanted ${wanted}: ${stderr}${stdout}`);
}

/** The directory itself left out: its time is that of its making. */
function treeOf(folder: string): string[] {
  return describeTree(folder).slice(1);
}
