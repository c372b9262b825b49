import { DescribeLogGroupsCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import type { CloudWatchLogsClient, FilteredLogEvent } from '@aws-sdk/client-cloudwatch-logs';
import { HoldfastError } from '../model/errors.ts';
import type { LogEvent, LogGroup, LogGroups, TimeRange } from '../sources/logs/log-groups.ts';
import { ask, serviceError } from './service-error.ts';

export interface LogGroupOptions {
  readonly client: Pick<CloudWatchLogsClient, 'send'>;
  /** Events of one answer, at most and by default 10,000. */
  readonly pageEvents?: number | undefined;
}

const MOST_EVENTS = 10_000;

/**
 * Log groups of CloudWatch. Pages of FilterLogEvents may be empty and are not the end: the end is an answer without a token. A
 * full page without one, as emulators give, is not believed: it is asked on from the last event, and what comes twice is known by its id.
 */
export class CloudwatchLogGroups implements LogGroups {
  readonly #client: Pick<CloudWatchLogsClient, 'send'>;
  readonly #limit: number;

  constructor({ client, pageEvents = MOST_EVENTS }: LogGroupOptions) {
    this.#client = client;
    this.#limit = pageEvents;
  }

  async *list(wanted: string, signal: AbortSignal): AsyncGenerator<LogGroup> {
    const isPrefix = wanted.endsWith('*');
    const prefix = isPrefix ? wanted.slice(0, -1) : wanted;
    let token: string | undefined;
    do {
      const command = new DescribeLogGroupsCommand({ limit: 50, ...(prefix !== '' && { logGroupNamePrefix: prefix }), ...(token !== undefined && { nextToken: token }) });
      const { logGroups, nextToken } = await ask(signal, () => this.#client.send(command, { abortSignal: signal }), (error) => serviceError(error, `The log groups ${wanted} could not be listed`, { allow: 'logs:DescribeLogGroups' }));
      if (logGroups === undefined) throw broken(`The listing of log groups ${wanted} has no list in it`);
      if (nextToken !== undefined && nextToken === token) throw broken(`The listing of log groups ${wanted} gave the same page twice`);
      for (const { logGroupName: name, creationTime, retentionInDays } of logGroups) {
        if (name !== undefined && (isPrefix || name === wanted)) yield { name, created: creationTime ?? 0, retentionDays: retentionInDays };
      }
      token = nextToken;
    } while (token !== undefined);
  }

  async *events(group: string, { from, to }: TimeRange, signal: AbortSignal): AsyncGenerator<LogEvent> {
    let startTime = from;
    let token: string | undefined;
    let known: ReadonlySet<string> = new Set();
    for (;;) {
      const { events, nextToken } = await this.#page(group, { startTime, to, token }, signal);
      const fresh = events.map((event) => eventOf(group, event)).filter(({ id }) => !known.has(id));
      yield* fresh;
      if (nextToken !== undefined && nextToken === token) throw broken(`The events of ${group} came with the same token twice, which has no end`);
      if (nextToken === undefined && events.length < this.#limit) return;
      if (nextToken === undefined) startTime = this.#goOnFrom(group, events, fresh.length);
      token = nextToken;
      // An empty page must not make the ids of the one before forgotten.
      if (events.length > 0) known = new Set(events.map(({ eventId = '' }) => eventId));
    }
  }

  async #page(group: string, { startTime, to, token }: { readonly startTime: number; readonly to: number; readonly token: string | undefined }, signal: AbortSignal): Promise<{ readonly events: readonly FilteredLogEvent[]; readonly nextToken: string | undefined }> {
    // The end is within the range here, and without it in GetLogEvents.
    const command = new FilterLogEventsCommand({ logGroupName: group, startTime, endTime: to - 1, limit: this.#limit, ...(token !== undefined && { nextToken: token }) });
    const { events, nextToken } = await ask(signal, () => this.#client.send(command, { abortSignal: signal }), (error) => serviceError(error, `The events of ${group} could not be read`, { allow: 'logs:FilterLogEvents on the log group' }));
    if (events === undefined) throw broken(`An answer about the events of ${group} has no list in it`);
    return { events, nextToken: nextToken === '' ? undefined : nextToken };
  }

  #goOnFrom(group: string, events: readonly FilteredLogEvent[], fresh: number): number {
    const times = events.map(({ timestamp = 0 }) => timestamp);
    const isOrdered = times.every((time, index) => index === 0 || time >= (times[index - 1] as number));
    const last = times.at(-1) as number;
    if (isOrdered && fresh > 0 && last > (times[0] as number)) return last;
    throw broken(`${events.length} events of ${group} came in one answer that does not say whether there are more, ${isOrdered ? 'all of one millisecond' : 'in no order of time'}`);
  }
}

function eventOf(group: string, { eventId, logStreamName, timestamp, ingestionTime, message }: FilteredLogEvent): LogEvent {
  if (eventId === undefined || timestamp === undefined || message === undefined) throw broken(`An event of ${group} lacks its id, time or message`);
  return { id: eventId, stream: logStreamName ?? '', timestamp, ingestionTime: ingestionTime ?? timestamp, message };
}

function broken(what: string): HoldfastError {
  return new HoldfastError('source-failed', `${what}.`, { nextStep: 'Nothing of this run is kept; start the backup again.' });
}
