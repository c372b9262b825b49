import type { S3Client } from '@aws-sdk/client-s3';
import { bytesOf } from '../../contract/store.ts';
import { sourceContract } from '../../contract/source.ts';
import { makeBucket, s3Client } from '../../support/buckets.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../../support/servers/fault-proxy.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { bucketFor, putAll, sourceFor } from './desk.ts';

const SECRET = 'kept-from-everybody';
const temporary = temporaryFolder();
let server: Ministack;
let proxy: FaultProxy;
let client: S3Client;
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  client = s3Client(proxy.endpoint, { credentials: { accessKeyId: 'test', secretAccessKey: SECRET } });
  await makeBucket(client, 'source');
  await putAll(client, 'source', Array.from({ length: 20 }, (_, index) => ({ Key: `folder/${index}`, Body: bytesOf(100_000, index) })));
  await putAll(client, 'source', [{ Key: 'folder/denied', Body: 'nobody may' }]);
  proxy.script([{ method: 'GET', path: /denied\?x-id/, effect: { kind: 'answer', status: 403, headers: { 'content-type': 'application/xml' }, body: '<Error><Code>AccessDenied</Code><Message>Not for this user.</Message></Error>' } }]);
});
afterAll(async () => {
  client?.destroy();
  await proxy?.stop();
  await server?.stop();
});

sourceContract('s3', () => ({
  temporaryFolder: temporary,
  secrets: [SECRET],
  state: async () => (await Array.fromAsync(bucketFor(client, 'source').list('' as never, new AbortController().signal))).map(({ key, etag, modified }) => [key, etag, modified]),
  good: () => sourceFor(client, 'source', { prefix: 'folder/', exclude: ['denied'] }),
  failing: () => sourceFor(client, 'source'),
  refused: () => sourceFor(client, 'none'),
}));

it('tells of a denied object in the words of the server, with the permission that is missing', async () => {
  await expect(bucketFor(client, 'source').get('folder/denied' as never, undefined, new AbortController().signal)).rejects.toMatchObject({
    code: 'permission',
    message: 'cannot read "s3://source/folder/denied": the store denied access (AccessDenied, 403): "Not for this user.".',
    nextStep: expect.stringContaining('s3:GetObject'),
  });
});
