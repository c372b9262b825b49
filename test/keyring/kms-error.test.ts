import { KMSClient } from '@aws-sdk/client-kms';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createKmsWrapper, kmsUnlocker } from '../../lib/keyring/kms.ts';
import type { HoldfastError } from '../../lib/model/errors.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';

const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const REPLICA_OF = 'arn:aws:kms:us-west-2:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab';
const repository = 'ab'.repeat(16) as RepositoryId;
const CANARY = 'canary-of-the-request';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** What KMS answers (name, HTTP status) → what a person reads. The SDK reads the answers as it would those of AWS. */
const ANSWERS: readonly (readonly [name: string, status: number, code: string, isRetryable: boolean, message: RegExp, nextStep: RegExp])[] = [
  ['AccessDeniedException', 400, 'permission', false, /^KMS denies kms:Decrypt with the key arn:\S+ \(AccessDeniedException\)\.$/, /encryption context holdfast:repository=(ab){16}, holdfast:scope=all/],
  ['ExpiredTokenException', 400, 'permission', false, /does not take the credentials of this process for kms:Decrypt: they are absent, wrong or expired/, /^Sign in again/],
  ['UnrecognizedClientException', 400, 'permission', false, /does not take the credentials/, /^Sign in again/],
  ['DisabledException', 400, 'missing-key', false, /^The KMS key arn:\S+ is disabled/, /^Enable it: aws kms enable-key --key-id arn:/],
  ['KMSInvalidStateException', 400, 'missing-key', false, /is about to be deleted or not usable now/, /^Stop the deletion at once: aws kms cancel-key-deletion --key-id arn:/],
  ['NotFoundException', 400, 'missing-key', false, /^There is no symmetric KMS key arn:\S+ in this account and region/, /^Check the ARN or alias/],
  ['InvalidCiphertextException', 400, 'damaged', false, /^KMS does not open its ciphertext for repository (ab){16} and scope all/, /^Put the slot back/],
  ['IncorrectKeyException', 400, 'damaged', false, /^KMS does not open its ciphertext/, /^Put the slot back/],
  ['ThrottlingException', 400, 'unavailable', true, /^KMS throttles kms:Decrypt/, /^Try again in a minute/],
  ['DependencyTimeoutException', 503, 'unavailable', true, /^KMS did not answer kms:Decrypt \(DependencyTimeoutException\)/, /^Check the network/],
  ['KMSInternalException', 500, 'unavailable', true, /^KMS did not answer kms:Decrypt \(KMSInternalException\)/, /^Check the network/],
];

describe('what KMS answers (K1)', () => {
  it.each(ANSWERS)('%s (HTTP %i) becomes %s', async (name, status, code, isRetryable, message, nextStep) => {
    const error = await decryptError(answering(status, { __type: name, message: CANARY }));
    expect(error).toMatchObject({ code, retryable: isRetryable, message: expect.stringMatching(message), nextStep: expect.stringMatching(nextStep) });
    expect(`${error.message}${error.nextStep}`).not.toContain(CANARY);
  });

  it('is unavailable when nothing answers', async () => {
    const client = new KMSClient({ region: 'eu-central-1', endpoint: 'http://127.0.0.1:1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1 });
    expect(await decryptError(client)).toMatchObject({ code: 'unavailable', retryable: true, message: expect.stringMatching(/^KMS did not answer kms:Decrypt \(.+\)\.$/) });
  });

  it('says that credentials are absent', async () => {
    const client = new KMSClient({ region: 'eu-central-1', credentials: async () => { throw Object.assign(new Error(CANARY), { name: 'CredentialsProviderError' }); }, maxAttempts: 1 });
    expect(await decryptError(client)).toMatchObject({ code: 'permission', message: expect.stringContaining('credentials of this process') });
  });

  it('names the other action when a data key is asked for', async () => {
    const making = createKmsWrapper({ client: answering(400, { __type: 'AccessDeniedException' }), repository, scope: 'meta', keyId: 'alias/vault' });
    await expect(making).rejects.toMatchObject({ message: 'KMS denies kms:GenerateDataKey with the key alias/vault (AccessDeniedException).', nextStep: expect.stringContaining('holdfast:scope=meta') });
  });
});

describe('the unlocker under KMS', () => {
  it('asks again after a failure, and once for several slots of one ciphertext', async () => {
    let calls = 0;
    const client = answering(200, () => (++calls === 1 ? { __type: 'ThrottlingException' } : { Plaintext: Buffer.alloc(32, 7).toString('base64'), KeyId: KEY }), () => (calls === 1 ? 400 : 200));
    const unlocker = kmsUnlocker({ client, repository, scope: 'all' });
    await expect(unlocker.keyEncryptionKey(slot(KEY))).rejects.toMatchObject({ code: 'unavailable' });
    const keys = await Promise.all([unlocker.keyEncryptionKey(slot(KEY)), unlocker.keyEncryptionKey(slot(KEY))]);
    expect([keys.map((key) => key?.[0]), calls]).toEqual([[7, 7], 2]);
  });

  it('reaches a key of several regions by its replica in the region of the client', async () => {
    const asked: unknown[] = [];
    const client = answering(200, (request) => (asked.push((request as { KeyId?: string }).KeyId), { Plaintext: Buffer.alloc(32).toString('base64'), KeyId: KEY }));
    await kmsUnlocker({ client, repository, scope: 'all', region: 'eu-central-1' }).keyEncryptionKey(slot(REPLICA_OF));
    expect(asked).toEqual([REPLICA_OF.replace('us-west-2', 'eu-central-1')]);
  });

  it('binds each call to repository and scope', async () => {
    const asked: unknown[] = [];
    const client = answering(200, (request) => (asked.push((request as { EncryptionContext?: object }).EncryptionContext), { Plaintext: Buffer.alloc(32).toString('base64'), KeyId: KEY }));
    await kmsUnlocker({ client, repository, scope: 'all' }).keyEncryptionKey(slot(KEY));
    expect(asked).toEqual([{ 'holdfast:repository': repository, 'holdfast:scope': 'all' }]);
  });
});

function slot(key: string) {
  return { repository, keyNumber: 1, salt: new Uint8Array(32), kdf: { name: 'kms' as const, key, scope: 'all' as const, ciphertext: new Uint8Array([1, 2, 3]) } };
}

async function decryptError(client: KMSClient): Promise<HoldfastError> {
  return kmsUnlocker({ client, repository, scope: 'all' }).keyEncryptionKey(slot(KEY)).then(() => { throw new Error('it opened'); }, (error: HoldfastError) => error);
}

/** The real client, and on loopback a server that gives one answer. */
function answering(status: number, body: object | ((request: unknown) => object), statusOf = () => status): KMSClient {
  const server = createServer((request, response) => {
    const sent: Buffer[] = [];
    request.on('data', (chunk: Buffer) => sent.push(chunk)).on('end', () => {
      const answer = typeof body === 'function' ? body(JSON.parse(Buffer.concat(sent).toString())) : body;
      response.writeHead(statusOf(), { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer));
    });
  });
  servers.push(server);
  const endpoint = async () => {
    if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { protocol: 'http:', hostname: '127.0.0.1', port: (server.address() as AddressInfo).port, path: '/' };
  };
  return new KMSClient({ region: 'eu-central-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1, endpoint });
}
