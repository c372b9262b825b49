import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { s3Client } from '../../lib/aws/clients.ts';
import { readDeployedConfig } from '../../lib/aws/deployed-config.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

const CONFIG = { version: 1, stackName: 'prod', plans: [], restoreTargets: [], vaults: [{ name: 'main', maxConcurrentRuns: 1 }] };

describe('the deployed configuration', () => {
  let aws: Ministack;
  let s3: S3Client;
  let gets = 0;

  beforeAll(async () => {
    aws = await startMinistack();
    s3 = s3Client(aws.client);
    await s3.send(new CreateBucketCommand({ Bucket: 'assets', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
    const put = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket: 'assets', Key, Body }));
    await put('folder/abc123.json', JSON.stringify(CONFIG));
    await put('newer.json', JSON.stringify({ ...CONFIG, version: 2 }));
    await put('broken.json', '{');
    await put('foreign.json', '{"version":1}');
    s3.middlewareStack.add((next) => (args) => {
      gets += 1;
      return next(args);
    }, { step: 'initialize' });
  });
  afterAll(() => aws?.stop());

  it('is read once, by the address of its asset, and named by its hash', async () => {
    const before = Date.now();
    const first = await readDeployedConfig(s3, 's3://assets/folder/abc123.json');
    expect(first).toEqual({ config: CONFIG, hash: 'abc123', since: expect.any(Number) as number });
    expect(Math.abs(first.since - before)).toBeLessThan(60_000);
    expect(await readDeployedConfig(s3, 's3://assets/folder/abc123.json')).toBe(first);
    expect(gets).toBe(1);
  });

  it('is asked for again after a failure', async () => {
    await expect(readDeployedConfig(s3, 's3://assets/later.json')).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('s3://assets/later.json') as string });
    await s3.send(new PutObjectCommand({ Bucket: 'assets', Key: 'later.json', Body: JSON.stringify(CONFIG) }));
    expect((await readDeployedConfig(s3, 's3://assets/later.json')).config.stackName).toBe('prod');
  });

  it.each([['s3://assets/newer.json', 'unsupported-version'], ['s3://assets/broken.json', 'config-invalid'], ['s3://assets/foreign.json', 'config-invalid'], ['https://assets/x', 'config-invalid'], ['s3://nothing/x.json', 'not-found']])('is refused: %s', async (url, code) => {
    await expect(readDeployedConfig(s3, url)).rejects.toMatchObject({ code, nextStep: expect.any(String) as string });
  });
});
