import { spawn } from 'node:child_process';
import { HoldfastError } from '../model/errors.ts';

/**
 * Writes everything that the target's file system still holds in memory to the disk (`sync -f`, one call for all files).
 * A signal ends the wait, not the flush: the kernel does not stop it.
 */
export async function flushFileSystem(fd: number, signal?: AbortSignal, command = 'sync'): Promise<void> {
  throwIfStopped(signal);
  // A process group of its own: Ctrl-C at a terminal goes to every process of the group, and this one decides what it means.
  const child = spawn(command, ['-f', '/proc/self/fd/3'], { stdio: ['ignore', 'ignore', 'pipe', fd], detached: true });
  let words = '';
  child.stderr?.on('data', (data: Buffer) => (words += data.toString()));
  const failure = await new Promise<string | undefined>((resolve) => {
    const stop = () => resolve('it was stopped');
    signal?.addEventListener('abort', stop, { once: true });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (status, killedBy) => {
      signal?.removeEventListener('abort', stop);
      resolve(status === 0 ? undefined : words.trim() || (killedBy ? `${killedBy} ended it` : `it ended with ${status}`));
    });
  });
  if (failure === undefined) return;
  if (signal?.aborted) abandon(child);
  throwIfStopped(signal);
  throw new HoldfastError('unavailable', `Everything was restored, but flushing it to the disk with \`sync -f\` failed: ${failure}.`, {
    nextStep: 'Check the disk and the system log, run `sync`, then restore again with --overwrite changed.',
    retryable: false,
  });
}

function abandon(child: ReturnType<typeof spawn>): void {
  child.kill('SIGKILL');
  child.stderr?.destroy();
  child.unref();
}

function throwIfStopped(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new HoldfastError('interrupted', 'The restore was asked to stop while the system was writing it to the disk. Every file is in the target, whole; a power failure now could still lose some.', { nextStep: 'Run `sync` and wait for its end.' });
}
