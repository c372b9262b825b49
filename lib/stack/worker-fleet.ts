import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { CfnCluster } from 'aws-cdk-lib/aws-ecs';
import type { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { ProcessorArchitecture, WorkerImage } from './stack-input.ts';
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
  readonly #families: string[] = [];
  readonly #taskRoles: IRole[] = [];

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

  /** To be told of every task definition, so that who may start tasks may start these and no others. */
  register(family: string, taskRole: IRole): void {
    this.#families.push(family);
    this.#taskRoles.push(taskRole);
  }

  /** Starts tasks of the families that `isWanted` picks, here and as nobody else. Call it when all are registered. */
  grantRunning(role: IRole, isWanted: (family: string) => boolean): void {
    const picked = this.#families.flatMap((family, index) => (isWanted(family) ? [{ family, taskRole: this.#taskRoles[index] as IRole }] : []));
    if (picked.length === 0) return;
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['ecs:RunTask'], resources: picked.map(({ family }) => this.#arn('task-definition', `${family}:*`)), conditions: this.#here }));
    // Tags of a stack reach its tasks by `propagateTags`, and ECS asks for this right beside RunTask as soon as there are any.
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['ecs:TagResource'], resources: [this.#arn('task', `${this.cluster.ref}/*`)], conditions: { StringEquals: { 'ecs:CreateAction': 'RunTask' } } }));
    role.addToPrincipalPolicy(new PolicyStatement({
      actions: ['iam:PassRole'],
      resources: [this.starter.roleArn, ...picked.map(({ taskRole }) => taskRole.roleArn)],
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
