import { CreateLogStreamCommand } from '@aws-sdk/client-cloudwatch-logs';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { LeapingClock } from '../../support/fake-clock.ts';
import { backUp, heldBy, testRepository } from '../../support/run-backup.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../../support/servers/fault-proxy.ts';
import { threadInProcess } from '../../support/thread-in-process.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { DAY, HOUR, MINUTE, linesOf, logsClient, makeGroup, put, sourceFor } from './desk.ts';

/** A whole day by hand: HOLDFAST_LOG_MINUTES=1440. */
const MINUTES = Number(process.env['HOLDFAST_LOG_MINUTES'] ?? 40);
const LATE = 10 * MINUTE;

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

it(`a log group under continuous writing, backed up every minute for ${MINUTES} minutes: no event twice, none missing, closed windows not read again (S9)`, async () => {
  // A quarter of an hour before the end of an hour and of a day.
  const begin = Math.floor(Date.now() / DAY) * DAY - DAY - HOUR / 4;
  const clock = new LeapingClock(begin);
  const repository = testRepository();
  const sent = new Map<string, number>();
  const delayed: { readonly due: number; readonly timestamp: number; readonly message: string }[] = [];
  await makeGroup(client, '/shop/web');
  let stream = 'one';
  let serial = 0;
  const next = random(7);
  /** Three events a minute, some later than others: up to the ten minutes that the plan allows, and some of a clock that is ahead. */
  const write = async () => {
    for (let index = 0; index < 3; index++) {
      const chance = next();
      const [age, ahead] = [chance < 0.3 ? Math.floor(next() * (LATE - MINUTE)) : 0, chance > 0.95 ? Math.floor(next() * 90_000) : 0];
      delayed.push({ due: clock.now() + age, timestamp: clock.now() - Math.floor(next() * MINUTE) + ahead, message: `event ${serial++} "ü\n\t\\` });
    }
    if (serial % 99 === 0) await client.send(new CreateLogStreamCommand({ logGroupName: '/shop/web', logStreamName: (stream = `stream-${serial}`) }));
    const due = delayed.filter((event) => event.due <= clock.now());
    for (const event of due) delayed.splice(delayed.indexOf(event), 1);
    await put(client, '/shop/web', due, stream);
    for (const { message, timestamp } of due) sent.set(message, timestamp);
  };
  let mostWindows = 0;
  for (let minute = 1; minute <= MINUTES; minute++) {
    clock.advance(MINUTE);
    await write();
    const before = proxy.calls.length;
    const failing = minute % 20 === 7;
    if (failing) proxy.script([{ action: /FilterLogEvents$/, effect: { kind: 'reset' } }]);
    const run = backUp(repository, sourceFor(client, clock, ['/shop/web'], { rangeMs: 2 * DAY }), { ports: { clock, startThread: threadInProcess } });
    if (failing) {
      // The next one goes on from the last good backup.
      await expect(run).rejects.toMatchObject({ name: 'HoldfastError' });
      proxy.script([]);
      continue;
    }
    const { manifest } = await run;
    // The first run reads the range as a whole.
    if (minute > 1) mostWindows = Math.max(mostWindows, proxy.calls.slice(before).filter(({ action }) => action.endsWith('FilterLogEvents')).length);
    // Events of the future belong to a window that is not listed yet.
    if (minute % 30 !== 0 && minute !== MINUTES) continue;
    const lines = linesOf(await heldBy(repository, { manifest }));
    const messages = lines.map(({ message }) => message);
    const end = Math.floor(clock.now() / HOUR) * HOUR + HOUR;
    expect([...messages].sort()).toEqual([...sent].filter(([, timestamp]) => timestamp < end).map(([message]) => message).sort());
  }
  // The open hour, and for ten minutes the one before; after a failed run at most one more.
  expect(mostWindows).toBeLessThanOrEqual(3);
}, MINUTES * 1000 + 30_000);

function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
