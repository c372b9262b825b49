import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { connectionOf } from '../../lib/local/postgres-places.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { startMinistack } from '../support/servers/ministack.ts';

const NAMES = ['AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
const place = { host: 'h', port: 5432, database: 'd' };
const here = { variables: { WORDS: 'local words' }, home: '/home/me', workingFolder: '/', temporaryFolder: '/tmp' };

describe('a password in AWS for a plan of this machine (S8)', () => {
  let ministack: Ministack;
  const before = NAMES.map((name) => [name, process.env[name]] as const);
  beforeAll(async () => {
    ministack = await startMinistack();
    Object.assign(process.env, { AWS_ENDPOINT_URL: ministack.endpoint, AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
    await new SecretsManagerClient(ministack.client).send(new CreateSecretCommand({ Name: 'rds/shop', SecretString: '{"username":"shop","password":"from the secret"}' }));
    await new SSMClient(ministack.client).send(new PutParameterCommand({ Name: '/shop/password', Value: 'from the parameter', Type: 'SecureString' }));
  }, 60_000);
  afterAll(async () => {
    for (const [name, value] of before) if (value === undefined) delete process.env[name]; else process.env[name] = value;
    await ministack.stop();
  });

  it('is read from Secrets Manager by its key, from Parameter Store, or from this machine', async () => {
    expect(await connectionOf({ ...place, user: { kind: 'secrets-manager', name: 'rds/shop', key: 'username' }, password: { kind: 'secrets-manager', name: 'rds/shop', key: 'password' } }, here)).toMatchObject({ user: 'shop', password: 'from the secret' });
    expect(await connectionOf({ ...place, user: 'u', password: { kind: 'ssm', name: '/shop/password' } }, here)).toMatchObject({ password: 'from the parameter' });
    expect(await connectionOf({ ...place, user: 'u', password: { kind: 'env', name: 'WORDS' } }, here)).toMatchObject({ password: 'local words' });
  });

  it('that is not there is named, and nothing that was read is shown', async () => {
    await expect(connectionOf({ ...place, user: 'u', password: { kind: 'secrets-manager', name: 'rds/shpo' } }, here)).rejects.toMatchObject({ code: 'missing-key', message: expect.stringContaining('${secret:rds/shpo}') });
    const error = await connectionOf({ ...place, user: 'u', password: { kind: 'secrets-manager', name: 'rds/shop', key: 'pass' } }, here).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'missing-key', message: 'The secret ${secret:rds/shop#pass} is not there: its JSON map has no text under "pass", wanted a value.' });
  });
});
