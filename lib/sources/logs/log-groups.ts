/**
 * Log groups as this source reads them. Every call may be made again and fails as `permission`, `unavailable`, `source-failed` in the
 * service's own words.
 */
export interface LogGroups {
  /** The group of that name, or all whose names begin with the text before a `*` at its end. Ends only when all were given. */
  list(wanted: string, signal: AbortSignal): AsyncIterable<LogGroup>;
  /** Every event of the group whose time is in it, each once. Ends only when all were given. */
  events(group: string, time: TimeRange, signal: AbortSignal): AsyncIterable<LogEvent>;
}

export interface LogGroup {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** Days after which the service deletes events; undefined: never. */
  readonly retentionDays: number | undefined;
}

/** Milliseconds since the epoch: from the first on, up to before the second. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

export interface LogEvent {
  readonly id: string;
  readonly stream: string;
  /** When it happened, as whoever sent it says; milliseconds since the epoch. */
  readonly timestamp: number;
  /** When it reached the service. */
  readonly ingestionTime: number;
  readonly message: string;
}
