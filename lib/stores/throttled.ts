import type { Clock } from '../model/clock.ts';
import { pause } from './interruption.ts';
import { Slots } from './slots.ts';
import type { Store } from './store.ts';
import { wrapStore, type StoreCall } from './wrapping.ts';

/** All limits are off when absent. */
export interface Throttle {
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
  /** Calls under way at once. Listings do not count: their reader calls the store in between and would wait for itself. */
  readonly maxConcurrency?: number;
  /** Ends waits for the rate. Calls that begin afterwards do not wait: they are how a stopped run leaves things in order. */
  readonly stop?: AbortSignal | undefined;
}

/**
 * Holds calls back before they begin, so that over any time the rate is at most the limit plus one object per call
 * under way. Waiting calls keep their order; the caller's back-pressure is the promise that does not resolve yet.
 */
export function throttled(store: Store, throttle: Throttle, clock: Clock): Store {
  const upload = new Rate(throttle.uploadBytesPerSecond, clock, throttle.stop);
  const download = new Rate(throttle.downloadBytesPerSecond, clock, throttle.stop);
  const slots = new Slots(throttle.maxConcurrency ?? Number.POSITIVE_INFINITY);
  return wrapStore(store, {
    call: (call, run) =>
      slots.use(call.signal, async () => {
        if (call.operation === 'put') await upload.wait(call.bytesUp, call.signal);
        if (call.operation !== 'get') return run();
        await download.wait(call.range?.length ?? 0, call.signal);
        const result = await run();
        download.spend(unannounced(call, result));
        return result;
      }),
  });
}

/** The size of a whole object is known only when it is there; it delays those that follow. */
function unannounced(call: StoreCall, result: unknown): number {
  return call.range === undefined && result instanceof Uint8Array ? result.byteLength : 0;
}

/** Every byte takes its time on one line; a call begins when all bytes before it have had theirs. */
class Rate {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  readonly #stop: AbortSignal | undefined;
  #freeAt = Number.NEGATIVE_INFINITY;

  constructor(bytesPerSecond: number | undefined, clock: Clock, stop: AbortSignal | undefined) {
    this.#stop = stop;
    this.#bytesPerMs = (bytesPerSecond ?? Number.POSITIVE_INFINITY) / 1000;
    this.#clock = clock;
  }

  async wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY || this.#stop?.aborted) return;
    const delayMs = this.#freeAt - this.#clock.now();
    this.spend(bytes);
    if (delayMs > 0) await pause(this.#clock, delayMs, signal ?? this.#stop);
  }

  spend(bytes: number): void {
    this.#freeAt = Math.max(this.#freeAt, this.#clock.now()) + bytes / this.#bytesPerMs;
  }
}
