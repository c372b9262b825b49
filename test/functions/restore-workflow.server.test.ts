import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CreateClusterCommand, DescribeTasksCommand, ListTasksCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import type { ECSClient } from '@aws-sdk/client-ecs';
import { CreateFunctionCommand, GetFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateStateMachineCommand, DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { SFNClient } from '@aws-sdk/client-sfn';
import { CreateTopicCommand } from '@aws-sdk/client-sns';
import { ecsClient, s3Client, snsClient, stepFunctionsClient } from '../../lib/aws/clients.ts';
import { taskToken } from '../../lib/aws/task-token.ts';
import { DynamodbCatalog } from '../../lib/catalog/dynamodb-catalog.ts';
import { DynamodbLedger } from '../../lib/catalog/dynamodb-ledger.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { BackupId, PlanId, RunId } from '../../lib/model/ids.ts';
import { fromWorkflowFailure } from '../../lib/recovery/workflow/failure-text.ts';
import { restoreIdOf } from '../../lib/recovery/workflow/restore-id.ts';
import { encodeRefs, names } from '../../lib/repository/index.ts';
import { restoreFamily, stackPlanId } from '../../lib/settings/ids.ts';
import { restoreStepsEnvironment } from '../../lib/settings/restore-steps.ts';
import { readWorkerSettings, workerEnvironment } from '../../lib/settings/worker.ts';
import { restoreStates } from '../../lib/stack/restore-states.ts';
import { DynamodbTables } from '../catalog/dynamodb-tables.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { installed } from '../support/servers/servers.ts';
import { buildFunctions } from './function-host.ts';

const STACK = 'prod';
const PLAN_ID = stackPlanId(STACK, 'orders');
const BACKUP = '01J0000000000000000000000A' as BackupId;
const INPUT = { backup: BACKUP, target: 'staging', confirm: 'staging' };
const TARGET = { type: 'postgres', host: 'db', port: 5432, database: 'staging', user: 'restore', createDatabase: true };
const CONFIG = { version: 1, stackName: STACK, vaults: [{ name: 'main', maxConcurrentRuns: 2 }], plans: [], restoreTargets: [{ name: 'staging', network: 'default', task: { cpu: 512, memoryMiB: 1024, diskGiB: 21 }, target: TARGET }] };

/** The state machine as the stack deploys it, with the bundled functions; this test stands in for the task. */
describe('the restore workflow on an emulator of Step Functions, Lambda and ECS (R3)', () => {
  let aws: Ministack;
  let states: SFNClient;
  let ecs: ECSClient;
  let tables: DynamodbTables;
  let catalog: DynamodbCatalog;
  let ledger: DynamodbLedger;
  let machine: string;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-workflow-'));

  beforeAll(async () => {
    const built = buildFunctions(folder);
    // Its Lambda runs the first node in PATH, with a CommonJS program that a package.json further up could make a module.
    writeFileSync(join(folder, 'package.json'), '{}');
    aws = await startMinistack({ PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, TMPDIR: folder });
    states = stepFunctionsClient(aws.client);
    ecs = ecsClient(aws.client);
    tables = new DynamodbTables(aws);
    const place = await tables.make();
    catalog = new DynamodbCatalog(place);
    ledger = new DynamodbLedger(place);
    const environment = await prepare(place.tableName);
    await built;
    const arns = await Promise.all(['restore-check', 'restore-thaw', 'restore-report'].map((name) => deploy(name, environment)));
    const definition = restoreStates({ checkArn: arns[0] as string, thawArn: arns[1] as string, reportArn: arns[2] as string, clusterArn: 'backups' });
    machine = (await states.send(new CreateStateMachineCommand({ name: 'restore', roleArn: 'arn:aws:iam::000000000000:role/r', definition: JSON.stringify(definition) }))).stateMachineArn ?? '';
  }, 180_000);
  afterAll(async () => {
    tables?.close();
    await aws?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function prepare(table: string): Promise<Record<string, string>> {
    const s3 = s3Client(aws.client);
    for (const Bucket of ['assets', 'vault']) await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
    const put = (Bucket: string, Key: string, Body: Uint8Array) => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
    await put('assets', 'c0ffee.json', Buffer.from(JSON.stringify(CONFIG)));
    await put('vault', names.snapshot(PLAN_ID, BACKUP), Buffer.from('sealed'));
    await put('vault', names.refs(PLAN_ID, BACKUP, 0), encodeRefs({ format: 1, repository: 'a'.repeat(32), kind: 'refs', plan: PLAN_ID, backup: BACKUP, run: BACKUP, revision: 0, packs: [], replaced: [] }));
    await catalog.recordBackup({
      backupId: BACKUP, planId: PLAN_ID as PlanId, planName: 'orders', runId: BACKUP as unknown as RunId, type: 'incremental', state: 'completed', startedAt: 1, finishedAt: 2, sequence: 1, entries: 1, files: 1, bytes: 5,
      addedBytes: 5, warnings: 0, host: STACK, source: { type: 'postgres', description: 'orders' }, statistics: {},
    });
    await ecs.send(new CreateClusterCommand({ clusterName: 'backups' }));
    await ecs.send(new RegisterTaskDefinitionCommand({ family: restoreFamily(STACK, 'staging'), requiresCompatibilities: ['FARGATE'], networkMode: 'awsvpc', cpu: '512', memory: '1024', containerDefinitions: [{ name: 'worker', image: 'localhost/nothing:here', essential: true }] }));
    const topic = (await snsClient(aws.client).send(new CreateTopicCommand({ Name: 'alerts' }))).TopicArn ?? '';
    const networks = { default: { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: true } };
    return restoreStepsEnvironment({ stackName: STACK, table, configUrl: 's3://assets/c0ffee.json', networks, vaults: { main: { bucket: 'vault', prefix: '', keyArn: 'arn:aws:kms:eu-central-1:1:key/k' } }, topic });
  }

  async function deploy(name: string, environment: Record<string, string>): Promise<string> {
    const zip = join(folder, `${name}.zip`);
    execFileSync(installed('py', 'bin', 'python'), ['-m', 'zipfile', '-c', zip, join(folder, name, 'index.mjs')]);
    const lambda = new LambdaClient(aws.client);
    await lambda.send(new CreateFunctionCommand({ FunctionName: name, Runtime: 'nodejs24.x', Handler: 'index.handler', Role: 'arn:aws:iam::000000000000:role/r', Timeout: 60, Code: { ZipFile: readFileSync(zip) }, Environment: { Variables: environment } }));
    return (await lambda.send(new GetFunctionCommand({ FunctionName: name }))).Configuration?.FunctionArn ?? '';
  }

  async function start(input: unknown): Promise<string> {
    return (await states.send(new StartExecutionCommand({ stateMachineArn: machine, input: JSON.stringify(input) }))).executionArn ?? '';
  }

  async function ended(executionArn: string) {
    return until('the execution ends', async () => {
      const execution = await states.send(new DescribeExecutionCommand({ executionArn }));
      return execution.status === 'RUNNING' ? undefined : execution;
    });
  }

  /** What the task that the machine started was given. */
  async function taskVariables(restoreId: string): Promise<Record<string, string>> {
    return until('the task is started', async () => {
      const lists = await Promise.all((['RUNNING', 'STOPPED'] as const).map((desiredStatus) => ecs.send(new ListTasksCommand({ cluster: 'backups', desiredStatus }))));
      const arns = lists.flatMap(({ taskArns = [] }) => taskArns);
      if (arns.length === 0) return undefined;
      const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster: 'backups', tasks: arns }));
      const variables = tasks.map(({ overrides }) => Object.fromEntries((overrides?.containerOverrides?.[0]?.environment ?? []).map(({ name = '', value = '' }) => [name, value])));
      return variables.find((found) => found['HOLDFAST_RESTORE']?.includes(restoreId));
    });
  }

  it('starts one task with the order of the check and a token, and reports its success', async () => {
    const executionArn = await start(INPUT);
    const restoreId = restoreIdOf(executionArn);
    const { task } = readWorkerSettings({ ...workerEnvironment({ stackName: STACK, table: 't', vaults: {} }), ...(await taskVariables(restoreId)) });
    if (task.kind !== 'restore') throw new Error(`the task was a ${task.kind}`);
    expect(task.order).toMatchObject({ restoreId, backupId: BACKUP, vault: 'main', targetName: 'staging', target: TARGET, select: [] });
    expect((await catalog.listRestores({ backupId: BACKUP })).find((restore) => restore.restoreId === restoreId)).toMatchObject({ state: 'running', stages: [{ name: 'checked', state: 'done' }] });
    const token = taskToken(states, task.taskToken);
    expect(await token.heartbeat()).toBe(true);
    expect(await token.succeed({ state: 'completed', files: 1, bytes: 5 })).toBe(true);
    const { status, output } = await ended(executionArn);
    expect([status, JSON.parse(output ?? '')]).toEqual(['SUCCEEDED', { restoreId, state: 'completed', message: 'restored' }]);
    expect((await catalog.listRestores({ backupId: BACKUP })).find((restore) => restore.restoreId === restoreId)).toMatchObject({ state: 'completed', files: 1, bytes: 5 });
  });

  it('ends in the catalog and an alert when the task fails, and the execution shows the same words', async () => {
    const executionArn = await start(INPUT);
    const restoreId = restoreIdOf(executionArn);
    const variables = await taskVariables(restoreId);
    await taskToken(states, variables['HOLDFAST_TASK_TOKEN'] ?? '').fail(new HoldfastError('damaged', 'The pack x is damaged.', { nextStep: 'Take another.' }));
    const { status, error, cause } = await ended(executionArn);
    expect(status).toBe('FAILED');
    expect(fromWorkflowFailure({ Error: error, Cause: cause })).toEqual({ code: 'damaged', message: 'The pack x is damaged.', nextStep: 'Take another.' });
    expect((await ledger.listAlerts({ state: 'open' })).map(({ alertId }) => alertId)).toContain(`recovery-failed/staging/${restoreId}`);
  });

  it.each<readonly [string, unknown, string]>([
    ['an undeclared target', { ...INPUT, target: 'production', confirm: 'production' }, 'usage'],
    ['an unknown field', { ...INPUT, networkConfiguration: {} }, 'usage'],
    ['another confirmation', { ...INPUT, confirm: 'production' }, 'refused'],
    ['no confirmation', { backup: BACKUP, target: 'staging' }, 'usage'],
    ['a backup of another stack', { ...INPUT, backup: '01J0000000000000000000000Z' }, 'not-found'],
    ['what is no map', 'staging', 'usage'],
  ])('refuses %s: no task, a record, a failed execution, and no alert, which nothing would resolve', async (_what, input, code) => {
    const executionArn = await start(input);
    const { status, error, cause } = await ended(executionArn);
    const restoreId = restoreIdOf(executionArn);
    expect(status).toBe('FAILED');
    expect(fromWorkflowFailure({ Error: error, Cause: cause }).code).toBe(code);
    expect((await catalog.listRestores()).find((restore) => restore.restoreId === restoreId)).toMatchObject({ state: 'failed', error: { code }, stages: [{ name: 'checked', state: 'failed' }, { name: 'reported', state: 'done' }] });
    expect((await ledger.listAlerts({ state: 'open' })).some(({ alertId }) => alertId.endsWith(restoreId))).toBe(false);
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster: 'backups' }));
    expect(taskArns.length).toBeLessThanOrEqual(2);
  });
});

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 45_000;
  while (Date.now() < deadline) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`waited 45 s until ${what}`);
}
