import { once } from 'node:events';
import type { ResolvedHook } from '../config/hooks-schema.ts';
import type { Clock } from '../model/clock.ts';
import { isHoldfastError } from '../model/errors.ts';
import { OutputTail, withoutSecrets } from '../sources/output-tail.ts';
import { ProcessGroup } from '../sources/process-group.ts';
import { complaintAbout } from '../sources/program.ts';
import { shellFor } from '../sources/shell.ts';
import type { HookName, HookReport } from './hook-report.ts';

/** Where commands around a run are started. */
export interface HookPlace {
  /** All that they see besides what tells about the run; without Holdfast's own secrets. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  /** Values that must not be seen in any message. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
}

export interface HookLimits {
  readonly timeoutMs: number;
  /** Ends it with everything that it started. */
  readonly signal?: AbortSignal | undefined;
}

/** Left to what a command still has to say when something that it started keeps its output open. */
const LAST_WORDS_MILLISECONDS = 500;

/**
 * Runs one command to its end, or until its time is over or the signal comes; its whole process group is then ended. What
 * it left in the background runs on after exit code 0, as a started server must. Never throws: a command that cannot be
 * started has a complaint.
 */
export async function runHook(hook: HookName, { command }: ResolvedHook, place: HookPlace, limits: HookLimits): Promise<HookReport> {
  const { clock, secrets, environment } = place;
  const startedAt = clock.now();
  const said = new OutputTail(secrets);
  const complaint = await programOf(command, environment).then((program) => perform(program, { place, limits, said }), (error: unknown) => {
    if (!isHoldfastError(error)) throw error;
    return `could not be started: ${error.message}`;
  });
  return {
    hook, durationMilliseconds: clock.now() - startedAt, said: said.text(), ...(complaint !== undefined && { complaint }),
    command: withoutSecrets(typeof command === 'string' ? command : command.join(' '), secrets),
  };
}

/** A program and its arguments; a line for a shell becomes one. */
export async function programOf(command: string | readonly string[], environment: HookPlace['environment']): Promise<readonly string[]> {
  return typeof command === 'string' ? [...(await shellFor(command, environment)), '-c', command] : command;
}

interface Performance {
  readonly place: HookPlace;
  readonly limits: HookLimits;
  readonly said: OutputTail;
}

/** What is wrong with how it ended; undefined after exit code 0. */
async function perform(program: readonly string[], { place: { environment, folder, clock }, limits: { timeoutMs, signal }, said }: Performance): Promise<string | undefined> {
  if (signal?.aborted) return 'was not started: the run was stopped';
  const group = new ProcessGroup(program, { stdout: 'pipe', environment, folder, onStderr: (bytes) => said.add(bytes) }, clock);
  group.output.on('data', (bytes: Uint8Array) => said.add(bytes));
  const heard = once(group.output, 'close').catch(() => undefined);
  const stop = new AbortController();
  let endedBy: 'timeout' | 'signal' | undefined;
  const end = (reason: 'timeout' | 'signal') => {
    endedBy ??= reason;
    void group.kill();
  };
  const onAbort = () => end('signal');
  signal?.addEventListener('abort', onAbort, { once: true });
  void clock.sleep(timeoutMs, stop.signal).then(() => end('timeout'), () => undefined);
  try {
    const ended = await group.ended;
    await Promise.race([heard, clock.sleep(LAST_WORDS_MILLISECONDS, stop.signal).catch(() => undefined)]);
    group.output.destroy();
    if (endedBy !== undefined || ended.code !== 0) await group.kill();
    if (endedBy === 'signal') return 'was ended because the run was stopped';
    if (endedBy === 'timeout') return `took longer than ${timeoutMs / 1000} s and was ended with everything that it started`;
    return complaintAbout(ended);
  } finally {
    stop.abort();
    signal?.removeEventListener('abort', onAbort);
  }
}
