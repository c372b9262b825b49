import { PutRetentionPolicyCommand } from '@aws-sdk/client-cloudwatch-logs';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { CloudwatchLogGroups } from '../../../lib/aws/log-group-events.ts';
import { keptWindowOf } from '../../../lib/sources/logs/windows.ts';
import { LeapingClock } from '../../support/fake-clock.ts';
import { backUp, heldBy, testRepository } from '../../support/run-backup.ts';
import { jsonFault, startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../../support/servers/fault-proxy.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { threadInProcess } from '../../support/thread-in-process.ts';
import { DAY, HOUR, MINUTE, linesOf, logsClient, makeGroup, put, sourceFor } from './desk.ts';

let server: Ministack;
let proxy: FaultProxy;
let client: CloudWatchLogsClient;
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  client = logsClient(server, proxy.endpoint);
});
afterAll(async () => {
  client?.destroy();
  await proxy?.stop();
  await server?.stop();
});
beforeEach(() => proxy.script([]));

const signal = new AbortController().signal;
const NOON = Math.floor(Date.now() / DAY) * DAY - DAY / 2;
const QUICK = { ports: { startThread: threadInProcess as never } };
const reads = () => proxy.calls.filter(({ action }) => action.endsWith('FilterLogEvents')).length;

describe('events of log groups (S9)', () => {
  it('are all there when pages are empty, and when a full page of the emulator does not say that there are more', async () => {
    await makeGroup(client, '/pages', ['a', 'b']);
    const sent = Array.from({ length: 50 }, (_, index) => ({ timestamp: NOON + Math.floor(index / 3), message: `event ${index}` }));
    await put(client, '/pages', sent.slice(0, 25), 'a');
    await put(client, '/pages', sent.slice(25), 'b');
    const time = { from: NOON, to: NOON + HOUR };
    const paged = async (groups: CloudwatchLogGroups) => (await Array.fromAsync(groups.events('/pages', time, signal))).map(({ message }) => message).sort();
    const all = sent.map(({ message }) => message).sort();
    // Seven events an answer, three in each millisecond: borders of answers lie within one.
    expect(await paged(new CloudwatchLogGroups({ client, pageEvents: 7 }))).toEqual(all);
    // As AWS gives them: a token with every answer but the last, some of them empty.
    expect(await paged(new CloudwatchLogGroups({ client: withTokens(client, 4) }))).toEqual(all);
    await expect(paged(new CloudwatchLogGroups({ client, pageEvents: 3 }))).rejects.toMatchObject({ code: 'source-failed', message: expect.stringContaining('all of one millisecond') });
  });

  it('the end of a window belongs to the next one alone', async () => {
    await makeGroup(client, '/borders');
    await put(client, '/borders', [-1, 0, 1, HOUR - 1, HOUR, HOUR + 1].map((offset) => ({ timestamp: NOON + offset, message: String(offset) })));
    const groups = new CloudwatchLogGroups({ client });
    const of = async (from: number) => (await Array.fromAsync(groups.events('/borders', { from, to: from + HOUR }, signal))).map(({ message }) => message);
    expect([await of(NOON - HOUR), await of(NOON), await of(NOON + HOUR)]).toEqual([['-1'], ['0', '1', String(HOUR - 1)], [String(HOUR), String(HOUR + 1)]]);
  });

  it('a later reading finds what came after everybody had stopped waiting, and full finds it at once', async () => {
    await makeGroup(client, '/late');
    const clock = new LeapingClock(NOON);
    const repository = testRepository();
    const run = async (isFull = false) => linesOf(await heldBy(repository, await backUp(repository, sourceFor(client, clock, ['/late'], { rangeMs: 16 * DAY, windowMs: 6 * HOUR }), { type: isFull ? 'full' : 'incremental', ports: { clock, ...QUICK.ports } }))).map(({ message }) => message);
    await put(client, '/late', [{ timestamp: NOON - 9 * HOUR, message: 'in time' }]);
    expect(await run()).toEqual(['in time']);
    await put(client, '/late', [{ timestamp: NOON - 9 * HOUR + 1, message: 'too late' }]);
    clock.advance(HOUR);
    expect(await run()).toEqual(['in time']);
    expect(await run(true)).toEqual(['in time', 'too late']);
    await put(client, '/late', [{ timestamp: NOON - 9 * HOUR + 2, message: 'later still' }]);
    clock.advance(14 * DAY);
    expect(await run()).toEqual(['in time', 'too late', 'later still']);
  });

  it('what the retention of a group has deleted is taken over, by full as well; what no backup holds is told once', async () => {
    await makeGroup(client, '/short');
    await client.send(new PutRetentionPolicyCommand({ logGroupName: '/short', retentionInDays: 1 }));
    const clock = new LeapingClock(NOON);
    const repository = testRepository();
    await put(client, '/short', [{ timestamp: NOON - 2 * HOUR, message: 'kept' }]);
    const run = async (type: 'full' | 'incremental' = 'incremental') => {
      const outcome = await backUp(repository, sourceFor(client, clock, ['/short'], { rangeMs: 3 * DAY }), { type, ports: { clock, ...QUICK.ports } });
      return { warnings: outcome.manifest.warnings.map(({ message }) => message), messages: linesOf(await heldBy(repository, outcome)).map(({ message }) => message) };
    };
    const first = await run();
    expect(first.warnings.filter((message) => message.includes('deletes events after 1 days'))).toHaveLength(1);
    expect((await run()).warnings.filter((message) => message.includes('deletes events'))).toEqual([]);
    clock.advance(DAY + 3 * HOUR);
    // The emulator deletes nothing: the event would still be there, and is not asked for. Of 73 windows a day's are, and those that no backup holds.
    const before = reads();
    expect((await run('full')).messages).toEqual(['kept']);
    expect(reads() - before).toBeLessThanOrEqual(30);
  });

  it('tells of a group that is not there, of a missing right and of an expired token, in the words of the service; nothing is kept', async () => {
    await makeGroup(client, '/told');
    const refused = async (name: string) => backUp(testRepository(), sourceFor(client, new LeapingClock(NOON), [name]), QUICK).then(() => 'kept', ({ code, message }: { code: string; message: string }) => `${code} ${message}`);
    expect(await refused('/tol')).toBe('source-failed No log group is named /tol in this account and region.');
    proxy.script([{ action: /FilterLogEvents$/, effect: jsonFault(400, 'AccessDeniedException', 'User is not authorized to perform: logs:FilterLogEvents') }]);
    expect(await refused('/told')).toBe('permission The events of /told could not be read: AccessDeniedException: User is not authorized to perform: logs:FilterLogEvents.');
    proxy.script([{ action: /FilterLogEvents$/, nth: 3, effect: jsonFault(400, 'InvalidParameterException', 'The specified nextToken is invalid.') }]);
    expect(await refused('/told')).toBe('source-failed The events of /told could not be read: InvalidParameterException: The specified nextToken is invalid.');
    proxy.script([{ action: /FilterLogEvents$/, nth: 2, effect: { kind: 'answer', status: 200, headers: { 'content-type': 'application/x-amz-json-1.1' }, body: '{}' } }]);
    expect(await refused('/told')).toContain('has no list in it');
    proxy.script([{ action: /DescribeLogGroups$/, effect: jsonFault(503, 'ServiceUnavailableException', 'not now') }]);
    expect(await refused('/told')).toContain('unavailable The log groups /told could not be listed: ServiceUnavailableException: not now');
  });

  it('a connection that breaks at thirty places never becomes a backup', async () => {
    await makeGroup(client, '/cut');
    await put(client, '/cut', Array.from({ length: 200 }, (_, index) => ({ timestamp: NOON - index * MINUTE / 4, message: `event ${index} ${'x'.repeat(100)}` })));
    let whole = 0;
    for (let place = 0; place < 30; place++) {
      proxy.script([{ action: /FilterLogEvents$/, nth: 1 + (place % 6), effect: place % 3 === 0 ? { kind: 'reset' } : { kind: 'cut-body', bytes: 1 + place * 331 } }]);
      const repository = testRepository();
      const outcome = await backUp(repository, sourceFor(client, new LeapingClock(NOON), ['/cut'], { rangeMs: 6 * HOUR }), QUICK).catch((error: { readonly code: string }) => error.code);
      if (typeof outcome === 'string') expect(outcome).toMatch(/^(?:unavailable|source-failed)$/);
      // An answer that is shorter than the place came whole.
      else expect(linesOf(await heldBy(repository, outcome))).toHaveLength((whole++, 200));
    }
    expect(whole).toBeLessThan(15);
  });

  it('groups that a beginning finds are kept with their own windows, and those of each lie in its folder', async () => {
    for (const name of ['/fleet/web', '/fleet/web/nested', 'fleet/web']) await makeGroup(client, name);
    await put(client, '/fleet/web', [{ timestamp: NOON - MINUTE, message: 'outer' }]);
    await put(client, '/fleet/web/nested', [{ timestamp: NOON - MINUTE, message: 'inner' }]);
    const repository = testRepository();
    const held = await heldBy(repository, await backUp(repository, sourceFor(client, new LeapingClock(NOON), ['/fleet/*'], { rangeMs: 2 * HOUR, windowMs: 15 * MINUTE }), QUICK));
    const day = new Date(NOON).toISOString().slice(0, 10);
    expect(held.get(`log-groups/fleet/web/date=${day}/11-45.ndjson`)?.content?.toString()).toContain('"message":"outer"');
    expect(held.get(`log-groups/fleet/web/nested/date=${day}/11-45.ndjson`)?.content?.toString()).toContain('"message":"inner"');
    expect([...held.values()].filter(({ entry }) => keptWindowOf({ attributes: 'xattrs' in entry ? (entry.xattrs ?? []) : [] }))).toHaveLength(18);
    await expect(backUp(testRepository(), sourceFor(client, new LeapingClock(NOON), ['/fleet/web', 'fleet/web']), QUICK)).rejects.toMatchObject({ message: expect.stringContaining('differ by a leading slash') });
  });
});

/** The client of an account where every second answer is empty and says that there are more. */
function withTokens(real: CloudWatchLogsClient, size: number): Pick<CloudWatchLogsClient, 'send'> {
  const send = async (command: { readonly input: Record<string, unknown> }) => {
    const { nextToken, ...input } = command.input;
    const { events = [] } = (await real.send(new (command.constructor as new (input: unknown) => never)({ ...input, limit: 10_000 }))) as { readonly events?: readonly unknown[] };
    const step = Number(nextToken ?? 0);
    const at = Math.ceil(step / 2) * size;
    const isEmpty = step % 2 === 1;
    return { events: isEmpty ? [] : events.slice(at, at + size), ...((isEmpty || at + size < events.length) && { nextToken: String(step + 1) }) };
  };
  return { send: send as never };
}
