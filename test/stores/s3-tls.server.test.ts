import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../../lib/model/clock.ts';
import { s3ClientOptions } from '../../lib/stores/s3/client-options.ts';
import { openS3Store } from '../../lib/stores/s3-store.ts';
import { bytesOf, expectSame } from '../contract/store.ts';
import { makeBucket, s3Client, TEST_CREDENTIALS } from '../support/buckets.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let server: Ministack;
let tls: Server;
let caFile: string;
beforeAll(async () => {
  const folder = temporaryFolder();
  caFile = join(folder, 'ca.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(folder, 'key.pem'), '-out', caFile], { stdio: 'ignore' });
  server = await startMinistack();
  await makeBucket(s3Client(server.endpoint), 'behind-tls');
  tls = createServer({ key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(caFile) }, (asked, answer) => {
    asked.pipe(request(server.endpoint, { method: asked.method, path: asked.url, headers: asked.headers, setHost: false }, (got) => got.pipe(answer.writeHead(got.statusCode ?? 502, got.headers))));
  });
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  tls?.closeAllConnections();
  tls?.close();
  await server?.stop();
});

const storeWith = (access: { readonly caFile?: string }) => {
  const endpoint = `https://127.0.0.1:${(tls.address() as AddressInfo).port}`;
  const client = new S3Client({ ...s3ClientOptions({ endpoint, region: 'eu-central-1', ...access }), credentials: TEST_CREDENTIALS });
  return openS3Store({ client, bucket: 'behind-tls', prefix: 'v', clock: systemClock, random: Math.random });
};

describe('S3Store at an endpoint with a certificate of a private authority', () => {
  it('trusts it when its CA file is named', async () => {
    const store = storeWith({ caFile });
    await store.put('packs/hot/w/a', bytesOf(3_000_000));
    expectSame(await store.get('packs/hot/w/a'), bytesOf(3_000_000));
  });

  it('refuses it without, says so once, and names the setting', async () => {
    await expect(storeWith({}).get('a')).rejects.toMatchObject({ code: 'unavailable', retryable: false, message: expect.stringContaining('certificate of the endpoint is not trusted'), nextStep: expect.stringContaining('ca-file') });
  });

  it('says which CA file cannot be read', () => {
    expect(() => storeWith({ caFile: '/nowhere/ca.pem' })).toThrow('The CA file /nowhere/ca.pem cannot be read (ENOENT)');
  });
});
