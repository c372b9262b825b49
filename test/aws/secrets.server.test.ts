import { CreateSecretCommand, DeleteSecretCommand } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { secretsClient, ssmClient } from '../../lib/aws/clients.ts';
import { secretResolver } from '../../lib/aws/secrets.ts';
import { parseSecretReference } from '../../lib/config/secret-reference.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

const VALUE = 'correct-horse-battery';

describe('secrets of a task on an emulator', () => {
  let aws: Ministack;
  let resolve: (text: string) => Promise<string>;
  let arn: string;

  beforeAll(async () => {
    aws = await startMinistack();
    const secrets = secretsClient(aws.client);
    const ssm = ssmClient(aws.client);
    const resolver = secretResolver({ secrets: () => secrets, ssm: () => ssm });
    resolve = (text) => resolver(parseSecretReference(text));
    arn = (await secrets.send(new CreateSecretCommand({ Name: 'app/db', SecretString: JSON.stringify({ username: 'app', password: VALUE, port: 5432, list: [VALUE] }) }))).ARN ?? '';
    await secrets.send(new CreateSecretCommand({ Name: 'plain', SecretString: VALUE }));
    await secrets.send(new CreateSecretCommand({ Name: 'empty', SecretString: '{"password":""}' }));
    await secrets.send(new CreateSecretCommand({ Name: 'binary', SecretBinary: Buffer.from([1, 2, 255]) }));
    await secrets.send(new CreateSecretCommand({ Name: 'dying', SecretString: VALUE }));
    await secrets.send(new DeleteSecretCommand({ SecretId: 'dying', RecoveryWindowInDays: 7 }));
    await ssm.send(new PutParameterCommand({ Name: '/app/secure', Value: VALUE, Type: 'SecureString' }));
    await ssm.send(new PutParameterCommand({ Name: '/app/plain', Value: 'hello', Type: 'String' }));
  });
  afterAll(() => aws?.stop());

  it.each([
    ['${secret:plain}', VALUE], ['${secret:app/db#password}', VALUE], ['${secret:app/db#username}', 'app'], ['${secret:app/db#port}', '5432'], ['${ssm:/app/secure}', VALUE], ['${ssm:/app/plain}', 'hello'],
  ])('reads %s', async (reference, value) => {
    expect(await resolve(reference)).toBe(value);
  });

  it('reads a secret by its ARN', async () => {
    expect(await resolve(`\${secret:${arn}#password}`)).toBe(VALUE);
  });

  it.each([
    ['${secret:gone}', 'missing-key', 'nothing has that name'],
    ['${ssm:/gone}', 'missing-key', 'nothing has that name'],
    ['${secret:app/db#passwd}', 'missing-key', '"passwd"'],
    ['${secret:app/db#list}', 'missing-key', '"list"'],
    ['${secret:plain#password}', 'missing-key', 'no JSON map'],
    ['${secret:empty#password}', 'missing-key', 'empty'],
    ['${secret:binary}', 'missing-key', 'binary'],
    ['${secret:dying}', 'missing-key', 'could not be read'],
    ['${env:PATH}', 'missing-key', 'PATH'],
    ['${file:/etc/hostname}', 'missing-key', '/etc/hostname'],
  ])('says of %s what is missing, and shows no value', async (reference, code, message) => {
    const error = await resolve(reference).then(() => undefined, (caught: unknown) => caught as Error);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) as string, nextStep: expect.any(String) as string });
    expect(error?.message).toContain(reference);
    expect(everythingIn(error)).not.toContain(VALUE);
  });

  it('says unavailable when nobody answers, and permission when it is not allowed', async () => {
    const gone = secretsClient({ ...aws.client, endpoint: 'http://127.0.0.1:1', maxAttempts: 1 });
    const denied = { send: () => Promise.reject(Object.assign(new Error('User is not authorized to perform: secretsmanager:GetSecretValue'), { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } })) };
    const reference = parseSecretReference('${secret:plain}');
    await expect(secretResolver({ secrets: () => gone, ssm: () => denied })(reference)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await expect(secretResolver({ secrets: () => denied, ssm: () => denied })(reference)).rejects.toMatchObject({ code: 'permission', nextStep: expect.stringContaining('secretsmanager:GetSecretValue') as string });
    await expect(secretResolver({ secrets: () => denied, ssm: () => denied })(parseSecretReference('${ssm:/x}'))).rejects.toMatchObject({ nextStep: expect.stringContaining('ssm:GetParameter') as string });
  });
});

function everythingIn(error: unknown): string {
  const texts: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause) texts.push(current.message, current.stack ?? '', JSON.stringify(current));
  return texts.join('\n');
}
