import { display } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { attributesAt } from '../attributes.ts';
import type { OpenObject, SourceObject } from '../source.ts';
import type { LogEvent, LogGroup, LogGroups, TimeRange } from './log-groups.ts';
import { attributeOf, isBeyond, isSettled, keptWindowOf, windowPath } from './windows.ts';

export interface WindowReading {
  readonly groups: LogGroups;
  readonly lateMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told once of a group, when events that no backup holds are gone. */
  readonly onLost: (group: LogGroup) => string | undefined;
}

const PIECE_CHARACTERS = 1 << 16;

/** The events of one group in one span of time, a line of JSON each. */
export function windowObject(group: LogGroup, window: TimeRange, reading: WindowReading): SourceObject {
  const { lateMs, clock } = reading;
  const { name, retentionDays } = group;
  let before: number | undefined;
  return {
    path: windowPath(name, window),
    size: undefined,
    isOnlyKept: isBeyond(window, retentionDays, clock.now()),
    isUnchanged: (previous) => {
      const kept = keptWindowOf(previous);
      if (kept?.from === window.from && kept.to === window.to) before = kept.events;
      return kept !== undefined && isSettled(kept, { ...window, group: name }, { lateMs, now: clock.now(), retentionDays });
    },
    open: async () => new OpenWindow(group, window, { ...reading, before }),
  };
}

class OpenWindow implements OpenObject {
  readonly size = undefined;
  readonly attributes: OpenObject['attributes'];
  /** Whether the next run asks for it again is judged by when it was read (`isSettled`): what is gone by then must not replace what is kept. */
  readonly isRacy = false;
  readonly body: AsyncIterable<Uint8Array>;
  readonly #group: LogGroup;
  readonly #window: TimeRange;
  readonly #reading: WindowReading & { readonly before: number | undefined };
  readonly #readAt: number;
  readonly #lost: string | undefined;
  #events = 0;
  #latestMs = 0;

  constructor(group: LogGroup, window: TimeRange, reading: WindowReading & { readonly before: number | undefined }) {
    this.#group = group;
    this.#window = window;
    this.#reading = reading;
    this.#readAt = reading.clock.now();
    this.#lost = isBeyond(window, group.retentionDays, this.#readAt) ? reading.onLost(group) : undefined;
    this.attributes = attributesAt(window.to);
    this.body = this.#lines();
  }

  get extended(): OpenObject['extended'] {
    return [attributeOf({ group: this.#group.name, ...this.#window, events: this.#events, readAt: this.#readAt, latestMs: this.#latestMs })];
  }

  get warnings(): readonly string[] {
    const { before, lateMs } = this.#reading;
    const fewer = before !== undefined && this.#events < before ? [`it had ${before} events in the backup before and has ${this.#events} now: log streams were deleted; older backups hold them`] : [];
    const late = this.#latestMs > lateMs ? [`an event arrived ${Math.ceil(this.#latestMs / 60_000)} minutes after it happened: a longer \`late\` than ${Math.round(lateMs / 60_000)} minutes would have every such event in the next backup`] : [];
    return [...(this.#lost === undefined ? [] : [this.#lost]), ...fewer, ...late];
  }

  discard(): void {
    // Nothing is held open between two answers.
  }

  async *#lines(): AsyncGenerator<Uint8Array> {
    const { groups, signal } = this.#reading;
    let lines = '';
    for await (const event of groups.events(this.#group.name, this.#window, signal)) {
      if (event.timestamp < this.#window.from || event.timestamp >= this.#window.to) throw outside(this.#group, this.#window, event);
      this.#events++;
      this.#latestMs = Math.max(this.#latestMs, event.ingestionTime - event.timestamp);
      lines += `${JSON.stringify({ timestamp: event.timestamp, ingestionTime: event.ingestionTime, logStreamName: event.stream, eventId: event.id, message: event.message })}\n`;
      if (lines.length < PIECE_CHARACTERS) continue;
      yield Buffer.from(lines);
      lines = '';
    }
    if (lines !== '') yield Buffer.from(lines);
  }
}

function outside({ name }: LogGroup, { from, to }: TimeRange, { timestamp }: LogEvent): HoldfastError {
  return new HoldfastError('source-failed', `The log group ${display(name as never)} was asked for events from ${iso(from)} to ${iso(to)} and gave one of ${iso(timestamp)}.`, { nextStep: 'Nothing of this run is kept. What answers there is no CloudWatch Logs as it is documented: check `endpoint`.' });
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
