import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CloudFormationClient, CreateStackCommand } from '@aws-sdk/client-cloudformation';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { initVault } from '../functions/vault-init/init-vault.ts';
import { openCatalog } from '../lib/aws/open-catalog.ts';
import { stackStore } from '../lib/aws/stack-vault.ts';
import type { BackupRecord } from '../lib/catalog/records.ts';
import { systemClock } from '../lib/model/clock.ts';
import { newUlid } from '../lib/model/ids.ts';
import type { BackupId, PlanId, RunId } from '../lib/model/ids.ts';
import { CATALOG_TABLE } from '../lib/settings/catalog-table.ts';
import { STACK_OUTPUTS } from '../lib/settings/outputs.ts';

/**
 * How long `holdfast list --aws STACK` takes in front of a catalog of many backups, on the emulator.
 * usage: node bench/list-in-stack.ts [BACKUPS, 10000 when absent]; needs scripts/servers.sh and npm run build.
 */
const backups = Number(process.argv[2] ?? 10_000);
const PORT = 24_313;
const python = '.servers/py/bin/python';
if (!existsSync(python) || !existsSync('dist/holdfast.mjs')) throw new Error('run scripts/servers.sh and npm run build first');
Object.assign(process.env, { AWS_ENDPOINT_URL: `http://127.0.0.1:${PORT}`, AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });

const work = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
const emulator = spawn(python, ['-m', 'hypercorn', 'ministack.app:app', '--bind', `127.0.0.1:${PORT}`], { env: { ...process.env, GATEWAY_PORT: String(PORT), BIND_HOST: '127.0.0.1', IOT_MTLS_ENABLED: '0', SFTP_ENABLED: '0', TMPDIR: work }, stdio: 'ignore', detached: true });
try {
  await untilUp();
  await makeStack();
  await measure(['list', '--limit', '20']);
  await measure(['list']);
  await measure(['list', '--json']);
} finally {
  process.kill(-(emulator.pid as number), 'SIGTERM');
  await once(emulator, 'exit');
  rmSync(work, { recursive: true, force: true });
}

async function untilUp(): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (await fetch(`${process.env['AWS_ENDPOINT_URL']}/_ministack/health`).then(({ ok }) => ok, () => false)) return;
    await systemClock.sleep(100);
  }
  throw new Error('the emulator did not come up');
}

async function makeStack(): Promise<void> {
  const [dynamo, kms, s3] = [new DynamoDBClient(), new KMSClient(), new S3Client({ forcePathStyle: true })];
  const { partitionKey, sortKey, indexes } = CATALOG_TABLE;
  const keys = (partition: string, sort: string) => [{ AttributeName: partition, KeyType: 'HASH' as const }, { AttributeName: sort, KeyType: 'RANGE' as const }];
  const names = [partitionKey, sortKey, ...Object.values(indexes).flatMap((index) => [index.partitionKey, index.sortKey])];
  await dynamo.send(new CreateTableCommand({ TableName: 'catalog', BillingMode: 'PAY_PER_REQUEST', KeySchema: keys(partitionKey, sortKey), AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })), GlobalSecondaryIndexes: Object.entries(indexes).map(([IndexName, index]) => ({ IndexName, KeySchema: keys(index.partitionKey, index.sortKey), Projection: { ProjectionType: 'ALL' } })) }));
  await s3.send(new CreateBucketCommand({ Bucket: 'vault', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
  const keyArn = (await kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
  const place = { bucket: 'vault', prefix: '', keyArn };
  await initVault({ store: stackStore(place, { s3, clock: systemClock }), kms, keyArn });
  const outputs = { table: 'catalog', vaults: JSON.stringify({ main: place }), configUrl: 's3://assets/config.json', dispatch: 'dispatch', restoreWorkflow: 'arn:aws:states:eu-central-1:000000000000:stateMachine:restore', topic: 'arn:aws:sns:eu-central-1:000000000000:alerts' };
  const Outputs = Object.fromEntries(Object.entries(outputs).map(([key, Value]) => [STACK_OUTPUTS[key as keyof typeof outputs], { Value }]));
  await new CloudFormationClient().send(new CreateStackCommand({ StackName: 'bench', TemplateBody: JSON.stringify({ Resources: { Nothing: { Type: 'AWS::SSM::Parameter', Properties: { Type: 'String', Value: 'nothing' } } }, Outputs }) }));
  const catalog = openCatalog(dynamo, 'catalog');
  const [now, HOUR] = [Date.now(), 3_600_000];
  for (let first = 0; first < backups; first += 50) await Promise.all(Array.from({ length: Math.min(50, backups - first) }, (_, offset) => catalog.recordBackup(record(first + offset, now - (backups - first - offset) * HOUR))));
}

function record(number: number, at: number): BackupRecord {
  const plan = number % 3;
  return { backupId: newUlid<BackupId>(at), planId: String(plan).repeat(32) as PlanId, planName: `plan-${plan}`, runId: newUlid<RunId>(at), type: 'incremental', state: 'validated', startedAt: at - 60_000, finishedAt: at, sequence: Math.floor(number / 3) + 1, entries: 1, files: 1, bytes: 2e9, addedBytes: 1e8, warnings: 0, host: 'bench', vault: 'main', source: { type: 'postgres', description: 'database orders' }, statistics: { newBytes: 2e8 } };
}

async function measure(args: readonly string[]): Promise<void> {
  const seconds: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    const startedAt = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', resolve('dist/holdfast.mjs'), ...args, '--aws', 'bench'], { encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, HOME: work } });
    if (status !== 0) throw new Error(stderr);
    seconds.push((performance.now() - startedAt) / 1000);
    if (turn === 0) console.log(`holdfast ${args.join(' ')} --aws: ${stdout.trim().split('\n').length} lines`);
  }
  seconds.sort((left, right) => left - right);
  console.log(`  median ${(seconds[2] ?? 0).toFixed(2)} s of ${seconds.map((value) => value.toFixed(2)).join(', ')}`);
}
