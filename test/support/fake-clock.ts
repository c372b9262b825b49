import type { Clock } from '../../lib/model/clock.ts';

/** Time that passes only when somebody sleeps: a sleep ends at once, and `now` has moved by it. */
export class LeapingClock implements Clock {
  readonly sleeps: number[] = [];
  #now: number;

  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleeps.push(milliseconds);
    this.#now += milliseconds;
    await Promise.resolve();
  }
}
