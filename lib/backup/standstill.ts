import type { ResolvedHook } from '../config/hooks-schema.ts';
import type { ResolvedStandstill } from '../config/resolved-source.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { findContainerProgram, inspectContainer } from '../sources/containers.ts';
import type { Standstill } from '../sources/source.ts';
import { hookInWords } from './hook-report.ts';
import type { HookReport } from './hook-report.ts';
import { performAnyway, performHook, toldEnvironment } from './hooks.ts';
import type { HookPorts, HookedRun } from './hooks.ts';
import { ResumeGuard } from './resume-guard.ts';
import { programOf } from './run-hook.ts';

/** To the container's own time for stopping, for the program that stops it. */
const PROGRAM_MILLISECONDS = 60_000;
/** What a container that did not stop in its time ends with: it was killed. */
const KILLED = 137;

/**
 * Halts what writes to the parts of a set by commands and by stopping containers, and sets it going again, in the opposite
 * order. What was not running is not started.
 */
export class CommandStandstill implements Standstill {
  readonly #wanted: ResolvedStandstill;
  readonly #about: HookedRun;
  readonly #ports: HookPorts;
  #hasBegun = false;
  #guard: ResumeGuard | undefined;
  /** In the order in which they were told to stop. */
  #stopped: string[] = [];
  /** Told to stop, and not seen to have stopped: it may still happen. */
  readonly #stopping = new Set<string>();

  constructor(wanted: ResolvedStandstill, about: HookedRun, ports: HookPorts) {
    this.#wanted = wanted;
    this.#about = about;
    this.#ports = ports;
  }

  /** Fails where containers cannot be stopped, before anything is done. */
  async check(): Promise<void> {
    const { containers } = this.#wanted;
    if (containers === undefined) return;
    const program = await this.#program();
    for (const name of containers.names) await inspectContainer(program, name, this.#ports);
  }

  async begin(signal: AbortSignal): Promise<readonly string[]> {
    const { quiesce, containers } = this.#wanted;
    signal.throwIfAborted();
    this.#guard = await this.#startGuard();
    this.#hasBegun = true; // Also a command that fails half-way has done something.
    if (quiesce !== undefined) this.#refuse(await performHook('quiesce', quiesce, this.#call(signal)));
    if (containers === undefined) return [];
    const program = await this.#program();
    const suspect: string[] = [];
    for (const name of containers.names) suspect.push(...(await this.#stop(program, name, containers.stopSeconds)));
    return suspect;
  }

  async end(): Promise<readonly string[]> {
    const complaints: string[] = [];
    for (const name of this.#stopped.splice(0).reverse()) complaints.push(...(await this.#start(name)));
    const { resume } = this.#wanted;
    if (resume !== undefined && this.#hasBegun) complaints.push(...complaintsOf(await performAnyway('resume', resume, this.#call(undefined)), 'What the command was to set going again may stand still: look at it now.'));
    this.#hasBegun = false;
    await this.#guard?.release();
    this.#guard = undefined;
    return complaints;
  }

  /** Whoever is killed sets nothing going again. */
  async #startGuard(): Promise<ResumeGuard | undefined> {
    const { resume, containers } = this.#wanted;
    if (resume === undefined && containers === undefined) return undefined;
    const { environment } = this.#ports;
    const program = containers && (await this.#program());
    return ResumeGuard.start({ program, resume: resume ? await programOf(resume.command, environment) : [] }, { ...this.#ports, environment: toldEnvironment('resume', this.#call(undefined)) });
  }

  async #stop(program: string, name: string, stopSeconds: number): Promise<string[]> {
    const { signal } = this.#ports;
    if (!(await inspectContainer(program, name, this.#ports)).isRunning) return [];
    this.#stopped.push(name);
    this.#stopping.add(name);
    await this.#guard?.stopping(name, stopSeconds);
    this.#refuse(await performHook('quiesce', stopOf(program, name, stopSeconds), this.#call(signal)));
    const { isRunning, exitCode } = await inspectContainer(program, name, this.#ports);
    this.#stopping.delete(name);
    if (isRunning) throw new HoldfastError('source-failed', `The container ${name} still runs after \`${program} stop\` ended well.`, { nextStep: `Nothing was read. Look at it: \`${program} ps\`.` });
    return exitCode === KILLED ? [`The container ${name} did not stop within ${stopSeconds} s and was killed: what it had not yet written is not in this backup. A greater \`stop-timeout\` gives it more time.`] : [];
  }

  /** Started is what runs: a program that ends at once was started well, too. */
  async #start(name: string): Promise<string[]> {
    const calm = { ...this.#ports, signal: undefined };
    const advice = `The container ${name} was stopped for the backup and may stand still: start it now.`;
    try {
      const program = await this.#program();
      // Its daemon goes on stopping when the program that asked for it was ended: started now, it would stop a moment later.
      if (this.#stopping.delete(name)) await performHook('resume', stopOf(program, name, this.#wanted.containers?.stopSeconds ?? 0), this.#call(undefined));
      const report = await performAnyway('resume', { command: [program, 'start', name], timeoutMs: PROGRAM_MILLISECONDS }, this.#call(undefined));
      if (report.complaint !== undefined) return complaintsOf(report, advice);
      return (await inspectContainer(program, name, calm)).isRunning ? [] : [`\`${program} start ${name}\` ended well and the container does not run. ${advice}`];
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return [`${error.message} ${advice}`];
    }
  }

  #program(): Promise<string> {
    return findContainerProgram(this.#wanted.containers?.program, this.#ports.environment);
  }

  #call(signal: AbortSignal | undefined) {
    return { about: this.#about, ports: this.#ports, facts: { STATE: 'running' }, signal };
  }

  #refuse(report: HookReport): void {
    const { signal } = this.#ports;
    if (signal.aborted) throw new HoldfastError('interrupted', hookInWords(report), { nextStep: 'Nothing was read. Run it again.', cause: signal.reason });
    if (report.complaint !== undefined) throw new HoldfastError('source-failed', hookInWords(report), { nextStep: 'Nothing was read, and nothing of this run is kept. Mend what the command says, and start the backup again.' });
  }
}

function stopOf(program: string, name: string, stopSeconds: number): ResolvedHook {
  return { command: [program, 'stop', '-t', String(stopSeconds), name], timeoutMs: stopSeconds * 1000 + PROGRAM_MILLISECONDS };
}

function complaintsOf(report: HookReport, advice: string): string[] {
  return report.complaint === undefined ? [] : [`${hookInWords(report)} ${advice}`];
}
