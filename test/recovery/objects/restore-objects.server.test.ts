import { HeadObjectCommand, ListMultipartUploadsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import type { OverwritePolicy } from '../../../lib/recovery/decision.ts';
import { planObjectRestore, plannedObjects } from '../../../lib/recovery/objects/plan-objects.ts';
import { executeObjectRestore } from '../../../lib/recovery/objects/restore-objects.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { Repository } from '../../../lib/repository/index.ts';
import { BucketTarget } from '../../../lib/stores/s3/bucket-target.ts';
import { bytesOf } from '../../contract/store.ts';
import { ODD_KEYS, bucketFor, putAll, sourceFor } from '../../sources/s3/desk.ts';
import { makeBucket, s3Client } from '../../support/buckets.ts';
import { LeapingClock } from '../../support/fake-clock.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../../support/servers/fault-proxy.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { startMoto } from '../../support/servers/moto.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const signal = new AbortController().signal;
const LARGE = bytesOf((9 << 20) + 5, 9);

/** Everything that S3 says of every object. */
async function allOf(client: S3Client, bucket: string, below = ''): Promise<Map<string, unknown>> {
  const from = bucketFor(client, bucket);
  const found = new Map<string, unknown>();
  for await (const { key } of from.list(below as ByteString, signal)) {
    const read = await from.get(key, undefined, signal);
    if (typeof read === 'string') throw new Error(`${key} is ${read}`);
    const bytes = Buffer.concat(await Array.fromAsync(read.body));
    found.set(key.slice(below.length), { description: read.description, bytes: bytes.length > 1000 ? createHash('sha256').update(bytes).digest('hex') : bytes.toString('latin1'), tags: await from.tags(key, read.versionId, signal) });
  }
  return found;
}

async function restore(repository: Repository, backup: Awaited<ReturnType<typeof backUp>>, target: BucketTarget, { patterns = [], overwrite = 'never' }: { patterns?: string[]; overwrite?: OverwritePolicy } = {}) {
  const reader = await SnapshotReader.open(repository, names.snapshot(backup.manifest.plan, backup.manifest.backup));
  const plan = await planObjectRestore(reader, target, { patterns, overwrite, signal });
  return { plan, reader, report: await executeObjectRestore(reader, target, plan, { clock: systemClock, signal }) };
}

describe.each([['ministack', startMinistack], ['moto', startMoto]] as const)('a bucket of %s that objects are restored into (S7, R1)', (name, start) => {
  let server: Ministack;
  let proxy: FaultProxy;
  let client: S3Client;
  let made = 0;
  beforeAll(async () => {
    server = await start();
    proxy = await startFaultProxy(server.endpoint);
    client = s3Client(proxy.endpoint);
  });
  beforeEach(() => proxy.script([]));
  afterAll(async () => {
    client?.destroy();
    await proxy?.stop();
    await server?.stop();
  });
  const bucket = () => makeBucket(client, `objects-${(made += 1)}`);
  const target = (name: string, prefix = '') => new BucketTarget({ client, bucket: name, prefix, clock: new LeapingClock(), random: () => 0.5 });

  it('gives every object back as it was: odd keys, headers, metadata, tags, nothing, many parts', async () => {
    const [from, to] = [await bucket(), await bucket()];
    await putAll(client, from, ODD_KEYS.map((Key) => ({ Key })));
    await client.send(new PutObjectCommand({
      Bucket: from, Key: 'described', Body: Buffer.from([0, 255]), ContentType: 'image/webp', CacheControl: 'max-age=60', ContentEncoding: 'identity', ContentDisposition: 'attachment; filename="a b"', ContentLanguage: 'de',
      Metadata: { owner: 'ops' }, Tagging: 'team=blue&cost%20centre=4%2B2',
    }));
    await putAll(client, from, [{ Key: 'empty', Body: '' }, { Key: 'large', Body: LARGE, Tagging: 'a=b', ContentType: 'video/mp4' }]);
    const repository = testRepository();
    const backup = await backUp(repository, sourceFor(client, from));
    const { report, plan } = await restore(repository, backup, target(to));
    expect(report).toMatchObject({ written: ODD_KEYS.length + 3, conflictCount: 0, damaged: [], leftOut: 0 });
    expect(plan.totals.create.objects).toBe(report.written);
    const original = await allOf(client, from);
    expect(await allOf(client, to)).toEqual(original);
    expect((await client.send(new HeadObjectCommand({ Bucket: to, Key: 'large' }))).ETag).toMatch(/-2"$/);
    // Again: nothing is written that is there, but for what came in parts, whose ETag is another.
    const before = proxy.calls.length;
    const again = await restore(repository, backup, target(to));
    expect(again.report).toMatchObject({ written: 0, same: ODD_KEYS.length + 2, conflicts: ['large'] });
    expect(proxy.calls.slice(before).filter(({ method }) => method !== 'GET')).toEqual([]);
    // Below a prefix, and only what matches.
    await restore(repository, backup, target(to, 'copy/of'), { patterns: ['a', 'described'] });
    expect([...(await allOf(client, to, 'copy/of/')).keys()].sort()).toEqual(['a', 'a//b', 'a/../b', 'a/b', 'described'].sort());
  });

  // What follows asks our own code; one server is enough for that.
  if (name === 'moto') return;

  it('overwrites nothing unless it is told to, and nothing that came there meanwhile', async () => {
    const [from, to] = [await bucket(), await bucket()];
    await putAll(client, from, [{ Key: 'one', Body: 'ours' }, { Key: 'same', Body: 'same' }, { Key: 'two', Body: 'ours' }]);
    await putAll(client, to, [{ Key: 'one', Body: 'theirs' }, { Key: 'same', Body: 'same' }, { Key: 'other', Body: 'theirs' }]);
    const repository = testRepository();
    const backup = await backUp(repository, sourceFor(client, from));
    const body = async (key: string) => ((await allOf(client, to)).get(key) as { bytes: string } | undefined)?.bytes;
    const { reader, report } = await restore(repository, backup, target(to));
    expect(report).toMatchObject({ written: 1, same: 1, conflicts: ['one'], conflictCount: 1 });
    expect([await body('one'), await body('two'), await body('other')]).toEqual(['theirs', 'ours', 'theirs']);
    // What is there is newer than the backup's.
    expect((await restore(repository, backup, target(to), { overwrite: 'older' })).report).toMatchObject({ written: 0, conflictCount: 1 });
    const planned = await Array.fromAsync(plannedObjects(reader, target(to), { patterns: [], overwrite: 'changed', signal }));
    expect(planned.map(({ key, action }) => [key, action])).toEqual([['one', 'overwrite'], ['same', 'skip'], ['two', 'skip']]);
    expect(await body('one')).toBe('theirs');
    expect((await restore(repository, backup, target(to), { overwrite: 'changed' })).report).toMatchObject({ written: 1, conflictCount: 0 });
    expect(await body('one')).toBe('ours');
    expect((await restore(repository, backup, target(to), { overwrite: 'always' })).report).toMatchObject({ written: 3 });
    // Planned for an empty place, where somebody writes before it is carried out.
    const late = await bucket();
    const plan = await planObjectRestore(reader, target(late), { patterns: [], overwrite: 'never', signal });
    const racing = target(late);
    const put = racing.put.bind(racing);
    racing.put = async (object, ...rest) => {
      if (object.key === 'two') await putAll(client, late, [{ Key: 'two', Body: 'quicker' }]);
      return put(object, ...rest);
    };
    const raced = await executeObjectRestore(reader, racing, plan, { clock: systemClock, signal });
    expect(raced).toMatchObject({ written: 2, conflicts: ['two'] });
    expect(((await allOf(client, late)).get('two') as { bytes: string }).bytes).toBe('quicker');
  });

  it('takes a write whose answer was lost for done, and leaves no half upload behind when it fails', async () => {
    const [from, to, broken] = [await bucket(), await bucket(), await bucket()];
    await putAll(client, from, [{ Key: 'large', Body: LARGE }, ...Array.from({ length: 10 }, (_, index) => ({ Key: `small-${index}` }))]);
    const repository = testRepository();
    const backup = await backUp(repository, sourceFor(client, from));
    proxy.script([{ method: 'PUT', every: 3, effect: { kind: 'lost-response' } }, { method: 'PUT', every: 4, effect: { kind: 'reset' } }]);
    expect((await restore(repository, backup, target(to))).report).toMatchObject({ written: 11, conflictCount: 0 });
    proxy.script([]);
    expect(await allOf(client, to)).toEqual(await allOf(client, from));
    proxy.script([{ method: 'PUT', path: /partNumber=2/, effect: { kind: 'answer', status: 403, headers: { 'content-type': 'application/xml' }, body: '<Error><Code>AccessDenied</Code><Message>Not that one.</Message></Error>' } }]);
    await expect(restore(repository, backup, target(broken), { patterns: ['large'] })).rejects.toMatchObject({ code: 'permission', message: expect.stringContaining('"Not that one."'), nextStep: expect.stringContaining('s3:PutObject') });
    proxy.script([]);
    expect((await client.send(new ListMultipartUploadsCommand({ Bucket: broken }))).Uploads ?? []).toEqual([]);
    expect([...(await allOf(client, broken)).keys()]).toEqual([]);
  });

  it('is told when what is there afterwards is not what was sent', async () => {
    const [from, to] = [await bucket(), await bucket()];
    await putAll(client, from, [{ Key: 'one', Body: 'whole' }]);
    const repository = testRepository();
    const backup = await backUp(repository, sourceFor(client, from));
    proxy.script([{ method: 'HEAD', effect: { kind: 'answer', status: 200, headers: { etag: '"00000000000000000000000000000000"', 'content-length': '5' } } }]);
    await expect(restore(repository, backup, target(to))).rejects.toMatchObject({ code: 'target-failed', message: expect.stringMatching(/is not there as it was sent: 5 bytes with ETag 0{32}, wanted 5 bytes with ETag [0-9a-f]{32}/) });
  });

  it('takes files of any backup, too, and says what is no object', async () => {
    const to = await bucket();
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'docs'));
    writeFileSync(join(folder, 'docs', 'a.txt'), 'from a disk');
    symlinkSync('a.txt', join(folder, 'docs', 'link'));
    const repository = testRepository();
    const { report } = await restore(repository, await backUp(repository, folder), target(to, 'disk'));
    expect(report).toMatchObject({ written: 1, leftOut: 1 });
    expect([...(await allOf(client, to)).keys()]).toEqual(['disk/docs/a.txt']);
  });
});
