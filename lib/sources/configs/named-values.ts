/**
 * A service that keeps small values under names: the Parameter Store of SSM, Secrets Manager. Every call may be made again and
 * fails as `permission`, `unavailable`, `not-found`, `source-failed` in the service's own words, which never hold a value.
 */
export interface NamedValues {
  /** `parameters`, `secrets`: the folder of a backup that they lie in. */
  readonly kind: ValueKind;
  /** Everything that is named so now: one name, or all that begin with the text before a `*` at its end. Ends only when all were given. */
  list(wanted: string, signal: AbortSignal): AsyncIterable<ListedValue>;
  /** The newest version of one, with all that the service says of it; `absent` when it is gone, or waits for its deletion. */
  read(name: string, signal: AbortSignal): Promise<ReadValue | 'absent'>;
}

export type ValueKind = 'parameters' | 'secrets';

export interface ListedValue {
  readonly name: string;
  /** Changes with every new value. */
  readonly version: string;
  /** Milliseconds since the epoch, of the last change of any kind. */
  readonly modified: number;
}

export interface ReadValue extends ListedValue {
  /** In this process's memory alone, and in its threads until it is sealed. */
  readonly content: Uint8Array;
  readonly facts: ValueFacts;
}

/** What is kept of a value beside its bytes, sealed like names of files; nothing of it is the value. Absent: the service says nothing. */
export interface ValueFacts {
  /** `String`, `StringList`, `SecureString`; `text`, `binary`, `none` of a secret. */
  readonly type: string;
  readonly description?: string;
  readonly keyId?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly tier?: string;
  readonly dataType?: string;
  readonly allowedPattern?: string;
  /** JSON, as the service writes it. */
  readonly policies?: readonly string[];
  readonly labels?: readonly string[];
  /** Of a secret. */
  readonly rotation?: Rotation;
  /** The service that owns a secret, such as `rds`: nobody else may write it. */
  readonly ownedBy?: string;
}

export interface Rotation {
  readonly isEnabled: boolean;
  readonly function?: string;
  readonly schedule?: string;
  readonly everyDays?: number;
  /** Milliseconds since the epoch. */
  readonly last?: number;
}
