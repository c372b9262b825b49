import { spawn } from 'node:child_process';
import { HoldfastError } from '../model/errors.ts';

/** Writes everything that the target's file system still holds in memory to the disk (`sync -f`, one call for all files). */
export async function flushFileSystem(fd: number): Promise<void> {
  const failure = await new Promise<string | undefined>((resolve) => {
    const child = spawn('sync', ['-f', '/proc/self/fd/3'], { stdio: ['ignore', 'ignore', 'pipe', fd] });
    let words = '';
    child.stderr?.on('data', (data: Buffer) => (words += data.toString()));
    child.on('error', (error) => resolve(error.message));
    child.on('close', (status) => resolve(status === 0 ? undefined : words.trim() || `it ended with ${status}`));
  });
  if (failure === undefined) return;
  throw new HoldfastError('unavailable', `Everything was restored, but flushing it to the disk with \`sync -f\` failed: ${failure}.`, {
    nextStep: 'Check the disk and the system log, run `sync`, then restore again with --overwrite changed.',
    retryable: false,
  });
}
