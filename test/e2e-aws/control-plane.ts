import { randomUUID } from 'node:crypto';
import { DescribeTasksCommand, ECSClient } from '@aws-sdk/client-ecs';
import type { Task } from '@aws-sdk/client-ecs';
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import type { RunId } from '../../lib/model/ids.ts';
import { eventually } from '../support/aws-rig/waiting.ts';
import type { World } from '../support/aws-rig/world.ts';

/**
 * The emulator sends no events of ECS, and refuses to take one that says it is from there: the function that the rule
 * would call is called with the documented event, made from what ECS says of the task.
 */
export async function announceStopped(world: World, runId: RunId): Promise<void> {
  const task = await stoppedTask(world, runId);
  await invoke(world, 'TaskStopped', {
    version: '0', id: randomUUID(), 'detail-type': 'ECS Task State Change', source: 'aws.ecs', account: '000000000000', time: new Date().toISOString(), region: 'eu-central-1', resources: [task.taskArn],
    detail: {
      clusterArn: task.clusterArn, taskArn: task.taskArn, taskDefinitionArn: task.taskDefinitionArn, lastStatus: 'STOPPED', desiredStatus: 'STOPPED', launchType: 'FARGATE', group: task.group, startedBy: task.startedBy,
      stopCode: task.stopCode, stoppedReason: task.stoppedReason, stoppedAt: new Date().toISOString(), version: 5, overrides: task.overrides,
      containers: (task.containers ?? []).map(({ name, exitCode, reason, containerArn }) => ({ name, exitCode, reason, containerArn, lastStatus: 'STOPPED' })),
    },
  });
}

/** One pass, as the rule asks for every five minutes. */
export function monitor(world: World): Promise<unknown> {
  return invoke(world, 'MonitoringMonitor', { source: 'aws.events', 'detail-type': 'Scheduled Event', id: randomUUID(), time: new Date().toISOString(), detail: {} });
}

async function stoppedTask(world: World, runId: RunId): Promise<Task> {
  const ecs = new ECSClient(world.rig.emulator.client);
  return eventually(`the task of run ${runId} to stop`, async () => {
    const taskArn = (await world.ledger.getLedgerRun(runId))?.taskArn;
    if (taskArn === undefined) return undefined;
    const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster: world.outputs['HoldfastCluster'], tasks: [taskArn] }));
    return tasks[0]?.lastStatus === 'STOPPED' ? tasks[0] : undefined;
  }, { withinMs: 60_000, explain: () => world.logs() });
}

async function invoke(world: World, logicalId: string, event: object): Promise<unknown> {
  const lambda = new LambdaClient(world.rig.emulator.client);
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand({ MaxItems: 50 }));
  const name = Functions.find(({ FunctionName }) => FunctionName?.includes(logicalId))?.FunctionName;
  if (name === undefined) throw new Error(`no function ${logicalId} among ${Functions.map(({ FunctionName }) => FunctionName).join(', ')}`);
  const { FunctionError, Payload } = await lambda.send(new InvokeCommand({ FunctionName: name, Payload: Buffer.from(JSON.stringify(event)) }));
  const said = Buffer.from(Payload ?? []).toString();
  if (FunctionError !== undefined) throw new Error(`${logicalId} failed: ${said}`);
  return JSON.parse(said || 'null');
}
