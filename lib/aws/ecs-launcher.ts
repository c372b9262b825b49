import { DescribeTasksCommand, RunTaskCommand, StopTaskCommand } from '@aws-sdk/client-ecs';
import type { ECSClient, NetworkConfiguration, RunTaskCommandInput } from '@aws-sdk/client-ecs';
import { HoldfastError } from '../model/errors.ts';
import { attemptToken } from '../scheduling/task-launcher.ts';
import type { ReadBackOrder } from '../scheduling/read-back.ts';
import type { Launched, NoCapacity, TaskLauncher, TaskOrder, TaskState } from '../scheduling/task-launcher.ts';
import type { DeployedNetworks } from '../settings/deployed.ts';
import { WORKER_CONTAINER, backupFamily, verifyFamily } from '../settings/ids.ts';
import { backupTaskEnvironment, verifyTaskEnvironment } from '../settings/worker.ts';
import { awsErrorName, fromAwsError } from './aws-error.ts';
import { taskState } from './ecs-tasks.ts';

export interface EcsPlaces {
  readonly stackName: string;
  readonly cluster: string;
  readonly networks: DeployedNetworks;
}

/** What DescribeTasks takes at once. */
const DESCRIBE_LIMIT = 100;
const REASON_LIMIT = 255;
/** Answers by which certainly nothing was started and that pass by waiting. */
const NO_CAPACITY_ERRORS = /Throttl|TooManyRequests|LimitExceeded|RequestLimitExceeded/;
const NO_CAPACITY_WORDS = /capacity is unavailable|reached the limit|rate exceeded|no container instance|insufficient/i;

/** Tasks on Fargate, in the family of their plan. */
export class EcsLauncher implements TaskLauncher {
  readonly #client: Pick<ECSClient, 'send'>;
  readonly #places: EcsPlaces;

  constructor(client: Pick<ECSClient, 'send'>, places: EcsPlaces) {
    this.#client = client;
    this.#places = places;
  }

  async launch(order: TaskOrder): Promise<Launched | NoCapacity> {
    const input = this.#runTaskInput(order);
    return this.#run(input, `The task of run ${order.run.runId} (${input.taskDefinition}) could not be started`);
  }

  async #run(input: RunTaskCommandInput, what: string): Promise<Launched | NoCapacity> {
    const answer = await this.#client.send(new RunTaskCommand(input)).catch((cause: unknown) => refusal(cause, what));
    if ('noCapacity' in answer || 'taskArn' in answer) return answer;
    const taskArn = answer.tasks?.[0]?.taskArn;
    if (taskArn !== undefined) return { taskArn };
    const reasons = (answer.failures ?? []).map(({ reason, detail }) => [reason, detail].filter(Boolean).join(': '));
    return { noCapacity: reasons.join('; ') || 'ECS started no task and gave no reason' };
  }

  /** Starts the task that reads a backup back, in the family of its vault (V4). */
  async startReadBack({ token, network, ...order }: ReadBackOrder): Promise<Launched | NoCapacity> {
    const { stackName, cluster } = this.#places;
    const environment = Object.entries(verifyTaskEnvironment(order)).map(([name, value]) => ({ name, value }));
    const family = verifyFamily(stackName, order.vault);
    return this.#run({
      cluster, taskDefinition: family, launchType: 'FARGATE', count: 1, clientToken: token, startedBy: order.backupId, propagateTags: 'TASK_DEFINITION',
      networkConfiguration: this.#network(network, order.planName),
      overrides: { containerOverrides: [{ name: WORKER_CONTAINER, environment }] },
    }, `The task that reads backup ${order.backupId} back (${family}) could not be started`);
  }

  async describe(taskArns: readonly string[]): Promise<readonly TaskState[]> {
    const states: TaskState[] = [];
    for (let first = 0; first < taskArns.length; first += DESCRIBE_LIMIT) {
      const tasks = taskArns.slice(first, first + DESCRIBE_LIMIT);
      const answer = await this.#client.send(new DescribeTasksCommand({ cluster: this.#places.cluster, tasks })).catch((cause: unknown) => {
        throw fromAwsError(cause, `The states of ${tasks.length} tasks could not be read`);
      });
      states.push(...(answer.tasks ?? []).flatMap((task) => taskState(task) ?? []));
    }
    return states;
  }

  async stop(taskArn: string, reason: string): Promise<void> {
    try {
      await this.#client.send(new StopTaskCommand({ cluster: this.#places.cluster, task: taskArn, reason: reason.slice(0, REASON_LIMIT) }));
    } catch (cause) {
      // ECS says so with an InvalidParameterException.
      if (/task was not found/i.test((cause as Error).message)) return;
      throw fromAwsError(cause, `The task ${taskArn} could not be stopped`);
    }
  }

  /** The same for every call with the same attempt, as long as no deploy changed the network: see `refusal`. */
  #runTaskInput({ run, plan }: TaskOrder): RunTaskCommandInput {
    const { stackName, cluster } = this.#places;
    const environment = Object.entries(backupTaskEnvironment(run.runId)).map(([name, value]) => ({ name, value }));
    return {
      cluster,
      taskDefinition: backupFamily(stackName, plan.name),
      launchType: 'FARGATE',
      count: 1,
      clientToken: attemptToken(run),
      startedBy: run.runId,
      propagateTags: 'TASK_DEFINITION',
      networkConfiguration: this.#network(plan.network, plan.name),
      overrides: {
        cpu: String(plan.task.cpu),
        memory: String(plan.task.memoryMiB),
        ephemeralStorage: { sizeInGiB: plan.task.diskGiB },
        containerOverrides: [{ name: WORKER_CONTAINER, environment }],
      },
    };
  }

  #network(name: string, planName: string): NetworkConfiguration {
    const network = this.#places.networks[name];
    if (network === undefined) {
      throw new HoldfastError('config-invalid', `The network "${name}" of plan ${planName} is not deployed, wanted one of ${Object.keys(this.#places.networks).join(', ')}.`, {
        nextStep: `Put the network back into holdfast.yaml or give plan ${planName} another one, and deploy.`,
      });
    }
    return { awsvpcConfiguration: { subnets: [...network.subnets], securityGroups: [...network.securityGroups], assignPublicIp: network.assignPublicIp ? 'ENABLED' : 'DISABLED' } };
  }
}

/**
 * What an exception of RunTask means. A conflict says that the token has its task already, started with other
 * parameters (a deploy came between two attempts to ask): that task is the one.
 */
function refusal(cause: unknown, what: string): Launched | NoCapacity {
  const { message, resourceIds } = cause as { message?: string; resourceIds?: readonly string[] };
  const name = awsErrorName(cause);
  if (name === 'ConflictException' && resourceIds?.[0] !== undefined) return { taskArn: resourceIds[0] };
  if (NO_CAPACITY_ERRORS.test(name) || NO_CAPACITY_WORDS.test(message ?? '')) return { noCapacity: `${name}: ${message ?? ''}` };
  if (name === 'ClientException' && /taskdefinition/i.test(message ?? '')) {
    throw new HoldfastError('not-found', `${what}: ${message}.`, { cause, nextStep: 'Deploy the stack: it makes the task definition of every plan. A plan that was removed cannot run any more.' });
  }
  throw fromAwsError(cause, what);
}
