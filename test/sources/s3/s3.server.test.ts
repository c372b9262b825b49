import { createHash } from 'node:crypto';
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, PutBucketVersioningCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import type { ObjectSource } from '../../../lib/sources/source.ts';
import { bytesOf } from '../../contract/store.ts';
import { makeBucket, s3Client } from '../../support/buckets.ts';
import { backUp, heldBy, testRepository } from '../../support/run-backup.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../../support/servers/fault-proxy.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { startMoto } from '../../support/servers/moto.ts';
import { ODD_KEYS, bucketFor, objectsOf, putAll, sourceFor } from './desk.ts';

describe.each([['ministack', startMinistack], ['moto', startMoto]] as const)('a bucket of %s as a source (S7)', (name, start) => {
  let server: Ministack;
  let proxy: FaultProxy;
  let client: S3Client;
  let made = 0;
  beforeAll(async () => {
    server = await start();
    proxy = await startFaultProxy(server.endpoint);
    client = s3Client(proxy.endpoint);
  });
  afterAll(async () => {
    client?.destroy();
    await proxy?.stop();
    await server?.stop();
  });
  const bucket = () => makeBucket(client, `source-${(made += 1)}`);
  beforeEach(() => proxy.script([]));

  it('keeps every key, whatever it is, and nothing leads out of the backup', async () => {
    const from = await bucket();
    for (const Key of ODD_KEYS) await client.send(new PutObjectCommand({ Bucket: from, Key, Body: `bytes of ${Key}` }));
    const repository = testRepository();
    // Answers of three keys: order and continuation are tried, too.
    const held = await heldBy(repository, await backUp(repository, sourceFor(client, from, { requests: { pageSize: 3 } })));
    const objects = objectsOf(held);
    expect([...objects.keys()].sort()).toEqual([...ODD_KEYS].sort());
    for (const [key, { content }] of objects) expect(content.toString()).toBe(`bytes of ${key}`);
    expect([...held.keys()].every((path) => path.split('/').every((component) => !['', '.', '..'].includes(component)))).toBe(true);
  });

  it('keeps headers, metadata, tags, no bytes, zero bytes and the time of an object', async () => {
    const from = await bucket();
    const body = Buffer.from([0, 255, 0, 0, 128, 10, 13]);
    await client.send(new PutObjectCommand({
      Bucket: from, Key: 'all', Body: body, ContentType: 'image/webp', CacheControl: 'max-age=60', ContentEncoding: 'identity', ContentDisposition: 'attachment; filename="a b"', ContentLanguage: 'de',
      Metadata: { owner: 'ops', empty: '' }, Tagging: 'team=blue&cost%20centre=4%2B2',
    }));
    await putAll(client, from, [{ Key: 'empty', Body: '' }]);
    const repository = testRepository();
    const objects = objectsOf(await heldBy(repository, await backUp(repository, sourceFor(client, from))));
    expect(objects.get('all')?.content).toEqual(body);
    expect(objects.get('all')?.kept).toEqual({
      etag: createHash('md5').update(body).digest('hex'), modified: expect.any(Number), contentType: 'image/webp', cacheControl: 'max-age=60', contentEncoding: 'identity', contentDisposition: 'attachment; filename="a b"', contentLanguage: 'de',
      metadata: { owner: 'ops', empty: '' }, tags: { team: 'blue', 'cost centre': '4+2' },
    });
    expect(objects.get('empty')?.content).toHaveLength(0);
    expect(Math.abs((objects.get('all')?.kept?.modified ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('reads an object that was uploaded in parts, larger than any chunk, through one that breaks', async () => {
    const from = await bucket();
    const parts = [bytesOf(6 << 20, 1), bytesOf(5 << 20, 2), bytesOf(100, 3)];
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: from, Key: 'large' }));
    const sent = [];
    for (const [index, Body] of parts.entries()) sent.push({ PartNumber: index + 1, ETag: (await client.send(new UploadPartCommand({ Bucket: from, Key: 'large', UploadId, PartNumber: index + 1, Body }))).ETag });
    await client.send(new CompleteMultipartUploadCommand({ Bucket: from, Key: 'large', UploadId, MultipartUpload: { Parts: sent } }));
    // Each answer ends after 3 MiB: four connections, each going on where the one before broke.
    proxy.script([{ method: 'GET', path: /large\?x-id=GetObject$/, effect: { kind: 'cut-body', bytes: 3 << 20 } }]);
    const repository = testRepository();
    const outcome = await backUp(repository, sourceFor(client, from), { threads: 2 });
    const large = objectsOf(await heldBy(repository, outcome)).get('large');
    expect(Buffer.compare(large?.content ?? Buffer.of(), Buffer.concat(parts))).toBe(0);
    expect(large?.kept?.etag).toMatch(/-3$/);
    expect(outcome.statistics.bytes).toBe((11 << 20) + 100);
    const asked = proxy.calls.filter(({ path }) => path.includes('/large?x-id=GetObject')).map(({ headers }) => headers);
    const begins = asked.map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')?.[1]));
    expect(begins.length).toBeGreaterThanOrEqual(4);
    expect(begins).toEqual([...new Set(begins)].sort((left, right) => left - right));
    expect(new Set(asked.map((headers) => headers['if-match']))).toEqual(new Set([`"${large?.kept?.etag}"`]));
  });

  // What follows asks our own code; one server is enough for that.
  if (name === 'moto') return;

  it('keeps the version that it read, never parts of two', async () => {
    const from = await bucket();
    await client.send(new PutBucketVersioningCommand({ Bucket: from, VersioningConfiguration: { Status: 'Enabled' } }));
    const [old, fresh] = [bytesOf(3 << 20, 4), bytesOf(3 << 20, 5)];
    const put = async (Body: Buffer | Uint8Array) => (await client.send(new PutObjectCommand({ Bucket: from, Key: 'changing', Body }))).VersionId;
    const oldVersion = await put(old);
    const repository = testRepository();
    const first = objectsOf(await heldBy(repository, await backUp(repository, sourceFor(client, from)))).get('changing');
    expect(first?.kept?.versionId).toBe(oldVersion);
    // Replaced while it is read, and then the connection breaks: of a versioned bucket the old version is still there.
    const reading = bucketFor(client, from);
    const listed = await Array.fromAsync(reading.list('' as ByteString, new AbortController().signal));
    const [one] = listed;
    if (!one) throw new Error('one object was put');
    proxy.script([{ method: 'GET', path: /changing\?x-id=GetObject/, effect: { kind: 'cut-body', bytes: 1 << 20 }, times: 1 }]);
    const read = await reading.get(one.key, one.etag, new AbortController().signal);
    if (typeof read === 'string') throw new Error(read);
    const freshVersion = await put(fresh);
    expect(Buffer.compare(Buffer.concat(await Array.fromAsync(read.body)), old)).toBe(0);
    // Listed before and read after: what is there then, whole.
    expect(await reading.get(one.key, one.etag, new AbortController().signal)).toBe('changed');
    const second = objectsOf(await heldBy(repository, await backUp(repository, sourceFor(client, from)))).get('changing');
    expect([second?.kept?.versionId, Buffer.compare(second?.content ?? Buffer.of(), fresh)]).toEqual([freshVersion, 0]);
  });

  it('fails where a version is gone after half of it, and reads the new one when it is opened again', async () => {
    const from = await bucket();
    const [old, fresh] = [bytesOf(3 << 20, 6), bytesOf(2 << 20, 7)];
    await putAll(client, from, [{ Key: 'one', Body: old }]);
    const reading = bucketFor(client, from);
    const signal = new AbortController().signal;
    proxy.script([{ method: 'GET', path: /one\?x-id=GetObject/, effect: { kind: 'cut-body', bytes: 1 << 20 }, times: 1 }]);
    const read = await reading.get('one' as ByteString, undefined, signal);
    if (typeof read === 'string') throw new Error(read);
    await putAll(client, from, [{ Key: 'one', Body: fresh }]);
    await expect(Array.fromAsync(read.body)).rejects.toMatchObject({ code: 'stale' });
    // The same within a run: the entry is the new object alone.
    await putAll(client, from, [{ Key: 'one', Body: old }]);
    proxy.script([{ method: 'GET', path: /one\?x-id=GetObject/, effect: { kind: 'cut-body', bytes: 1 << 20 }, times: 1 }]);
    const repository = testRepository();
    const source = sourceFor(client, from);
    const swapping: ObjectSource = { shape: 'objects', type: source.type, description: source.description, parallel: 1, check: () => source.check(), objects: swappingObjects };
    async function* swappingObjects(abort: AbortSignal) {
      let opened = 0;
      for await (const object of source.objects(abort)) {
        const open = async () => {
          const found = await object.open();
          if (opened++ === 0) await putAll(client, from, [{ Key: 'one', Body: fresh }]);
          return found;
        };
        yield { ...object, open };
      }
      return { evidence: [] };
    }
    const one = objectsOf(await heldBy(repository, await backUp(repository, swapping))).get('one');
    expect(Buffer.compare(one?.content ?? Buffer.of(), fresh)).toBe(0);
  });

  it('tells of an object that is gone between its listing and its reading, and keeps all others', async () => {
    const from = await bucket();
    await putAll(client, from, ['a', 'b', 'c'].map((Key) => ({ Key })));
    proxy.script([{ method: 'GET', path: /\/b\?x-id=GetObject/, effect: { kind: 'answer', status: 404, headers: { 'content-type': 'application/xml' }, body: '<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>' } }]);
    const repository = testRepository();
    const outcome = await backUp(repository, sourceFor(client, from));
    expect(outcome.manifest.warnings).toEqual([{ code: 'vanished', path: 'b', message: 'it vanished before it could be read' }]);
    expect([...objectsOf(await heldBy(repository, outcome)).keys()]).toEqual(['a', 'c']);
  });
});
