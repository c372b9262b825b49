import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { HoldfastError } from '../../lib/model/errors.ts';
import { DIRECT_CLASSES, storageClassOfPacks } from '../../lib/stores/s3/storage-class.ts';
import { openS3Store } from '../../lib/stores/s3-store.ts';
import type { S3StoreOptions } from '../../lib/stores/s3-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { all, bytesOf, text } from '../contract/store.ts';
import { makeBucket, s3Client, TEST_CREDENTIALS } from '../support/buckets.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { startFaultProxy } from '../support/servers/fault-proxy.ts';
import type { FaultEffect, FaultProxy } from '../support/servers/fault-proxy.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

let server: Ministack;
let proxy: FaultProxy;
let client: S3Client;
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  client = s3Client(proxy.endpoint);
  await makeBucket(client, 'requests');
});
beforeEach(() => proxy.script([]));
afterAll(async () => {
  client?.destroy();
  await proxy?.stop();
  await server?.stop();
});

const storeAt = (prefix: string, more: Partial<S3StoreOptions> = {}): Store => openS3Store({ client, bucket: 'requests', prefix, clock: new LeapingClock(), random: () => 0.5, ...more });
const callsSince = (begin: number) => proxy.calls.slice(begin);

describe('what S3Store sends', () => {
  it('writes conditionally, with a SHA-256 that is also the signed digest, and asks for no encryption (K1, K7)', async () => {
    const begin = proxy.calls.length;
    await storeAt('headers').put('a/b', [text('ab'), text('c')]);
    const [put, ...others] = callsSince(begin);
    expect(others).toEqual([]);
    expect(put).toMatchObject({ method: 'PUT', path: '/requests/headers/a/b?x-id=PutObject' });
    const digest = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(put?.headers).toMatchObject({ 'if-none-match': '*', 'x-amz-checksum-sha256': Buffer.from(digest, 'hex').toString('base64'), 'x-amz-content-sha256': digest, 'content-length': '3' });
    expect(Object.keys(put?.headers ?? {}).filter((header) => /server-side|encryption|checksum-crc|storage-class/.test(header))).toEqual([]);
  });

  it('reads with the checksum asked for, ranges to the byte, and removes without a version', async () => {
    const store = storeAt('reads');
    await store.put('a', bytesOf(100));
    const begin = proxy.calls.length;
    await store.get('a');
    await store.get('a', { offset: 10, length: 5 });
    await store.remove('a');
    const [whole, range, removal] = callsSince(begin);
    expect(whole?.headers['x-amz-checksum-mode']).toBe('ENABLED');
    expect(range?.headers['range']).toBe('bytes=10-14');
    expect(removal).toMatchObject({ method: 'DELETE', path: '/requests/reads/a?x-id=DeleteObject' });
  });

  it('writes packs in the class of their folder and metadata always in the standard one (K4)', async () => {
    const store = storeAt('classes', { storageClassOf: storageClassOfPacks(DIRECT_CLASSES) });
    for (const name of ['packs/hot/w/00/a', 'packs/warm/w/00/b', 'packs/cold/w/00/c', 'packs/meta/w/00/d', 'snapshots/p/warm', 'holdfast.json']) await store.put(name, text('x'));
    const classOf = async (name: string) => (await client.send(new HeadObjectCommand({ Bucket: 'requests', Key: `classes/${name}` }))).StorageClass ?? 'STANDARD';
    expect(await Promise.all(['packs/hot/w/00/a', 'packs/warm/w/00/b', 'packs/cold/w/00/c', 'packs/meta/w/00/d', 'snapshots/p/warm', 'holdfast.json'].map(classOf))).toEqual(['STANDARD', 'STANDARD_IA', 'GLACIER_IR', 'STANDARD', 'STANDARD', 'STANDARD']);
  });

  it('has no more requests under way than it may', async () => {
    const store = storeAt('slots', { maxConcurrency: 2 });
    let open = 0;
    let most = 0;
    client.middlewareStack.add((next) => async (args) => {
      most = Math.max(most, (open += 1));
      return next(args).finally(() => (open -= 1));
    }, { step: 'finalizeRequest', name: 'countOpen' });
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.put(`n/${index}`, text('x'))));
    client.middlewareStack.remove('countOpen');
    expect(most).toBe(2);
  });

  it('asks its provider again when credentials are about to expire, as a long run needs', async () => {
    const handedOut: string[] = [];
    const provider = async () => {
      handedOut.push(`KEY${handedOut.length}`);
      // The SDK takes new ones when the old ones have five minutes left.
      const lifetime = handedOut.length === 1 ? 300_400 : 3_600_000;
      return { ...TEST_CREDENTIALS, accessKeyId: handedOut.at(-1) as string, expiration: new Date(Date.now() + lifetime) };
    };
    const refreshed = s3Client(proxy.endpoint, { credentials: provider });
    const store = storeAt('refresh', { client: refreshed });
    const begin = proxy.calls.length;
    for (const name of ['a', 'b']) await store.put(name, text('x'));
    await new Promise((resolve) => setTimeout(resolve, 600));
    for (const name of ['c', 'd']) await store.put(name, text('x'));
    refreshed.destroy();
    const used = callsSince(begin).map(({ headers }) => /Credential=(\w+)/.exec(headers.authorization ?? '')?.[1]);
    expect(handedOut).toEqual(['KEY0', 'KEY1']);
    expect(used).toEqual(['KEY0', 'KEY0', 'KEY1', 'KEY1']);
  });

  it('passes over what others keep in the bucket, and stays below its prefix', async () => {
    await storeAt('mine').put('a', text('x'));
    await storeAt('mine-too').put('b', text('x'));
    const { PutObjectCommand } = await import('@aws-sdk/client-s3');
    for (const Key of ['mine/', 'mine/folder/', 'mine/with space', 'mine/tmp/z']) await client.send(new PutObjectCommand({ Bucket: 'requests', Key, Body: 'x' }));
    expect((await all(storeAt('mine').list(''))).map(({ name }) => name)).toEqual(['a']);
    for (const prefix of ['/mine', 'mine/', 'mi ne', '..']) expect(() => storeAt(prefix)).toThrow('is no prefix of a vault');
  });
});

