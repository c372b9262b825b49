import type { S3Client } from '@aws-sdk/client-s3';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import { bytesOf } from '../../contract/store.ts';
import { makeBucket, s3Client } from '../../support/buckets.ts';
import { backUp, objectNames, testRepository } from '../../support/run-backup.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultEffect, FaultProxy, FaultRule } from '../../support/servers/fault-proxy.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { bucketFor, putAll, sourceFor } from './desk.ts';

const SECRET = 'kept-from-everybody';
const BODY = bytesOf(300_000, 1);
let server: Ministack;
let proxy: FaultProxy;
let client: S3Client;
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  client = s3Client(proxy.endpoint, { credentials: { accessKeyId: 'test', secretAccessKey: SECRET } });
  await makeBucket(client, 'source');
  await putAll(client, 'source', [...Array.from({ length: 10 }, (_, index) => ({ Key: `small/${15 + index}` })), { Key: 'small/20-large', Body: BODY }]);
});
beforeEach(() => proxy.script([]));
afterAll(async () => {
  client?.destroy();
  await proxy?.stop();
  await server?.stop();
});

const answer = (status: number, body: string): FaultEffect => ({ kind: 'answer', status, body, headers: { 'content-type': 'application/xml' } });
const listing = (inner: string): FaultEffect => answer(200, `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>source</Name>${inner}</ListBucketResult>`);
const listed = (...keys: string[]) => keys.map((key) => `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>1</Size></Contents>`).join('');
/** The second answer of a listing in three. */
const second = (effect: FaultEffect): FaultRule => ({ method: 'GET', path: /list-type=2.*continuation-token|continuation-token.*list-type=2/, effect, times: 1 });
const always = (effect: FaultEffect): FaultRule => ({ ...second(effect), times: 1000 });
const large = (effect: FaultEffect): FaultRule => ({ method: 'GET', path: /20-large\?x-id=GetObject/, effect });
const DENIED = answer(403, '<Error><Code>AccessDenied</Code><Message>Not for this user.</Message></Error>');

describe('a bucket that lies, breaks or refuses never becomes a backup (S7)', () => {
  it.each<readonly [string, FaultRule, string, RegExp]>([
    ['a listing that ends with an empty answer', second(answer(200, '')), 'source-failed', /does not say whether there is more/],
    ['a page of a proxy instead of a listing', second(answer(200, '<html><body>Sign in</body></html>')), 'source-failed', /does not say whether there is more/],
    ['a listing with more to come and no way on', second(listing(`<IsTruncated>true</IsTruncated><KeyCount>1</KeyCount>${listed('small/30')}`)), 'source-failed', /not how to go on/],
    ['a listing with fewer keys than it announces', second(listing(`<IsTruncated>false</IsTruncated><KeyCount>9</KeyCount>${listed('small/30')}`)), 'source-failed', /announces 9 keys and holds 1/],
    ['keys that do not ascend', second(listing(`<IsTruncated>false</IsTruncated><KeyCount>2</KeyCount>${listed('small/33', 'small/31')}`)), 'source-failed', /small\/31\\?" came after \\?"small\/33/],
    ['a key beside the prefix', second(listing(`<IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>${listed('zzz')}`)), 'source-failed', /does not begin so/],
    ['a listing that is cut, every time', always({ kind: 'cut-body' }), 'unavailable', /cannot list/],
    ['a listing that is denied after its first answer', second(DENIED), 'permission', /AccessDenied, 403.*"Not for this user\."/],
    ['a body of which nothing comes, every time', large({ kind: 'cut-body', bytes: 0 }), 'unavailable', /cannot read/],
    ['a body with one wrong bit', large({ kind: 'flip' }), 'source-failed', /have the MD5 [0-9a-f]{32}, its ETag is/],
    ['an object that is denied', large(DENIED), 'permission', /cannot read "s3:\/\/source\/small\/20-large": .*AccessDenied, 403.*"Not for this user\."/],
    ['tags that are denied', { method: 'GET', path: /20-large\?tagging/, effect: DENIED }, 'permission', /cannot read the tags of/],
  ])('%s', async (_what, rule, code, message) => {
    proxy.script([rule]);
    const repository = testRepository();
    const error = await backUp(repository, sourceFor(client, 'source', { prefix: 'small/', isKeepingTags: rule.path?.source.includes('tagging') ?? false, requests: { pageSize: 4 } })).then(() => undefined, (failure: unknown) => failure as Error & { nextStep?: string });
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), nextStep: expect.any(String) });
    expect(`${error?.message} ${error?.nextStep} ${JSON.stringify(error)} ${JSON.stringify(error?.cause)}`).not.toContain(SECRET);
    expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
  });

  it('goes on through a connection that breaks at any of thirty bytes, with the very bytes of the object', async () => {
    const signal = new AbortController().signal;
    for (let point = 0; point < 30; point++) {
      proxy.script([{ ...large({ kind: 'cut-body', bytes: Math.floor((point * BODY.length) / 30) }), times: 1 }]);
      const read = await bucketFor(client, 'source').get('small/20-large' as ByteString, undefined, signal);
      if (typeof read === 'string') throw new Error(read);
      expect(Buffer.compare(Buffer.concat(await Array.fromAsync(read.body)), BODY)).toBe(0);
    }
  });
});
