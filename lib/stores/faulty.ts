import { HoldfastError } from '../model/errors.ts';
import { notFound } from './store-errors.ts';
import type { ObjectInfo, Store } from './store.ts';
import { wrapStore, type Operation, type StoreCall } from './wrapping.ts';

/** One line of a script. It applies to calls that match `operation` and `name`; without `nth` to all of them. */
export interface Fault {
  readonly effect: Effect;
  readonly operation?: Operation;
  /** Matches the object's name or the listing's prefix; for a listing's effects, the names it gives. */
  readonly name?: RegExp;
  /** 1 is the first call that matches this line. */
  readonly nth?: number;
  /** What `fail`, `lost-response` and `break-off` throw; a retryable `unavailable` by default. */
  readonly error?: HoldfastError;
}

export type Effect = CallEffect | ListEffect;
type CallEffect = 'fail' | 'lost-response' | 'missing' | 'short' | 'flipped';
type ListEffect = 'unlisted' | 'break-off';
type Play = <T>(call: StoreCall, run: () => Promise<T>, error: HoldfastError, store: Store) => Promise<T>;

const CALL_EFFECTS: Readonly<Record<CallEffect, Play>> = {
  /** Nothing was done. */
  fail: async (_call, _run, error) => {
    throw error;
  },
  /** It was done, and the answer was lost: what every retry must survive. */
  'lost-response': async (_call, run, error) => {
    await run();
    throw error;
  },
  missing: async (call, _run, _error, store) => {
    throw notFound(call.name, store.description);
  },
  /** A broken store: fewer bytes than promised, without an error. */
  short: async (_call, run) => changed(await run(), (bytes) => bytes.subarray(0, bytes.byteLength >>> 1)),
  /** A broken store: one bit in the middle differs. */
  flipped: async (_call, run) => changed(await run(), withFlippedBit),
};

/** A store that misbehaves by a script; for tests, and for drills that must show an alarm. The first matching line plays. */
export function faulty(store: Store, script: readonly Fault[]): Store {
  const seen = new Map<Fault, number>();
  const playing = (matches: (fault: Fault) => boolean): Fault | undefined => {
    const matching = script.filter(matches);
    for (const fault of matching) seen.set(fault, (seen.get(fault) ?? 0) + 1);
    return matching.find((fault) => fault.nth === undefined || fault.nth === seen.get(fault));
  };
  return wrapStore(store, {
    async call(call, run) {
      const fault = playing((candidate) => isCallEffect(candidate.effect) && isMeant(candidate, call));
      return fault === undefined ? run() : CALL_EFFECTS[fault.effect as CallEffect](call, run, errorOf(fault, call), store);
    },
    list: async function* (call, run) {
      const failed = playing((candidate) => candidate.effect === 'fail' && isMeant(candidate, call));
      if (failed !== undefined) throw errorOf(failed, call);
      for await (const object of run()) {
        const fault = playing((candidate) => !isCallEffect(candidate.effect) && (candidate.name?.test(object.name) ?? true));
        if (fault?.effect === 'break-off') throw errorOf(fault, call);
        if (fault === undefined) yield object satisfies ObjectInfo;
      }
    },
  });
}

function isCallEffect(effect: Effect): effect is CallEffect {
  return effect in CALL_EFFECTS;
}

function isMeant(fault: Fault, call: StoreCall): boolean {
  return (fault.operation === undefined || fault.operation === call.operation) && (fault.name?.test(call.name) ?? true);
}

function errorOf(fault: Fault, call: StoreCall): HoldfastError {
  return fault.error ?? new HoldfastError('unavailable', `${call.operation} ${call.name} failed as the script says`);
}

function changed<T>(result: T, change: (bytes: Uint8Array) => Uint8Array): T {
  return result instanceof Uint8Array ? (change(result) as T) : result;
}

function withFlippedBit(bytes: Uint8Array): Uint8Array {
  const middle = bytes.byteLength >>> 1;
  if (bytes.byteLength === 0) return bytes;
  return bytes.with(middle, (bytes[middle] as number) ^ 1);
}
