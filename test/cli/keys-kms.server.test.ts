import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { writeFileSync } from 'node:fs';
import { makeBucket, s3Client } from '../support/buckets.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import { Desk } from './run-in-process.ts';

interface SlotRow {
  readonly keyNumber: number;
  readonly kind: string;
  readonly label: string;
  readonly opens: string;
}

/** The SDK looks into the environment of the process for credentials and the endpoint of KMS. */
const NAMES = ['AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

describe('a vault in S3 under a key of KMS, from the command line (K1)', () => {
  let ministack: Ministack;
  const before = NAMES.map((name) => [name, process.env[name]] as const);
  beforeAll(async () => {
    ministack = await startMinistack();
    Object.assign(process.env, variables());
  }, 60_000);
  afterAll(async () => {
    for (const [name, value] of before) if (value === undefined) delete process.env[name]; else process.env[name] = value;
    await ministack.stop();
  });

  it('is made with a slot for everything and one for metadata, rotated with one new slot for each, and opened by a second key', async () => {
    const [key, other] = [await newKey(), await newKey()];
    const desk = await deskWith('rotated', key);
    await desk.do('init');
    expect(slotLines(await desk.json('keys', 'list'))).toEqual(['1 kms everything', '1 kms metadata']);
    const [rotated] = await desk.json('keys', 'rotate', '--for-kms-key', other);
    expect(rotated).toMatchObject({ keyNumber: 2, done: true, access: [{ opens: 'everything', upTo: 1, getsNew: true }, { opens: 'metadata', upTo: 1 }, { opens: 'everything', upTo: 0 }, { opens: 'metadata', upTo: 0, getsNew: true }] });
    expect(slotLines(await desk.json('keys', 'list'))).toEqual(['1 kms everything', '1 kms metadata', '2 kms everything', '2 kms everything', '2 kms metadata', '2 kms metadata']);
    await desk.do('keys', 'add', '--new-key-file', 'offline.key');
    expect(slotLines(await desk.json('keys', 'list', '--key-file', 'offline.key'))).toContain('2 key-file everything');
  });

  it('opens with another way in when its KMS key is disabled, and says what is wrong when there is none', async () => {
    const key = await newKey();
    const desk = await deskWith('disabled', key);
    await desk.do('init');
    await desk.do('keys', 'add', '--new-key-file', 'offline.key');
    await kms().send(new DisableKeyCommand({ KeyId: key }));
    expect(await desk.run('keys', 'list')).toMatchObject({ stderr: expect.stringContaining(`The KMS key ${key} is disabled, so the keys of this vault cannot be unwrapped`) });
    expect(slotLines(await desk.json('keys', 'list', '--key-file', 'offline.key'))).toHaveLength(3);
  });

  it('gets a slot for metadata alone under another key', async () => {
    const desk = await deskWith('pruned', await newKey());
    await desk.do('init');
    await desk.do('keys', 'add', '--new-kms-key', await newKey(), '--meta-only');
    expect(slotLines(await desk.json('keys', 'list'))).toEqual(['1 kms everything', '1 kms metadata', '1 kms metadata']);
  });

  it('opens with the paper of a recipient when its KMS key is gone, as its slots were made without it (K11)', async () => {
    const key = await newKey();
    const desk = await deskWith('paper', key);
    await desk.do('keys', 'make-recipient', 'office.recipient', '--paper-file', 'office.paper');
    await desk.do('init', '--recipient', 'office.recipient');
    await kms().send(new DisableKeyCommand({ KeyId: key }));
    const [tested] = await desk.json('keys', 'test', '--recipient-key-file', 'office.paper');
    expect(tested).toMatchObject({ result: 'good', keyNumbers: [{ number: 1, opens: 'everything' }] });
    await desk.do('keys', 'add', '--new-key-file', 'new.key', '--recipient-key-file', 'office.paper');
    expect(slotLines(await desk.json('keys', 'list', '--key-file', 'new.key'))).toEqual(['1 key-file everything', '1 kms everything', '1 kms metadata', '1 recipient everything']);
  });

  it('keys are tested by what KMS opens; what is removed stays as a version, and the command says so', async () => {
    const [key, other] = [await newKey(), await newKey()];
    const desk = await deskWith('tested', key);
    await desk.do('init');
    await desk.do('keys', 'add', '--new-kms-key', other);
    expect(await desk.json('keys', 'test')).toMatchObject([{ result: 'good', slots: [{ keyNumber: 1, opens: 'everything' }] }]);
    const stranger = await newKey();
    const tried = await desk.run('keys', 'test', '--try-kms-key', other, '--try-kms-key', stranger, '--json');
    expect([tried.code, tried.stdout.trim().split('\n').map((line) => (JSON.parse(line) as { result: string }).result)]).toEqual([11, ['good', 'failed']]);
    const [slot] = (await desk.json<SlotRow & { slot: string }>('keys', 'list')).filter(({ label, opens }) => other.endsWith(label.slice(-36)) && opens === 'everything');
    expect(await desk.do('keys', 'remove', slot!.slot, '--yes')).toContain('In a bucket with versions or Object Lock a removed slot stays as an older version');
    expect((await desk.run('keys', 'test', '--try-kms-key', other)).code).toBe(11);
  }, 60_000);

  function variables(): Record<string, string> {
    return { AWS_ENDPOINT_URL: ministack.endpoint, AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
  }

  async function deskWith(bucket: string, key: string): Promise<Desk> {
    await makeBucket(s3Client(ministack.endpoint), bucket);
    const desk = new Desk(variables());
    writeFileSync(desk.path('holdfast.yaml'), `vaults: { main: { s3: { bucket: ${bucket}, region: eu-central-1 }, kms-key: "${key}" } }\n`);
    return desk;
  }

  async function newKey(): Promise<string> {
    return (await kms().send(new CreateKeyCommand({}))).KeyMetadata?.Arn as string;
  }

  function kms(): KMSClient {
    return new KMSClient(ministack.client);
  }
});

function slotLines(rows: readonly SlotRow[]): string[] {
  return rows.map(({ keyNumber, kind, opens }) => `${keyNumber} ${kind} ${opens}`).toSorted();
}
