import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateClusterCommand, ListTasksCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { CreateBucketCommand, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { ecsClient, kmsClient, s3Client, secretsClient, snsClient } from '../../lib/aws/clients.ts';
import { DynamodbCatalog } from '../../lib/catalog/dynamodb-catalog.ts';
import { DynamodbLedger } from '../../lib/catalog/dynamodb-ledger.ts';
import type { BackupId, PlanId, RunId } from '../../lib/model/ids.ts';
import { restoreIdOf } from '../../lib/recovery/workflow/restore-id.ts';
import { encodeRefs, names } from '../../lib/repository/index.ts';
import { backupFamily, stackPlanId } from '../../lib/settings/ids.ts';
import { monitorEnvironment } from '../../lib/settings/monitor.ts';
import { notifyEnvironment } from '../../lib/settings/notify.ts';
import { DynamodbTables } from '../catalog/dynamodb-tables.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { FunctionHost, buildFunctions } from './function-host.ts';

const STACK = 'prod';
const PLAN_ID = stackPlanId(STACK, 'orders');
const BACKUP = '01J0000000000000000000000A' as BackupId;
const EXECUTION = { id: 'arn:aws:states:eu-central-1:000000000000:execution:restore:one', startTime: '2026-11-21T10:00:00.000Z' };
const WEBHOOK_SECRET = 'T000-B000-secretsecret';

const CONFIG = {
  version: 1, stackName: STACK,
  vaults: [{ name: 'main', maxConcurrentRuns: 2 }],
  plans: [{
    name: 'orders', planId: PLAN_ID, vault: 'main', network: 'default', task: { cpu: 512, memoryMiB: 1024, diskGiB: 21 }, events: [], freshnessHours: 24, startWindowMinutes: 60, maxDurationMinutes: 60,
    source: { type: 'postgres', host: 'db', port: 5432, database: 'orders', user: 'backup', globals: 'none', schemas: [], content: 'all', jobs: 1, rowCounts: 'auto', excludeTables: [], minimumSizeBytes: 1 },
    policy: { retention: {}, class: 'hot', encryption: 'aes-256-gcm', compression: { algorithm: 'zstd', level: 3 }, verification: 'none', warningsAreGood: true, minimumSizeBytes: 0, priority: 50 },
  }],
  restoreTargets: [{ name: 'staging', network: 'default', task: { cpu: 512, memoryMiB: 1024, diskGiB: 21 }, target: { type: 'postgres', host: 'db', port: 5432, database: 'staging', user: 'restore', createDatabase: true } }],
};

/** The real bundles, called with events as AWS sends them, against an emulator of everything that they talk to. */
describe('the bundled functions on an emulator', () => {
  let aws: Ministack;
  let host: FunctionHost;
  let receiver: Server;
  let tables: DynamodbTables;
  let catalog: DynamodbCatalog;
  let ledger: DynamodbLedger;
  let sqs: SQSClient;
  let queueUrl: string;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-functions-'));
  const received: { url: string; body: Record<string, unknown> }[] = [];
  let slackStatus = 200;

  beforeAll(async () => {
    const built = buildFunctions(folder);
    aws = await startMinistack();
    receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        received.push({ url: request.url ?? '', body: JSON.parse(body) as Record<string, unknown> });
        response.writeHead(request.url?.startsWith('/slack') ? slackStatus : 200).end(slackStatus === 200 ? 'ok' : 'no_service');
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    tables = new DynamodbTables(aws);
    const place = await tables.make();
    catalog = new DynamodbCatalog(place);
    ledger = new DynamodbLedger(place);
    const environment = await prepare(place.tableName);
    await built;
    host = new FunctionHost(folder, environment);
  }, 120_000);
  afterAll(async () => {
    await host?.stop();
    sqs?.destroy();
    tables?.close();
    await new Promise((resolve) => (receiver ? receiver.close(resolve) : resolve(undefined)));
    await aws?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function prepare(table: string): Promise<Record<string, string>> {
    const s3 = s3Client(aws.client);
    for (const Bucket of ['assets', 'vault']) await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
    await s3.send(new PutObjectCommand({ Bucket: 'assets', Key: 'c0ffee.json', Body: JSON.stringify(CONFIG) }));
    const keyArn = (await kmsClient(aws.client).send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
    const ecs = ecsClient(aws.client);
    await ecs.send(new CreateClusterCommand({ clusterName: 'backups' }));
    const container = [{ name: 'worker', image: 'localhost/nothing:here', essential: true }];
    await ecs.send(new RegisterTaskDefinitionCommand({ family: backupFamily(STACK, 'orders'), requiresCompatibilities: ['FARGATE'], networkMode: 'awsvpc', cpu: '512', memory: '1024', containerDefinitions: container }));
    sqs = new SQSClient(aws.client);
    queueUrl = (await sqs.send(new CreateQueueCommand({ QueueName: 'alerts' }))).QueueUrl ?? '';
    const queueArn = (await sqs.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['QueueArn'] }))).Attributes?.['QueueArn'] ?? '';
    const sns = snsClient(aws.client);
    const topic = (await sns.send(new CreateTopicCommand({ Name: 'alerts' }))).TopicArn ?? '';
    await sns.send(new SubscribeCommand({ TopicArn: topic, Protocol: 'sqs', Endpoint: queueArn }));
    await secretsClient(aws.client).send(new CreateSecretCommand({ Name: 'slack', SecretString: JSON.stringify({ url: `http://127.0.0.1:${portOf(receiver)}/slack/${WEBHOOK_SECRET}` }) }));
    const networks = { default: { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: true } };
    const { credentials, endpoint, region } = aws.client;
    return {
      AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey, NO_PROXY: '127.0.0.1',
      ...monitorEnvironment({ stackName: STACK, table, configUrl: 's3://assets/c0ffee.json', cluster: 'backups', networks, vaults: { main: { bucket: 'vault', prefix: '', keyArn } }, topic }),
      ...notifyEnvironment({ stackName: STACK, table, slackWebhook: '${secret:slack#url}' }),
    };
  }

  /** What the topic said since it was asked last. */
  async function told(): Promise<{ alert: Record<string, unknown>; text: string; raw: string }[]> {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: 600 }));
    return Messages.map(({ Body = '' }) => {
      const { Message } = JSON.parse(Body) as { Message: string };
      return { ...(JSON.parse(Message) as { alert: Record<string, unknown>; text: string }), raw: Message };
    });
  }

  const resourceEvent = (RequestType: string) => ({
    RequestType, ResponseURL: `http://127.0.0.1:${portOf(receiver)}/cloudformation?X-Amz-Signature=s3cret`, StackId: 'arn:aws:cloudformation:x', RequestId: `r-${RequestType}`, LogicalResourceId: 'Vaults', ResourceType: 'Custom::HoldfastVaults',
    ...(RequestType !== 'Create' && { PhysicalResourceId: 'holdfast-vaults-Vaults' }),
  });

  it('vault-init: makes the vaults, finds them again, and keeps everything when the stack goes', async () => {
    for (const type of ['Create', 'Update', 'Delete']) await host.call('vault-init', resourceEvent(type));
    const answers = received.splice(0).map(({ body }) => body);
    expect(answers).toEqual(['Create', 'Update', 'Delete'].map((type) => expect.objectContaining({ Status: 'SUCCESS', PhysicalResourceId: 'holdfast-vaults-Vaults', RequestId: `r-${type}`, LogicalResourceId: 'Vaults', StackId: 'arn:aws:cloudformation:x' }) as unknown));
    const [made, found] = answers.map(({ Data }) => (Data as Record<string, string>)['main']);
    expect(made).toMatch(/^[0-9a-f]{32}$/);
    expect(found).toBe(made);
    const { Versions = [], DeleteMarkers = [] } = await s3Client(aws.client).send(new ListObjectVersionsCommand({ Bucket: 'vault' }));
    expect([Versions.length, DeleteMarkers.length]).toEqual([5, 0]);
    expect(Versions.map(({ Key = '' }) => Key.replace(/[0-9a-f]{8,}/, 'ID')).sort()).toEqual(['holdfast.json', 'keys/1/ID.json', 'keys/1/ID.json', 'kit/README-ID.txt', 'kit/holdfast-kit-ID.mjs']);
  });

  it('dispatch: makes one run of a trigger, however often it comes, and starts its task', async () => {
    const event = { plan: 'orders', idempotencyKey: 'by-hand' };
    const first = await host.call('dispatch', event);
    expect(first).toMatchObject({ outcome: 'accepted', isNew: true, start: 'started', occurrence: 'orders/manual/by-hand' });
    const { runId } = first as { runId: RunId };
    expect(await host.call('dispatch', event)).toMatchObject({ outcome: 'accepted', isNew: false, runId });
    const { taskArns } = await ecsClient(aws.client).send(new ListTasksCommand({ cluster: 'backups', startedBy: runId, desiredStatus: 'STOPPED' }));
    const running = await ecsClient(aws.client).send(new ListTasksCommand({ cluster: 'backups', startedBy: runId }));
    expect(new Set([...(taskArns ?? []), ...(running.taskArns ?? [])]).size).toBe(1);
    expect(await ledger.getLedgerRun(runId)).toMatchObject({ state: 'starting', configHash: 'c0ffee', vault: 'main', planName: 'orders' });
  });

  it('dispatch: refuses what it does not know as an answer, and what is no trigger as an error', async () => {
    expect(await host.call('dispatch', { plan: 'nothing', idempotencyKey: 'x' })).toMatchObject({ outcome: 'refused', reason: 'There is no plan nothing.' });
    expect(await host.invoke('dispatch', { plan: 'orders', command: 'rm' })).toMatchObject({ error: { name: 'usage', message: expect.stringMatching(/^usage: .*"plan"/) as string } });
  });

  it('task-stopped: ends the run of a task that died and tells it once', async () => {
    const [run] = await ledger.activeRuns();
    const event = {
      'source': 'aws.ecs', 'detail-type': 'ECS Task State Change',
      'detail': { taskArn: run?.taskArn, lastStatus: 'STOPPED', startedBy: run?.runId, stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited', containers: [{ name: 'worker', exitCode: 1 }] },
    };
    expect(await host.call('task-stopped', event)).toEqual({ done: 'fail' });
    expect(await ledger.getLedgerRun(run?.runId as RunId)).toMatchObject({ state: 'failed' });
    await host.call('task-stopped', event);
    const messages = await told();
    expect(messages.map(({ alert }) => alert['alertId'])).toEqual([`backup-failed/${run?.runId}`]);
    expect(messages[0]?.text).toContain('Backup of orders failed');
    expect(host.log.join('\n')).toContain('"BackupSucceeded":0');
  });

  it('task-stopped: passes by tasks that work on no run', async () => {
    expect(await host.call('task-stopped', { 'source': 'aws.ecs', 'detail-type': 'ECS Task State Change', 'detail': { taskArn: 'a', lastStatus: 'STOPPED', startedBy: 'AmazonStatesService-1' } })).toEqual({ done: 'not-a-run' });
  });

  it('notify: brings an alert to Slack once, and fails aloud when Slack refuses', async () => {
    const alert = { alertId: (await ledger.listAlerts({ limit: 1 }))[0]?.alertId, kind: 'backup-failed', severity: 'high', state: 'open', title: 'Backup of orders failed', message: 'm', nextStep: 'n', openedAt: 1 };
    const event = (body: unknown) => ({ Records: [{ EventSource: 'aws:sns', Sns: { MessageId: 'm', Subject: 's', Message: JSON.stringify(body), Timestamp: '2026-11-21T10:00:00.000Z', MessageAttributes: {} } }] });
    slackStatus = 404;
    expect(await host.invoke('notify', event({ holdfast: 1, alert }))).toMatchObject({ error: { name: 'refused', message: expect.stringContaining('404 (no_service)') as string } });
    slackStatus = 200;
    received.splice(0);
    await host.call('notify', event({ holdfast: 1, alert }));
    await host.call('notify', event({ holdfast: 1, alert }));
    expect(received.splice(0)).toEqual([{ url: `/slack/${WEBHOOK_SECRET}`, body: expect.objectContaining({ text: '[prod] HIGH: Backup of orders failed' }) as unknown }]);
    await host.call('notify', event({ AlarmName: 'MonitorSilent', NewStateValue: 'ALARM', NewStateReason: 'r' }));
    expect(received.splice(0)[0]?.body['text']).toBe('[prod] HIGH: Alarm: MonitorSilent');
    expect(await host.invoke('notify', { Records: [] })).toMatchObject({ error: { name: 'usage', message: expect.stringContaining('not a notification of SNS') as string } });
  });

  it('monitor: looks, and says what it saw', async () => {
    expect(await host.call('monitor', { source: 'aws.events' })).toMatchObject({ opened: [], retold: 0, started: 0 });
  });

  it('restore: check finds the backup in its vault, thaw is done, and a failure reaches catalog and topic', async () => {
    const put = (Key: string, Body: Uint8Array) => s3Client(aws.client).send(new PutObjectCommand({ Bucket: 'vault', Key, Body }));
    await put(names.snapshot(PLAN_ID, BACKUP), Buffer.from('sealed'));
    await put(names.refs(PLAN_ID, BACKUP, 0), encodeRefs({ format: 1, repository: 'a'.repeat(32), kind: 'refs', plan: PLAN_ID, backup: BACKUP, run: BACKUP, revision: 0, packs: [{ name: 'packs/cold/w/aa/p', size: 1, sha256: 'x' }], replaced: [] }));
    await catalog.recordBackup({
      backupId: BACKUP, planId: PLAN_ID as PlanId, planName: 'orders', runId: BACKUP as unknown as RunId, type: 'incremental', state: 'completed', startedAt: 1, finishedAt: 2, sequence: 1, entries: 1, files: 1, bytes: 5,
      addedBytes: 5, warnings: 0, host: STACK, source: { type: 'postgres', description: 'orders' }, statistics: {},
    });
    const input = { backup: BACKUP, target: 'staging', confirm: 'staging' };
    const checked = await host.call('restore-check', { execution: EXECUTION, input });
    expect(checked).toMatchObject({ restoreId: restoreIdOf(EXECUTION.id), vault: 'main', task: { family: 'prod-restore-staging' } });
    expect(await host.call('restore-thaw', checked)).toEqual({ isDone: true, waitSeconds: 0 });
    const error = { Error: 'damaged', Cause: 'damaged: The pack x is damaged.\nNext: Take another.' };
    expect(await host.call('restore-report', { execution: EXECUTION, input, error })).toMatchObject({ state: 'failed' });
    await host.call('restore-report', { execution: EXECUTION, input, error });
    expect(await catalog.listRestores({ backupId: BACKUP })).toMatchObject([{ state: 'failed', target: 'staging', error: { code: 'damaged', nextStep: 'Take another.' } }]);
    const messages = await told();
    expect(messages.map(({ alert }) => alert['alertId'])).toEqual([`recovery-failed/staging/${restoreIdOf(EXECUTION.id)}`]);
    expect(messages[0]?.text).toContain('What to do: Take another.');
  });

  it('restore: a second one that goes well resolves the alert of the first', async () => {
    const execution = { ...EXECUTION, id: `${EXECUTION.id}-two` };
    const input = { backup: BACKUP, target: 'staging', confirm: 'staging' };
    await host.call('restore-check', { execution, input });
    expect(await host.call('restore-report', { execution, input, result: { state: 'completed', files: 1, bytes: 5 } })).toMatchObject({ state: 'completed' });
    expect((await told()).map(({ alert }) => [alert['state'], alert['title']])).toEqual([['notice', `Restore of backup ${BACKUP} into staging is complete`]]);
    expect((await ledger.listAlerts()).find(({ kind }) => kind === 'recovery-failed')?.state).toBe('resolved');
  });

  it('restore: an execution that somebody stopped is reported by its event', async () => {
    const id = `${EXECUTION.id}-three`;
    await host.call('restore-check', { execution: { ...EXECUTION, id }, input: { backup: BACKUP, target: 'staging', confirm: 'staging' } });
    const event = { 'source': 'aws.states', 'detail-type': 'Step Functions Execution Status Change', 'detail': { executionArn: id, status: 'ABORTED', startDate: Date.parse(EXECUTION.startTime), stopDate: 1, input: '{}', output: null } };
    expect(await host.call('restore-report', event)).toMatchObject({ restoreId: restoreIdOf(id), state: 'cancelled' });
    expect((await told())[0]?.alert['title']).toContain('was cancelled');
  });

  it.each<readonly [string, unknown, string]>([
    ['an undeclared target', { backup: BACKUP, target: 'production', confirm: 'production' }, 'usage'],
    ['an unknown field', { backup: BACKUP, target: 'staging', confirm: 'staging', family: 'x' }, 'usage'],
    ['another confirmation', { backup: BACKUP, target: 'staging', confirm: 'stagin' }, 'refused'],
    ['a backup of another stack', { backup: '01J0000000000000000000000Z', target: 'staging', confirm: 'staging' }, 'not-found'],
  ])('restore: refuses %s under the name of its code, for Step Functions to show', async (_what, input, code) => {
    expect(await host.invoke('restore-check', { execution: EXECUTION, input })).toMatchObject({ error: { name: code, message: expect.stringMatching(new RegExp(`^${code}: [^]+\\nNext: `)) as string } });
  });

  it('logs one JSON line for each failure, with code and next step, and no secret anywhere', () => {
    const lines = host.log.map((line) => JSON.parse(line) as Record<string, unknown>);
    const failures = lines.filter(({ event }) => event === 'failed');
    expect(failures.length).toBeGreaterThan(4);
    for (const failure of failures) expect(failure).toMatchObject({ level: 'error', function: expect.any(String) as string, code: expect.any(String) as string, msg: expect.any(String) as string });
    const everything = host.log.join('\n');
    for (const secret of [WEBHOOK_SECRET, 's3cret', 'broken-invariant']) expect(everything).not.toContain(secret);
  });
});

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
