import { Duration, Size, Stack } from 'aws-cdk-lib';
import { AwsLogDriverMode, Capability, FargateTaskDefinition, LinuxParameters, LogDriver, OperatingSystemFamily } from 'aws-cdk-lib/aws-ecs';
import type { ContainerDefinition } from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { ResolvedMount } from '../config/resolved-aws.ts';
import type { TaskSize } from '../settings/deployed.ts';
import { WORKER_CONTAINER } from '../settings/ids.ts';
import { acknowledge } from './acknowledge.ts';
import { taskFamily, taskRolePath } from './task-kinds.ts';
import type { TaskKind } from './task-kinds.ts';
import { taskPrincipal } from './task-principal.ts';
import { WORKER_SCRATCH, WORKER_USER } from './worker-places.ts';
import { cpuOf } from './worker-image.ts';
import type { WorkerFleet } from './worker-fleet.ts';

export interface WorkerTaskProps {
  readonly fleet: WorkerFleet;
  readonly kind: TaskKind;
  /** Of the plan, target or vault. */
  readonly name: string;
  readonly description: string;
  readonly size: TaskSize;
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly (ResolvedMount & { readonly isWritten: boolean })[];
}

/** One task definition with a role of its own. Its family is a name that lasts; its revisions come and go with deploys. */
export class WorkerTask extends Construct {
  readonly role: Role;
  readonly family: string;
  /** Of this deploy's revision. */
  readonly definitionArn: string;
  readonly #volumes = new Set<string>();

  constructor(scope: Construct, id: string, props: WorkerTaskProps) {
    super(scope, id);
    this.family = taskFamily(this, props.kind, props.name);
    this.role = new Role(this, 'Role', { path: taskRolePath(this, props.kind), assumedBy: taskPrincipal(Stack.of(this)), description: `Holdfast: ${props.description}` });
    const definition = this.#define(props);
    this.definitionArn = definition.taskDefinitionArn;
    const container = this.#contain(definition, props);
    for (const mount of props.mounts) this.#mount(definition, container, mount);
    props.fleet.register(props.kind);
  }

  #define({ fleet, size }: WorkerTaskProps): FargateTaskDefinition {
    const definition = new FargateTaskDefinition(this, 'Definition', {
      family: this.family,
      cpu: size.cpu,
      memoryLimitMiB: size.memoryMiB,
      ephemeralStorageGiB: size.diskGiB,
      runtimePlatform: { cpuArchitecture: cpuOf(fleet.architecture), operatingSystemFamily: OperatingSystemFamily.LINUX },
      taskRole: this.role,
      executionRole: fleet.starter,
      volumes: [{ name: 'scratch' }],
    });
    acknowledge(definition, 'AwsSolutions-ECS2', 'The environment holds names of places. Secrets are references that the task resolves itself, with the rights of its own role.');
    // The starter has it, whether the image is built or brought.
    acknowledge(definition, '@aws-cdk/aws-ecs:ecrImageRequiresPolicy', 'worker-image.ts grants the pull.');
    return definition;
  }

  #contain(definition: FargateTaskDefinition, { fleet, environment }: WorkerTaskProps): ContainerDefinition {
    const container = definition.addContainer(WORKER_CONTAINER, {
      image: fleet.image,
      essential: true,
      user: WORKER_USER,
      readonlyRootFilesystem: true,
      linuxParameters: withoutCapabilities(this),
      stopTimeout: Duration.seconds(120),
      environment: { ...environment },
      logging: LogDriver.awsLogs({ logGroup: fleet.log, streamPrefix: this.family, maxBufferSize: Size.mebibytes(4), mode: AwsLogDriverMode.NON_BLOCKING }),
    });
    container.addMountPoints({ sourceVolume: 'scratch', containerPath: WORKER_SCRATCH, readOnly: false });
    return container;
  }

  /** Elastic File System, encrypted on its way, opened by this task's role. */
  #mount(definition: FargateTaskDefinition, container: ContainerDefinition, { path, fileSystem, accessPoint, isWritten }: WorkerTaskProps['mounts'][number]): void {
    const name = `efs-${fileSystem}${accessPoint === undefined ? '' : `-${accessPoint}`}`;
    // Once, however many paths show it: ECS refuses two volumes of one name.
    if (!this.#volumes.has(name)) definition.addVolume({ name, efsVolumeConfiguration: { fileSystemId: fileSystem, transitEncryption: 'ENABLED', authorizationConfig: { iam: 'ENABLED', ...(accessPoint !== undefined && { accessPointId: accessPoint }) } } });
    this.#volumes.add(name);
    container.addMountPoints({ sourceVolume: name, containerPath: path, readOnly: !isWritten });
    const arn = (resource: string, resourceName: string) => Stack.of(this).formatArn({ service: 'elasticfilesystem', resource, resourceName });
    this.role.addToPolicy(new PolicyStatement({
      actions: ['elasticfilesystem:ClientMount', ...(isWritten ? ['elasticfilesystem:ClientWrite'] : [])],
      resources: [arn('file-system', fileSystem)],
      ...(accessPoint !== undefined && { conditions: { StringEquals: { 'elasticfilesystem:AccessPointArn': arn('access-point', accessPoint) } } }),
    }));
  }
}

function withoutCapabilities(scope: Construct): LinuxParameters {
  const parameters = new LinuxParameters(scope, 'Linux');
  parameters.dropCapabilities(Capability.ALL);
  return parameters;
}
