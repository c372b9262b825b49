import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { makeBucket, s3Client } from '../../support/buckets.ts';
import { backUp, heldBy, testRepository } from '../../support/run-backup.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../../support/servers/fault-proxy.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { objectsOf, putAll, sourceFor } from './desk.ts';

/** 100,000 by hand: HOLDFAST_S3_OBJECTS=100000. Figures of that are in docs/sources/s3.md. */
const COUNT = Number(process.env['HOLDFAST_S3_OBJECTS'] ?? 1000);
/** What was put within two seconds of being read is read again. */
const untilSettled = () => sleep(2010);

let server: Ministack;
let proxy: FaultProxy;
let client: S3Client;
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  client = s3Client(proxy.endpoint);
});
afterAll(async () => {
  client?.destroy();
  await proxy?.stop();
  await server?.stop();
});

it(`fetches only what has changed: 10 of ${COUNT}, and says what is gone (S7)`, async () => {
  const from = await makeBucket(client, 'source');
  const key = (index: number) => `media/${index % 10}/img-${index}.jpg`;
  await putAll(client, from, Array.from({ length: COUNT }, (_, index) => ({ Key: key(index), Body: `first ${index}` })));
  await untilSettled();
  const repository = testRepository();
  const run = async () => {
    const before = proxy.calls.length;
    const startedAt = Date.now();
    const outcome = await backUp(repository, sourceFor(client, from, { isKeepingTags: false }));
    const paths = proxy.calls.slice(before).map(({ path }) => path);
    const asked = { reads: paths.filter((path) => path.endsWith('x-id=GetObject')).length, lists: paths.filter((path) => path.includes('list-type=2')).length };
    if (COUNT > 1000) process.stderr.write(`${JSON.stringify({ ...asked, seconds: (Date.now() - startedAt) / 1000, residentMiB: Math.round(process.memoryUsage().rss / 2 ** 20) })}\n`);
    expect(asked.reads + asked.lists).toBe(paths.length);
    return { ...outcome, ...asked };
  };
  expect(await run()).toMatchObject({ reads: COUNT, statistics: { newFiles: COUNT, files: COUNT } });
  await putAll(client, from, Array.from({ length: 10 }, (_, index) => ({ Key: key(100 * index), Body: `second ${index}` })));
  await client.send(new DeleteObjectCommand({ Bucket: from, Key: key(5) }));
  await untilSettled();
  const second = await run();
  // One look whether there is anything, and the answers of a thousand keys that the listing has.
  expect(second).toMatchObject({ reads: 10, lists: 1 + Math.ceil((COUNT - 1) / 1000), statistics: { files: COUNT - 1, changedFiles: 10, newFiles: 0, unchangedFiles: COUNT - 11, removedEntries: 1, readBytes: 80 } });
  // Nothing changed: not one object is asked for, and no tree is written.
  const third = await run();
  expect(third).toMatchObject({ reads: 0, statistics: { unchangedFiles: COUNT - 1, readBytes: 0 } });
  expect(third.manifest.tree).toEqual(second.manifest.tree);
  if (COUNT > 1000) return;
  const objects = objectsOf(await heldBy(repository, second));
  expect(objects.get(key(300))?.content.toString()).toBe('second 3');
  expect(objects.get(key(304))?.content.toString()).toBe('first 304');
  expect(objects.has(key(5))).toBe(false);
}, 3_600_000);
