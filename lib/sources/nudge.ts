import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';

const INTERVAL_MILLISECONDS = 50;
const TIMES = 100;

/**
 * Wakes threads that are blocked in a read of this pipe, again and again for five seconds: a thread inside read(2) can
 * neither be terminated nor joined, so that a silent producer would keep an interrupted process from ending. The zero
 * bytes that wake it are never kept: call this only for streams that have failed. Anything else than a pipe is left
 * alone. Does not keep the process alive.
 */
export function nudgeReaders(fd: number): void {
  if (!fstatSync(fd).isFIFO()) return;
  // A descriptor of ours: after its owner closed the other one, that number may mean another file.
  const own = tryOpen(fd, constants.O_RDONLY);
  if (own === undefined) return;
  let left = TIMES;
  const timer = setInterval(() => {
    if (nudge(own) && --left > 0) return;
    clearInterval(timer);
    closeSync(own);
  }, INTERVAL_MILLISECONDS);
  timer.unref();
}

/** False when the pipe cannot be written. Opened anew each time: a writer that stays open would hide the pipe's end. */
function nudge(fd: number): boolean {
  const writer = tryOpen(fd, constants.O_WRONLY);
  if (writer === undefined) return false;
  try {
    writeSync(writer, '\0');
  } catch {
    // EAGAIN, full: whoever reads has enough to wake up for.
  } finally {
    closeSync(writer);
  }
  return true;
}

/** Undefined for another user's pipe. */
function tryOpen(fd: number, mode: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, mode | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}
