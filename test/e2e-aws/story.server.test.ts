import { join } from 'node:path';
import { DescribeStacksCommand, CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteObjectCommand, GetBucketLifecycleConfigurationCommand, HeadBucketCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { BackupRecord } from '../../lib/catalog/records.ts';
import { STACK } from '../support/aws-rig/example-config.ts';
import { eventually } from '../support/aws-rig/waiting.ts';
import { startWorld } from '../support/aws-rig/world.ts';
import type { World } from '../support/aws-rig/world.ts';
import { everythingIn, incompressibility } from './bucket.ts';
import { MARKER, changeOrders, contentOf, fillOrders } from '../support/aws-rig/orders-database.ts';
import { fillMedia, treeOf } from '../support/aws-rig/media-tree.ts';
import { backupOf, endedRun } from './runs.ts';
import { step } from './steps.ts';

const ROOT = join(__dirname, '..', '..');

describe('a stack, from its deploy to a database that was lost and is back', () => {
  let world: World;
  let deployedAt: number;
  let first: BackupRecord;
  let second: BackupRecord;
  let media: BackupRecord;
  const place = () => JSON.parse(world.outputs['HoldfastVaults'] as string).main as { bucket: string; keyArn: string };

  beforeAll(async () => {
    deployedAt = Date.now();
    world = await startWorld({ root: ROOT, bundles: process.env['HOLDFAST_BUNDLES'], cron: '* * * * *', prepare: async ({ postgres, files }) => {
      await fillOrders(postgres);
      fillMedia(files);
    } });
  }, 240_000);
  afterAll(async () => world?.stop(), 60_000);

  step('cdk deploy makes the stack, with the worker image of the Dockerfile (F4)', async () => {
    const { deployed, outputs } = world;
    console.log(`deployed in ${deployed.seconds.toFixed(1)} s, image ${Math.round((deployed.images[0]?.bytes ?? 0) / 1e6)} MB, applied after it: ${deployed.applied.join('; ')}`);
    expect(Object.keys(outputs)).toEqual(expect.arrayContaining(['HoldfastTable', 'HoldfastVaults', 'HoldfastDispatch', 'HoldfastRestoreWorkflow', 'HoldfastTopic']));
    expect(deployed.images).toHaveLength(1);
    expect(deployed.images[0]?.bytes).toBeLessThan(400e6);
  });

  step('the schedule fires; occurrence, run and backup stand in the catalog (P6)', async () => {
    const run = await endedRun(world, 'orders', { after: deployedAt });
    first = await backupOf(world, run);
    const occurrence = (await world.ledger.listOccurrences('orders', deployedAt - 120_000)).find(({ runId }) => runId === run.runId);
    expect(occurrence).toMatchObject({ trigger: 'schedule', planName: 'orders' });
    expect(new Date(occurrence?.at ?? 1).getUTCSeconds()).toBe(0);
    expect(run).toMatchObject({ state: 'completed', vault: 'main', backupId: first.backupId });
    expect(run.taskArn).toContain(':task/');
    expect(first).toMatchObject({ planName: 'orders', vault: 'main', entries: 1, warnings: 0, source: { type: 'postgres' } });
    expect(first.bytes).toBeGreaterThan(10e6);
  });

  step('what lies in the bucket is ciphertext (K1), under the vault\'s key, locked (K7), in the class of its plan (K4)', async () => {
    const stored = await everythingIn(place().bucket, world.rig.emulator);
    const soon = Date.now() + 23 * 3_600_000;
    for (const { key, body, head, retention } of stored) {
      for (const word of [MARKER, 'PGDMP', 'CREATE TABLE', 'orders_by_customer']) expect({ key, holds: body.includes(word) ? word : undefined }).toEqual({ key, holds: undefined });
      expect({ key, encryption: head.ServerSideEncryption, keyId: head.SSEKMSKeyId }).toEqual({ key, encryption: 'aws:kms', keyId: place().keyArn });
      expect({ key, mode: retention.mode, isFar: (retention.until?.getTime() ?? 0) > soon }).toEqual({ key, mode: 'GOVERNANCE', isFar: true });
      expect({ key, storageClass: head.StorageClass ?? 'STANDARD' }).toEqual({ key, storageClass: 'STANDARD' });
    }
    const packs = stored.filter(({ key }) => key.startsWith('packs/hot/'));
    expect(packs.length).toBeGreaterThan(0);
    for (const { key, body } of packs) expect({ key, isNoise: incompressibility(body) > 0.99 }).toEqual({ key, isNoise: true });
    expect(stored.some(({ key }) => key.startsWith('snapshots/'))).toBe(true);
    expect(stored.filter(({ key }) => key.includes('orders'))).toEqual([]);
  });

  step('a locked object cannot be deleted, and only packs of warm and cold classes ever move', async () => {
    const s3 = new S3Client({ ...world.rig.emulator.client, forcePathStyle: true });
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: place().bucket, Prefix: 'snapshots/' }));
    const { Key, VersionId } = Versions[0] ?? {};
    await expect(s3.send(new DeleteObjectCommand({ Bucket: place().bucket, Key, VersionId }))).rejects.toMatchObject({ name: 'AccessDenied' });
    const { Rules = [] } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket: place().bucket }));
    const moves = Rules.flatMap(({ Filter, Transitions = [] }) => Transitions.map(({ StorageClass }) => [Filter?.And?.Prefix ?? Filter?.Prefix, StorageClass]));
    expect(moves).toEqual([['packs/warm/', 'STANDARD_IA'], ['packs/cold/', 'GLACIER_IR']]);
  });

  step('holdfast list --aws shows it', async () => {
    const { code, stdout } = await world.holdfast(['list', '--aws', STACK, '--json']);
    const rows = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect({ code, found: rows.some((row) => JSON.stringify(row).includes(first.backupId)) }).toEqual({ code: 0, found: true });
  });

  step('rows change in PostgreSQL; the next scheduled run stores only the difference (K3)', async () => {
    await changeOrders(world.postgres);
    second = await backupOf(world, await endedRun(world, 'orders', { after: Date.now() }));
    expect(second.sequence).toBeGreaterThan(first.sequence);
    expect(second.bytes).toBeGreaterThan(0.99 * first.bytes);
    expect(second.addedBytes).toBeGreaterThan(0);
    expect(second.addedBytes).toBeLessThan(0.2 * first.addedBytes);
  });

  step('a person backs up files from a file system; cdk deploy again changes nothing meanwhile', async () => {
    const [asked, deployedAgain] = await Promise.all([world.holdfast(['backup', 'media', '--aws', STACK]), world.rig.cdk.run(['deploy', '--all', '--require-approval', 'never'])]);
    expect(asked).toMatchObject({ code: 0 });
    expect(deployedAgain).toContain('(no changes)');
    media = (await world.catalog.latestBackup('media')) as BackupRecord;
    expect(media).toMatchObject({ planName: 'media', warnings: 0, source: { type: 'files' } });
  });

  step('the database is dropped, and the workflow of Step Functions restores it: every table is equal (R1, R3)', async () => {
    await world.ledger.setPaused('orders', { at: Date.now(), by: 'the story' });
    await eventually('the last run of orders to end', async () => (await world.ledger.activeRuns()).length === 0, { withinMs: 60_000 });
    const newest = (await world.catalog.latestBackup('orders')) as BackupRecord;
    const before = await contentOf(world.postgres);
    await world.postgres.sql('DROP DATABASE orders WITH (FORCE)');
    const ended = await restored(world, { backup: newest.backupId, target: 'orders-again', confirm: 'orders-again' });
    expect(ended).toMatchObject({ status: 'SUCCEEDED' });
    expect(await contentOf(world.postgres)).toEqual(before);
    const [record] = await world.catalog.listRestores({ backupId: newest.backupId });
    expect(record).toMatchObject({ state: 'completed', target: 'orders-again' });
    expect(record?.stages?.map(({ name, state }) => `${name} ${state}`)).toEqual(expect.arrayContaining(['checked done', 'restored done', 'validated done', 'reported done']));
  });

  step('files are restored beside the old ones and compared', async () => {
    const { code, stdout, stderr } = await world.holdfast(['restore', media.backupId, '--aws', STACK, '--to-target', 'media-again', '--yes']);
    expect({ code, said: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, said: '' });
    expect(treeOf(join(world.files.to, 'media'))).toEqual(treeOf(world.files.from));
  });

  step('what the workflow is not allowed is refused: another target, a wrong confirmation, an unknown field', async () => {
    const backup = second.backupId;
    const inputs = [{ backup, target: 'somewhere', confirm: 'somewhere' }, { backup, target: 'orders-again', confirm: 'orders' }, { backup, target: 'orders-again', confirm: 'orders-again', host: 'elsewhere' }];
    const ends = await Promise.all(inputs.map((input) => restored(world, input)));
    expect(ends.map(({ status }) => status)).toEqual(['FAILED', 'FAILED', 'FAILED']);
  });

  step('nobody was told of a backup that failed', async () => {
    const alerts = await world.alerts();
    expect(alerts.filter((text) => text.includes('backup-failed'))).toEqual([]);
    expect((await world.ledger.listAlerts()).filter(({ kind }) => kind === 'backup-failed')).toEqual([]);
  });

  step('cdk destroy takes the stack and leaves vault and catalog', async () => {
    await world.rig.cdk.run(['destroy', '--all', '--force']);
    await expect(new CloudFormationClient(world.rig.emulator.client).send(new DescribeStacksCommand({ StackName: STACK }))).rejects.toThrow('does not exist');
    await new S3Client({ ...world.rig.emulator.client, forcePathStyle: true }).send(new HeadBucketCommand({ Bucket: place().bucket }));
    const { Table } = await new DynamoDBClient(world.rig.emulator.client).send(new DescribeTableCommand({ TableName: world.outputs['HoldfastTable'] }));
    expect(Table?.TableStatus).toBe('ACTIVE');
  });
});

async function restored(world: World, input: object): Promise<{ readonly status: string | undefined; readonly error: string | undefined; readonly cause: string | undefined }> {
  const workflows = new SFNClient(world.rig.emulator.client);
  const { executionArn } = await workflows.send(new StartExecutionCommand({ stateMachineArn: world.outputs['HoldfastRestoreWorkflow'], input: JSON.stringify(input) }));
  return eventually(`the restore ${JSON.stringify(input)} to end`, async () => {
    const { status, error, cause } = await workflows.send(new DescribeExecutionCommand({ executionArn }));
    return status === 'RUNNING' ? undefined : { status, error, cause };
  }, { withinMs: 90_000, explain: () => world.logs() });
}
