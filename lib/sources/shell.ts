import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HoldfastError } from '../model/errors.ts';

/** Shells that fail a pipe of programs when any of them fails, the most usual first; not every `sh` can. */
const SHELLS = [
  ['bash', '-o', 'pipefail'],
  ['sh', '-o', 'pipefail'],
] as const;

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * What a command line is handed to, less its `-c`. By itself a shell reports the last exit code of a pipe only, and half
 * a dump that compressed well would be a good backup: without a shell that does better, a line with a pipe is refused.
 */
export async function shellFor(line: string, environment: Variables): Promise<readonly string[]> {
  for (const shell of SHELLS) if (await runs(shell, environment)) return shell;
  if (!hasPipe(line)) return ['sh'];
  throw new HoldfastError('source-failed', 'The command line contains a pipe (|), and neither bash nor this sh tells when its first part fails (`set -o pipefail`).', {
    nextStep: 'Write the output without a pipe: Holdfast compresses by itself; or install bash.',
  });
}

/** `||` is none. One between quotes counts, too: too strict by a quote is better than a lost failure. */
export function hasPipe(line: string): boolean {
  return /(?<![|>])\|(?!\|)/.test(line);
}

async function runs([name, ...options]: readonly [string, ...string[]], environment: Variables): Promise<boolean> {
  return promisify(execFile)(name, [...options, '-c', ':'], { env: environment }).then(() => true, () => false);
}
