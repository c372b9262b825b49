import { CreateClusterCommand, DescribeTasksCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import type { ECSClient } from '@aws-sdk/client-ecs';
import { ecsClient } from '../../lib/aws/clients.ts';
import { EcsLauncher } from '../../lib/aws/ecs-launcher.ts';
import { taskState } from '../../lib/aws/ecs-tasks.ts';
import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import type { RunId } from '../../lib/model/ids.ts';
import type { TaskOrder } from '../../lib/scheduling/task-launcher.ts';
import { backupFamily } from '../../lib/settings/ids.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

const RUN = '01J0000000000000000000000A' as RunId;
const PLACES = { stackName: 'prod', cluster: 'backups', networks: { default: { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: true } } };

function order(over: { readonly runId?: string; readonly attempts?: number; readonly network?: string; readonly name?: string } = {}): TaskOrder {
  const { runId = RUN, attempts = 0, network = 'default', name = 'orders.db' } = over;
  const run = { runId, attempts, planName: name } as unknown as LedgerRun;
  const plan = { name, planId: 'a'.repeat(32), vault: 'main', network, task: { cpu: 1024, memoryMiB: 2048, diskGiB: 40 }, policy: { priority: 50 } };
  return { run, plan, fence: 1 } as TaskOrder;
}

describe('tasks on an emulator of ECS', () => {
  let aws: Ministack;
  let client: ECSClient;
  let launcher: EcsLauncher;

  beforeAll(async () => {
    aws = await startMinistack();
    client = ecsClient(aws.client);
    launcher = new EcsLauncher(client, PLACES);
    await client.send(new CreateClusterCommand({ clusterName: 'backups' }));
    await client.send(new RegisterTaskDefinitionCommand({
      family: backupFamily('prod', 'orders.db'), requiresCompatibilities: ['FARGATE'], networkMode: 'awsvpc', cpu: '256', memory: '512',
      containerDefinitions: [{ name: 'worker', image: 'localhost/nothing:here', essential: true }],
    }));
  });
  afterAll(() => aws?.stop());

  it('runs the family of the plan, sized and named as its run orders', async () => {
    const launched = await launcher.launch(order());
    expect(launched).toEqual({ taskArn: expect.stringMatching(/^arn:aws:ecs:[^:]+:\d+:task\/backups\//) as string });
    const { tasks } = await client.send(new DescribeTasksCommand({ cluster: 'backups', tasks: ['taskArn' in launched ? launched.taskArn : ''] }));
    expect(tasks?.[0]).toMatchObject({
      startedBy: RUN, launchType: 'FARGATE', taskDefinitionArn: expect.stringContaining('task-definition/prod-backup-orders_db:1') as string,
      overrides: { cpu: '1024', memory: '2048', containerOverrides: [{ name: 'worker', environment: [{ name: 'HOLDFAST_RUN_ID', value: RUN }] }] },
    });
  });

  it('describes what it started and leaves out what nobody knows', async () => {
    const launched = await launcher.launch(order({ runId: '01J0000000000000000000000B' }));
    const taskArn = 'taskArn' in launched ? launched.taskArn : '';
    const states = await launcher.describe([taskArn, taskArn.replace(/[^/]+$/, '0'.repeat(32))]);
    expect(states).toEqual([expect.objectContaining({ taskArn, status: expect.stringMatching(/^(coming|running|stopped)$/) as string })]);
    expect(await launcher.describe([])).toEqual([]);
  });

  it('stops a task, and one that is gone is no error', async () => {
    const launched = await launcher.launch(order({ runId: '01J0000000000000000000000C' }));
    const taskArn = 'taskArn' in launched ? launched.taskArn : '';
    await launcher.stop(taskArn, 'x'.repeat(400));
    expect(await launcher.describe([taskArn])).toEqual([expect.objectContaining({ status: 'stopped' })]);
    await launcher.stop(taskArn.replace(/[^/]+$/, '0'.repeat(32)), 'again');
  });

  it('says not-found of a plan that was never deployed, and config-invalid of its network', async () => {
    await expect(launcher.launch(order({ name: 'nothing' }))).rejects.toMatchObject({ retryable: false });
    await expect(launcher.launch(order({ network: 'gone' }))).rejects.toMatchObject({ code: 'config-invalid', message: expect.stringContaining('"gone" of plan orders.db') as string });
  });

  it('says unavailable when nobody answers: a task may or may not be there', async () => {
    const away = new EcsLauncher(ecsClient({ ...aws.client, endpoint: 'http://127.0.0.1:1', maxAttempts: 1 }), PLACES);
    await expect(away.launch(order())).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });
});

/** Answers that no emulator gives, in the shapes of the ECS API reference. */
describe('what RunTask answers in AWS', () => {
  const sent: { input: Record<string, unknown> }[] = [];
  const answering = (answer: object | Error) => new EcsLauncher({ send: (command: { input: Record<string, unknown> }) => {
    sent.push(command);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  } } as unknown as ECSClient, PLACES);
  const failing = (name: string, message: string, more: object = {}) => Object.assign(new Error(message), { name, $metadata: { httpStatusCode: 400 }, ...more });
  beforeEach(() => sent.splice(0));

  it.each<readonly [string, object | Error, string]>([
    ['capacity inside an HTTP 200', { tasks: [], failures: [{ reason: 'Capacity is unavailable at this time. Please try again later or in a different availability zone' }] }, 'Capacity is unavailable'],
    ['network interfaces', { tasks: [], failures: [{ arn: 'a', reason: 'RESOURCE:ENI', detail: 'no more' }] }, 'RESOURCE:ENI: no more'],
    ['two reasons', { failures: [{ reason: 'RESOURCE:CPU' }, { reason: 'RESOURCE:MEMORY' }] }, 'RESOURCE:CPU; RESOURCE:MEMORY'],
    ['nothing at all', { tasks: [], failures: [] }, 'gave no reason'],
    ['throttling', failing('ThrottlingException', 'Rate exceeded'), 'ThrottlingException: Rate exceeded'],
    ['a quota', failing('LimitExceededException', 'The limit for tasks was exceeded'), 'LimitExceededException'],
    ['a quota of virtual CPUs', failing('ClientException', "You've reached the limit on the number of vCPUs you can run concurrently"), "You've reached the limit"],
    ['capacity as an exception', failing('ClientException', 'Capacity is unavailable at this time.'), 'Capacity is unavailable'],
  ])('means: wait, for %s', async (_what, answer, words) => {
    expect(await answering(answer).launch(order())).toEqual({ noCapacity: expect.stringContaining(words) as string });
  });

  it('means: it is there already, when the token has its task with other parameters', async () => {
    const conflict = failing('ConflictException', 'token in use', { resourceIds: ['arn:aws:ecs:eu-central-1:1:task/backups/1'] });
    expect(await answering(conflict).launch(order())).toEqual({ taskArn: 'arn:aws:ecs:eu-central-1:1:task/backups/1' });
  });

  it.each([
    ['ServerException', 'unavailable', Object.assign(failing('ServerException', 'x'), { $metadata: { httpStatusCode: 500 } })],
    ['TimeoutError', 'unavailable', failing('TimeoutError', 'x')],
    ['AccessDeniedException', 'permission', failing('AccessDeniedException', 'not authorized to perform: ecs:RunTask')],
    ['ClusterNotFoundException', 'not-found', failing('ClusterNotFoundException', 'Cluster not found.')],
    ['ClientException about the family', 'not-found', failing('ClientException', 'TaskDefinition not found.')],
    ['InvalidParameterException', 'config-invalid', failing('InvalidParameterException', 'The subnet ID does not exist')],
  ])('means of %s: %s', async (_name, code, error) => {
    await expect(answering(error).launch(order())).rejects.toMatchObject({ code });
  });

  it('is asked with one token for each attempt, within the limits of the API', async () => {
    const tokens: string[] = [];
    for (const attempts of [0, 0, 1, 12]) {
      await answering({ tasks: [{ taskArn: 'a' }] }).launch(order({ attempts }));
      tokens.push(String(sent.at(-1)?.input['clientToken']));
    }
    expect(tokens).toEqual([RUN, RUN, `${RUN}-1`, `${RUN}-12`]);
    expect(sent[0]?.input).toMatchObject({
      launchType: 'FARGATE', count: 1, propagateTags: 'TASK_DEFINITION', startedBy: RUN,
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: 'ENABLED' } },
      overrides: { ephemeralStorage: { sizeInGiB: 40 } },
    });
  });

  it('is asked the same for the same attempt, or ECS would answer with a conflict', async () => {
    await answering({ tasks: [{ taskArn: 'a' }] }).launch(order());
    await answering({ tasks: [{ taskArn: 'a' }] }).launch(order());
    expect(sent[0]?.input).toEqual(sent[1]?.input);
  });
});

describe('the state of a task', () => {
  const worker = (over: object) => ({ taskArn: 'a', containers: [{ name: 'worker', ...over }, { name: 'sidecar', exitCode: 9 }] });

  it.each([['PROVISIONING', 'coming'], ['PENDING', 'coming'], ['ACTIVATING', 'coming'], ['RUNNING', 'running'], ['DEACTIVATING', 'running'], ['STOPPING', 'running'], ['DEPROVISIONING', 'running'], ['STOPPED', 'stopped']])('%s is %s', (lastStatus, status) => {
    expect(taskState({ ...worker({}), lastStatus })).toEqual({ taskArn: 'a', status });
  });

  it('has the exit code of the worker and the reasons of both', () => {
    expect(taskState({ ...worker({ exitCode: 137, reason: 'OutOfMemoryError: Container killed' }), lastStatus: 'STOPPED', stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited' }))
      .toEqual({ taskArn: 'a', status: 'stopped', stopCode: 'EssentialContainerExited', exitCode: 137, reason: 'Essential container in task exited; OutOfMemoryError: Container killed' });
  });
});
