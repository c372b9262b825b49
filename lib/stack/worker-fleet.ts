import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { CfnCluster } from 'aws-cdk-lib/aws-ecs';
import type { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { ProcessorArchitecture, WorkerImage } from './stack-input.ts';
import { taskFamilies, taskRolePath } from './task-kinds.ts';
import type { TaskKind } from './task-kinds.ts';
import { workerImage } from './worker-image.ts';

export interface WorkerFleetProps {
  readonly image: WorkerImage;
  readonly architecture: ProcessorArchitecture;
}

/** What all tasks share: the cluster, their image, their log, and the role with which ECS starts them. */
export class WorkerFleet extends Construct {
  readonly cluster: CfnCluster;
  readonly image: ContainerImage;
  readonly architecture: ProcessorArchitecture;
  readonly log: LogGroup;
  /** Pulls the image and writes the log; tasks themselves never have it. */
  readonly starter: Role;
  readonly #kinds = new Set<TaskKind>();

  constructor(scope: Construct, id: string, { image, architecture }: WorkerFleetProps) {
    super(scope, id);
    this.architecture = architecture;
    // Without capacity providers, which nobody asks for: with them the first cluster of an account is refused, because
    // ECS takes its service-linked role on at once, which does not exist a moment before.
    this.cluster = new CfnCluster(this, 'Cluster', { clusterSettings: [{ name: 'containerInsights', value: 'disabled' }] });
    acknowledge(this.cluster, 'AwsSolutions-ECS4', 'Container Insights bills each metric of each task; duration, bytes and memory of runs are metrics of Holdfast itself.');
    this.log = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
    this.starter = new Role(this, 'Starter', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com'), description: 'Holdfast: pulls the image and opens the log of tasks' });
    this.log.grantWrite(this.starter);
    this.image = workerImage(this, image, { architecture, puller: this.starter });
  }

  /** To be told of every task definition, so that nobody may start what there is none of. */
  register(kind: TaskKind): void {
    this.#kinds.add(kind);
  }

  /**
   * Starts tasks of these kinds, here and as nobody else: a task of another stack whose families match as well could only
   * run in this cluster, and its role cannot be handed to it. Call it when all are registered.
   */
  grantRunning(role: IRole, kinds: readonly TaskKind[]): void {
    const there = kinds.filter((kind) => this.#kinds.has(kind));
    if (there.length === 0) return;
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['ecs:RunTask'], resources: there.map((kind) => this.#arn('task-definition', `${taskFamilies(this, kind)}:*`)), conditions: this.#here }));
    // Tags of a stack reach its tasks by `propagateTags`, and ECS asks for this right beside RunTask as soon as there are any.
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['ecs:TagResource'], resources: [this.#arn('task', `${this.cluster.ref}/*`)], conditions: { StringEquals: { 'ecs:CreateAction': 'RunTask' } } }));
    role.addToPrincipalPolicy(new PolicyStatement({
      actions: ['iam:PassRole'],
      resources: [this.starter.roleArn, ...there.map((kind) => Stack.of(this).formatArn({ service: 'iam', region: '', resource: `role${taskRolePath(this, kind)}*`, arnFormat: ArnFormat.NO_RESOURCE_NAME }))],
      conditions: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    }));
  }

  /** Sees and stops the tasks of this cluster. */
  grantStopping(role: IRole): void {
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['ecs:DescribeTasks', 'ecs:StopTask'], resources: [this.#arn('task', `${this.cluster.ref}/*`)], conditions: this.#here }));
  }

  get #here(): Record<string, Record<string, string>> {
    return { ArnEquals: { 'ecs:cluster': this.cluster.attrArn } };
  }

  #arn(resource: string, resourceName: string): string {
    return Stack.of(this).formatArn({ service: 'ecs', resource, resourceName });
  }
}
