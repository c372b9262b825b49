import type { ValueFacts, ValueKind } from '../../sources/configs/named-values.ts';

/**
 * Where parameters or secrets are restored to. Calls fail as `target-failed`, `permission`, `unavailable`, `interrupted`, in the
 * service's own words, which never hold a value.
 */
export interface ValueTarget {
  readonly kind: ValueKind;
  /** For people: `ssm:/restored/`, never with a secret. */
  readonly description: string;
  /** The name there of what had that name. */
  nameOf(name: string): string;
  /** What has that name there, in this process's memory alone; undefined: nothing. */
  find(name: string, signal: AbortSignal): Promise<ExistingValue | undefined>;
  /** Writes one and proves that it is there as it was sent. `create` writes only where nothing is, which the service itself decides. */
  write(value: WantedValue, how: 'create' | 'overwrite' | 'undelete', signal: AbortSignal): Promise<'written' | 'exists'>;
}

export interface ExistingValue {
  /** Undefined: it waits for its deletion, and its value cannot be read. */
  readonly content: Uint8Array | undefined;
  /** As in `ValueFacts`. */
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly modified: number;
}

export interface WantedValue {
  readonly name: string;
  readonly content: Uint8Array;
  readonly facts: ValueFacts;
}
