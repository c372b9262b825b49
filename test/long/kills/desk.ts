import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Person, describeTree, ended } from '../e2e/program.ts';
import type { Ran } from '../e2e/program.ts';
import { SeededRandom } from '../simulation/dice.ts';

const AGED_PRUNE = join(import.meta.dirname, '..', 'e2e', 'aged-prune.ts');

/** A process to start: the program with these arguments, or a pruner whose clock is ahead. */
export type Command = { readonly args: readonly string[] } | { readonly pruneHoursAhead: number };

interface Kept {
  readonly plan: string;
  /** As `describeTree` tells it, of the source when the backup was made. */
  readonly tree: readonly string[];
}

/** A machine of one person with two plans and one vault, and what must be in the vault whatever is killed. */
export class KillDesk {
  readonly person = new Person({}, mkdtempSync(join(tmpdir(), 'holdfast-kills-')));
  readonly dice: SeededRandom;
  /** By the id of the backup. */
  readonly kept = new Map<string, Kept>();
  /** Key files beside the first. */
  readonly keys: string[] = [];
  readonly #flags = ['--vault', this.person.vault, '--key-file', this.person.path('key')];
  readonly #milliseconds = new Map<string, number>();

  constructor(seed: number) {
    this.dice = new SeededRandom('kills', seed);
  }

  async open(): Promise<void> {
    for (const plan of ['a', 'b']) {
      mkdirSync(this.person.path('work', plan));
      this.change(plan);
    }
    await this.#finish({ args: ['init', '--no-yaml'] });
    for (const plan of ['a', 'b']) await this.complete('backup', { args: ['backup', plan] });
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

  /** Kills the process at some moment of the time that it takes here, or at first that a backup takes. True when it was still there. */
  async kill(name: string, command: Command): Promise<boolean> {
    const usual = this.#milliseconds.get(name) ?? (this.#milliseconds.get('backup') as number);
    const child = this.#start(command);
    const running = ended(child);
    const hasEnded = await Promise.race([running.then(() => true), sleep((usual * (1 + this.dice.pick(110))) / 100).then(() => false)]);
    if (!hasEnded) child.kill('SIGKILL');
    return (await running).signal === 'SIGKILL';
  }

  /** The same command again, to its end. */
  async complete(name: string, command: Command): Promise<void> {
    const begun = performance.now();
    await this.#finish(command);
    this.#milliseconds.set(name, performance.now() - begun);
  }

  /** What the vault lists now: nothing kept may be missing but what `mayBeGone`, and what is new is of the sources as they are. */
  async takeStock(mayBeGone?: string): Promise<void> {
    const listed = new Map((await this.json(['list'])).map(({ backup, planName }) => [backup as string, (planName as string).split('/').at(-1) as string]));
    for (const id of this.kept.keys()) {
      if (listed.has(id)) continue;
      if (id !== mayBeGone) throw new Error(`the backup ${id} is not listed any more`);
      this.kept.delete(id);
    }
    for (const [id, plan] of listed) if (!this.kept.has(id)) this.kept.set(id, { plan, tree: this.#treeOf(this.person.path('work', plan)) });
  }

  async verify(): Promise<void> {
    const { code, stdout, stderr } = await this.#run({ args: ['verify', '--level', 'full'] });
    if (code !== 0) throw new Error(`verify ended with ${code}: ${stdout}${stderr}`);
  }

  /** Every backup that was ever called one restores to what its source was. */
  async restoreAll(): Promise<void> {
    for (const [id, { tree }] of this.kept) {
      const target = this.person.path('check');
      rmSync(target, { recursive: true, force: true });
      await this.#finish({ args: ['restore', id, '--to', target] });
      const restored = this.#treeOf(target);
      if (restored.join('\n') !== tree.join('\n')) throw new Error(`the backup ${id} restores to something else:\n${restored.join('\n')}\nwanted\n${tree.join('\n')}`);
    }
  }

  async json(args: readonly string[]): Promise<Record<string, unknown>[]> {
    const { stdout } = await this.#finish({ args: [...args, '--json'] });
    return stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The directory itself left out: its time is that of its making. */
  #treeOf(folder: string): string[] {
    return describeTree(folder).slice(1);
  }

  async #finish(command: Command): Promise<Ran> {
    const ran = await this.#run(command);
    if (ran.code !== 0) throw new Error(`${JSON.stringify(command)} ended with ${ran.code ?? ran.signal}: ${ran.stderr}${ran.stdout}`);
    return ran;
  }

  async #run(command: Command): Promise<Ran> {
    return ended(this.#start(command));
  }

  #start(command: Command) {
    if ('args' in command) return this.person.start([...command.args, ...this.#flags]);
    return spawn(process.execPath, ['--no-warnings', AGED_PRUNE, this.person.vault, String(command.pruneHoursAhead), '2'], { stdio: ['ignore', 'pipe', 'pipe'] });
  }
}
