import { basename } from 'node:path';
import type { Clock } from '../model/clock.ts';
import { OutputTail } from './output-tail.ts';
import { ProcessGroup } from './process-group.ts';
import type { ProcessEnd, StartOptions } from './process-group.ts';

/** A program that was started, for messages about its end. */
export interface Program {
  /** Without its folder. */
  readonly name: string;
  readonly group: ProcessGroup;
  /** Its standard error. */
  readonly said: OutputTail;
}

export interface ProgramOptions extends Omit<StartOptions, 'folder' | 'onStderr'> {
  readonly folder?: string | undefined;
  /** What must be seen in no message. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
}

/** To whoever writes into a pipe that nobody reads any more; it ends at its next write. */
const GRACE_MILLISECONDS = 2000;

/** Never throws: what cannot be started ends with a `startError`. */
export function startProgram(words: readonly string[], { secrets, clock, folder, ...options }: ProgramOptions): Program {
  const said = new OutputTail(secrets);
  const group = new ProcessGroup(words, { ...options, folder, onStderr: (bytes) => said.add(bytes) }, clock);
  return { name: basename(words[0] ?? ''), group, said };
}

/** It has ended, or ends by itself soon: the end of its output is seen a moment before its own. */
export async function isOver({ group }: Program, clock: Clock): Promise<boolean> {
  const stop = new AbortController();
  const late = clock.sleep(GRACE_MILLISECONDS, stop.signal).then(() => false, () => true);
  return Promise.race([group.ended.then(() => true), late]).finally(() => stop.abort());
}

/** What a program that fails leaves running would keep its pipe open and the reader waiting. */
export function endAllWithFailed({ group }: Program): void {
  void group.ended.then((end) => (end.code === 0 ? undefined : group.kill()));
}

export function howItEnded({ code, signal, startError }: ProcessEnd): string {
  if (startError !== undefined) return `could not be started (${startError.code})`;
  return signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
}

/** What is wrong with how a program ended, after so many bytes of output; undefined after exit code 0. */
export function complaintAbout(end: ProcessEnd, bytes?: number): string | undefined {
  if (end.startError !== undefined) return howItEnded(end);
  if (end.code === 0) return undefined;
  const after = bytes === undefined ? '' : ` after ${bytes} bytes`;
  return `${howItEnded(end)}${after}, wanted ${end.signal === null ? '0' : 'exit code 0'}`;
}
