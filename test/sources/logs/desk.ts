import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CloudwatchLogGroups } from '../../../lib/aws/log-group-events.ts';
import type { Clock } from '../../../lib/model/clock.ts';
import { LogsSource } from '../../../lib/sources/logs.ts';
import type { LogsOptions } from '../../../lib/sources/logs.ts';
import { keptWindowOf } from '../../../lib/sources/logs/windows.ts';
import type { HeldEntry } from '../../support/run-backup.ts';
import type { Ministack } from '../../support/servers/ministack.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export function logsClient(server: Ministack, endpoint = server.endpoint): CloudWatchLogsClient {
  return new CloudWatchLogsClient({ ...server.client, endpoint, maxAttempts: 1 });
}

export function sourceFor(client: CloudWatchLogsClient, clock: Clock, wanted: readonly string[], { pageEvents, ...more }: Partial<LogsOptions> & { readonly pageEvents?: number } = {}): LogsSource {
  return new LogsSource({ paths: [], groups: new CloudwatchLogGroups({ client, pageEvents }), wanted, rangeMs: DAY, windowMs: HOUR, lateMs: 10 * MINUTE, parallel: 4, clock, ...more });
}

export async function makeGroup(client: CloudWatchLogsClient, logGroupName: string, streams: readonly string[] = ['one']): Promise<void> {
  await client.send(new CreateLogGroupCommand({ logGroupName }));
  for (const logStreamName of streams) await client.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
}

export async function put(client: CloudWatchLogsClient, logGroupName: string, events: readonly { readonly timestamp: number; readonly message: string }[], logStreamName = 'one'): Promise<void> {
  if (events.length > 0) await client.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents: [...events].sort((a, b) => a.timestamp - b.timestamp) }));
}

export interface KeptLine {
  readonly timestamp: number;
  readonly message: string;
  readonly logStreamName: string;
  readonly eventId: string;
}

/** Every event of a backup, once for each time that it is in it; each lies in its window, in a file of that name. */
export function linesOf(held: ReadonlyMap<string, HeldEntry>): KeptLine[] {
  return [...held].flatMap(([path, { entry, content }]) => {
    const window = keptWindowOf({ attributes: 'xattrs' in entry ? (entry.xattrs ?? []) : [] });
    if (!window || !content) return [];
    const lines = content.toString().split('\n').filter(Boolean).map((line) => JSON.parse(line) as KeptLine);
    if (lines.length !== window.events) throw new Error(`${path} has ${lines.length} lines and says ${window.events}`);
    if (!lines.every(({ timestamp }) => timestamp >= window.from && timestamp < window.to)) throw new Error(`${path} has an event of another window`);
    return lines;
  });
}
