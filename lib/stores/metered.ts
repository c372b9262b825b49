import type { Clock } from '../model/clock.ts';
import { isHoldfastError, type ErrorCode } from '../model/errors.ts';
import type { ObjectInfo, Store } from './store.ts';
import { wrapStore, type Operation, type StoreCall } from './wrapping.ts';

/** A call that has ended. A listing ends when it is read to its end or left. */
export interface MeteredCall {
  readonly operation: Operation;
  readonly name: string;
  /** Bytes that a successful `put` sent. */
  readonly bytesUp: number;
  /** Bytes that a successful `get` brought. */
  readonly bytesDown: number;
  /** For a listing this includes the time that its reader took. */
  readonly milliseconds: number;
  readonly outcome: 'ok' | ErrorCode;
}

/** Tells `observe` of every call when it ends. The observer must not throw: it would turn a success into a failure. */
export function metered(store: Store, observe: (call: MeteredCall) => void, clock: Pick<Clock, 'now'>): Store {
  const begin = (call: StoreCall) => {
    const startedAt = clock.now();
    return (outcome: 'ok' | ErrorCode, bytesDown = 0) =>
      observe({ operation: call.operation, name: call.name, bytesUp: outcome === 'ok' ? call.bytesUp : 0, bytesDown, milliseconds: clock.now() - startedAt, outcome });
  };
  return wrapStore(store, {
    async call(call, run) {
      const end = begin(call);
      const result = await run().catch((error: unknown) => {
        end(outcomeOf(error));
        throw error;
      });
      end('ok', result instanceof Uint8Array ? result.byteLength : 0);
      return result;
    },
    list: (call, run) => meteredList(run, begin(call)),
  });
}

/** Sums of what was observed, per operation; pass `totals.observe` to `metered`. */
export class StoreTotals {
  readonly calls: Record<Operation, number> = { put: 0, get: 0, stat: 0, list: 0, remove: 0, now: 0 };
  readonly failures: Record<Operation, number> = { put: 0, get: 0, stat: 0, list: 0, remove: 0, now: 0 };
  bytesUp = 0;
  bytesDown = 0;

  readonly observe = (call: MeteredCall): void => {
    this.calls[call.operation] += 1;
    if (call.outcome !== 'ok') this.failures[call.operation] += 1;
    this.bytesUp += call.bytesUp;
    this.bytesDown += call.bytesDown;
  };
}

async function* meteredList(run: () => AsyncIterable<ObjectInfo>, end: (outcome: 'ok' | ErrorCode) => void): AsyncIterable<ObjectInfo> {
  let outcome: 'ok' | ErrorCode = 'ok';
  try {
    yield* run();
  } catch (error) {
    outcome = outcomeOf(error);
    throw error;
  } finally {
    end(outcome);
  }
}

function outcomeOf(error: unknown): ErrorCode {
  return isHoldfastError(error) ? error.code : 'broken-invariant';
}