describe('what S3Store says when it cannot', () => {
  const xml = (status: number, code: string): FaultEffect => ({ kind: 'answer', status, headers: { 'content-type': 'application/xml', 'x-amz-request-id': 'REQ1' }, body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>secret-looking text</Message></Error>` });

  it.each([
    [403, 'AccessDenied', 'permission', false, 'denied access'],
    [400, 'ExpiredToken', 'permission', false, 'have expired'],
    [403, 'InvalidAccessKeyId', 'permission', false, 'does not know these credentials'],
    [403, 'SignatureDoesNotMatch', 'permission', false, 'does not know these credentials'],
    [403, 'RequestTimeTooSkewed', 'unavailable', true, 'clock of this machine'],
    [404, 'NoSuchBucket', 'vault-not-found', false, 'no such bucket'],
    [301, 'PermanentRedirect', 'vault-not-found', false, 'another region'],
    [503, 'SlowDown', 'unavailable', true, 'fewer requests'],
    [500, 'InternalError', 'unavailable', true, 'does not answer'],
    [400, 'RequestTimeout', 'unavailable', true, 'does not answer'],
    [400, 'BadDigest', 'unavailable', true, 'did not arrive'],
    [400, 'InvalidStorageClass', 'unsupported', false, 'storage class'],
    [501, 'NotImplemented', 'unsupported', false, 'lacks an ability'],
    [507, 'XMinioStorageFull', 'no-space', false, 'is full'],
    [400, 'KMS.DisabledException', 'permission', false, 'KMS key'],
    [418, 'Teapot', 'unavailable', false, 'unexpected way (Teapot, 418, request REQ1)'],
  ] as const)('says for %i %s: %s, retryable %s', async (status, code, wanted, retryable, says) => {
    proxy.script([{ effect: xml(status, code), method: 'PUT' }]);
    const error = await storeAt('errors').put('a', text('x')).then(() => undefined, (caught: HoldfastError) => caught);
    expect(error).toMatchObject({ code: wanted, retryable });
    expect(error?.message).toContain(says);
    expect(error?.message).toContain('cannot write a to s3://requests/errors');
    expect(error?.nextStep).toBeTruthy();
    expect(error?.message).not.toContain('secret-looking');
  });

  it('says vault-not-found for a bucket that is not there, whatever is asked first', async () => {
    const absent = storeAt('x', { bucket: 'absent-bucket' });
    for (const ask of [() => absent.get('a'), () => absent.put('a', text('x')), () => absent.now(), () => all(absent.list(''))]) await expect(ask()).rejects.toMatchObject({ code: 'vault-not-found' });
  });

  it('says what to do when nobody listens, the name is unknown, or no credentials are found', async () => {
    const away = s3Client('http://127.0.0.1:1');
    const unknown = s3Client('http://store.invalid');
    const without = s3Client(proxy.endpoint, { credentials: async () => Promise.reject(Object.assign(new Error('Could not load credentials from any providers'), { name: 'CredentialsProviderError' })) });
    await expect(storeAt('e', { client: away }).get('a')).rejects.toMatchObject({ code: 'unavailable', retryable: true, message: expect.stringContaining('ECONNREFUSED') });
    await expect(storeAt('e', { client: unknown }).get('a')).rejects.toMatchObject({ code: 'unavailable', retryable: true, message: expect.stringContaining('name of the endpoint') });
    await expect(storeAt('e', { client: without }).get('a')).rejects.toMatchObject({ code: 'permission', message: expect.stringContaining('no credentials') });
    for (const made of [away, unknown, without]) made.destroy();
  });

  it('goes on when credentials cannot be had for a moment in the middle of a run', async () => {
    let isAway = false;
    const provider = async () => {
      if (isAway) throw Object.assign(new Error('no route to whoever hands them out'), { name: 'CredentialsProviderError' });
      return { ...TEST_CREDENTIALS, expiration: new Date(Date.now() + 1000) };
    };
    const flaky = s3Client(proxy.endpoint, { credentials: provider });
    const store = storeAt('flaky', { client: flaky });
    await store.put('a', text('x'));
    isAway = true;
    await expect(store.put('b', text('x'))).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    isAway = false;
    expect(await store.put('b', text('x'))).toEqual({ created: true });
    flaky.destroy();
  });
});
