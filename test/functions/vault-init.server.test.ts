import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, ListObjectsV2Command, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { CreateKeyCommand } from '@aws-sdk/client-kms';
import type { KMSClient } from '@aws-sdk/client-kms';
import { initVault } from '../../functions/vault-init/init-vault.ts';
import type { InitPorts } from '../../functions/vault-init/init-vault.ts';
import { kmsClient, s3Client } from '../../lib/aws/clients.ts';
import { openStackVault, stackStore } from '../../lib/aws/stack-vault.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { recipientUnlocker } from '../../lib/keyring/recipient.ts';
import { recipientLine } from '../../lib/keyring/recipient/public-half.ts';
import { xWingKey } from '../../lib/keyring/recipient/x-wing.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { CONFIG_NAME, readConfig } from '../../lib/repository/index.ts';
import type { DeployedRecipient } from '../../lib/settings/deployed.ts';
import type { Store } from '../../lib/stores/store.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

describe('making a vault at deploy time, on an emulator of S3 and KMS (K1)', () => {
  let aws: Ministack;
  let s3: S3Client;
  let kms: KMSClient;
  let keyArn: string;
  let count = 0;

  beforeAll(async () => {
    aws = await startMinistack();
    s3 = s3Client(aws.client);
    kms = kmsClient(aws.client);
    keyArn = await newKey();
  });
  afterAll(() => aws?.stop());

  async function newKey(): Promise<string> {
    return (await kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
  }

  async function newPorts(prefix = ''): Promise<InitPorts & { bucket: string }> {
    const bucket = `vault-${++count}`;
    await s3.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
    await s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    return { bucket, kms, keyArn, store: stackStore({ bucket, prefix, keyArn }, { s3, clock: systemClock }) };
  }

  async function objects(bucket: string): Promise<string[]> {
    return ((await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents ?? []).map(({ Key = '' }) => Key.replace(/[0-9a-f]{32}/, 'ID'));
  }

  it('writes one slot of each scope, then holdfast.json, and the vault opens for both', async () => {
    const ports = await newPorts();
    const { repository, isNew } = await initVault(ports);
    expect(isNew).toBe(true);
    expect(await objects(ports.bucket)).toEqual([CONFIG_NAME, 'keys/1/ID.json', 'keys/1/ID.json']);
    const place = { bucket: ports.bucket, prefix: '', keyArn };
    const all = await openStackVault(place, { s3, kms, clock: systemClock });
    expect(all.repository.config.repository).toBe(repository);
    expect([all.mayWrite, all.warnings]).toEqual([true, []]);
    const meta = await openStackVault(place, { s3, kms, clock: systemClock }, 'meta');
    expect(() => meta.repository.keys.subkey('frame', 1)).toThrow();
  });

  it('finds it made when it is called again, and writes nothing', async () => {
    const ports = await newPorts('team/');
    const { repository } = await initVault(ports);
    const before = await objects(ports.bucket);
    expect(before.every((name) => name.startsWith('team/'))).toBe(true);
    expect(await initVault(ports)).toEqual({ repository, isNew: false, added: 0 });
    expect(await objects(ports.bucket)).toEqual(before);
  });

  it('gives recipients their slots from their public halves alone, later ones too, each once (K11)', async () => {
    const ports = await newPorts();
    const seeds = [randomBytes(32), randomBytes(32)] as const;
    const [one, two] = seeds.map((seed, index) => ({ label: `safe${index}`, text: recipientLine(xWingKey(seed).publicKey) })) as [DeployedRecipient, DeployedRecipient];
    const { repository, added } = await initVault({ ...ports, recipients: [one] });
    expect(added).toBe(1);
    expect(await initVault({ ...ports, recipients: [one, two] })).toEqual({ repository, isNew: false, added: 1 });
    expect((await initVault({ ...ports, recipients: [one, two] })).added).toBe(0);
    const all = await openStackVault({ bucket: ports.bucket, prefix: '', keyArn }, { s3, kms, clock: systemClock });
    for (const seed of seeds) expect((await openSlots(ports.store, repository, recipientUnlocker(seed))).pairs).toEqual(all.repository.keys.keys.pairs.map(({ number, meta, data }) => ({ number, meta: Buffer.from(meta), data: Buffer.from(data!) })));
    await expect(initVault({ ...ports, recipients: [{ ...one, text: one.text.slice(0, -40) }] })).rejects.toMatchObject({ code: 'missing-key', message: expect.stringContaining('safe0 is not the public half of a recipient') });
  });

  it('makes one vault when four do it at once', async () => {
    const ports = await newPorts();
    const made = await Promise.all([1, 2, 3, 4].map(() => initVault(ports)));
    const { repository } = await readConfig(ports.store);
    expect(new Set(made.map((vault) => vault.repository))).toEqual(new Set([repository]));
    await openStackVault({ bucket: ports.bucket, prefix: '', keyArn }, { s3, kms, clock: systemClock });
  });

  it.each([1, 2, 3])('is finished by the next when it dies before its write number %i', async (fatal) => {
    const ports = await newPorts();
    let puts = 0;
    const dying: Store = { ...bound(ports.store), put: (name, bytes, options) => (++puts >= fatal ? Promise.reject(new HoldfastError('interrupted', 'killed')) : ports.store.put(name, bytes, options)) };
    await expect(initVault({ ...ports, store: dying })).rejects.toMatchObject({ code: 'interrupted' });
    await initVault(ports);
    const { warnings } = await openStackVault({ bucket: ports.bucket, prefix: '', keyArn }, { s3, kms, clock: systemClock });
    expect(warnings).toEqual([]);
    await openStackVault({ bucket: ports.bucket, prefix: '', keyArn }, { s3, kms, clock: systemClock }, 'meta');
  });

  it('refuses a vault that another key wraps, naming both, and changes nothing', async () => {
    const ports = await newPorts();
    await initVault(ports);
    const before = await objects(ports.bucket);
    const other = await newKey();
    await expect(initVault({ ...ports, keyArn: other })).rejects.toMatchObject({ code: 'wrong-key', message: expect.stringContaining(other) as string, nextStep: expect.stringContaining('existing-key') as string });
    expect(await objects(ports.bucket)).toEqual(before);
  });

  it('fails as permission or not-found when the key or the bucket is not there', async () => {
    const ports = await newPorts();
    await expect(initVault({ ...ports, keyArn: keyArn.replace(/[^/]+$/, '00000000-0000-0000-0000-000000000000') })).rejects.toMatchObject({ code: 'missing-key' });
    expect(await objects(ports.bucket)).toEqual([]);
    const nowhere = stackStore({ bucket: 'nothing-here', prefix: '', keyArn }, { s3, clock: systemClock });
    await expect(initVault({ ...ports, store: nowhere })).rejects.toMatchObject({ name: 'HoldfastError' });
  });
});

/** Methods of a class do not come along with a spread. */
function bound(store: Store): Store {
  return {
    description: store.description, put: store.put.bind(store), get: store.get.bind(store), stat: store.stat.bind(store), list: store.list.bind(store), remove: store.remove.bind(store), now: store.now.bind(store),
  };
}
