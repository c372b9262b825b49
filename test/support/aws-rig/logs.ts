import { CloudWatchLogsClient, DescribeLogGroupsCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import type { Emulator } from './emulator.ts';

/** The newest lines of every log group of the account: of tasks and of functions. */
export async function newestLogs(emulator: Emulator, lines = 40): Promise<string> {
  const client = new CloudWatchLogsClient(emulator.client);
  const { logGroups = [] } = await client.send(new DescribeLogGroupsCommand({}));
  const parts = await Promise.all(logGroups.map(async ({ logGroupName }) => {
    const { events = [] } = await client.send(new FilterLogEventsCommand({ logGroupName: logGroupName as string, limit: 10_000 }));
    return events.length === 0 ? '' : `--- ${logGroupName}\n${events.slice(-lines).map(({ message }) => (message ?? '').trimEnd().slice(0, 2000)).join('\n')}\n`;
  }));
  return parts.join('');
}
