import { DescribeTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import type { ContainerDefinition, ECSClient, TaskDefinition } from '@aws-sdk/client-ecs';
import type { ContainerOrder } from './container-door.ts';

export interface TaskSurroundings {
  readonly ecs: ECSClient;
  /** Marks the containers of this rig, so that it removes no others. */
  readonly label: string;
  /** The folder that stands in for a file system of EFS. */
  readonly fileSystem: (fileSystemId: string) => string;
  /** For all tasks: credentials, where the emulator's own way is refused by the SDK. */
  readonly environment: Readonly<Record<string, string>>;
  /** What a test breaks; comes last. */
  readonly damage: (order: ContainerOrder, family: string) => void;
}

/** Puts back into a container what the emulator leaves out of its task definition. */
export async function completeTask(order: ContainerOrder, around: TaskSurroundings): Promise<void> {
  const labels = (order.Labels ??= {});
  labels['holdfast.rig'] = around.label;
  const family = labels['com.amazonaws.ecs.task-definition-family'];
  if (family === undefined) return;
  const { taskDefinition } = await around.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: `${family}:${labels['com.amazonaws.ecs.task-definition-version']}` }));
  const container = taskDefinition?.containerDefinitions?.find(({ name }) => name === labels['com.amazonaws.ecs.container-name']);
  if (!taskDefinition || !container) throw new Error(`the task definition ${family} has no container ${labels['com.amazonaws.ecs.container-name']}`);
  limit(order, taskDefinition, container);
  mount(order, { taskDefinition, container, fileSystem: around.fileSystem });
  order.Env = [...(order.Env ?? []).filter((line) => !/^AWS_CONTAINER_(CREDENTIALS|AUTHORIZATION)/.test(line)), ...Object.entries(around.environment).map(([name, value]) => `${name}=${value}`)];
  around.damage(order, family);
}

function limit(order: ContainerOrder, task: TaskDefinition, container: ContainerDefinition): void {
  const host = (order.HostConfig ??= {});
  if (container.user !== undefined) order.User = container.user;
  if (container.readonlyRootFilesystem) host.ReadonlyRootfs = true;
  if (container.linuxParameters?.initProcessEnabled) host.Init = true;
  if (task.memory !== undefined) host.Memory = Number(task.memory) * 1024 * 1024;
}

/** Volumes without a source are the image's own, made by the container runtime as Fargate does. */
function mount(order: ContainerOrder, { taskDefinition, container, fileSystem }: { readonly taskDefinition: TaskDefinition; readonly container: ContainerDefinition; readonly fileSystem: (id: string) => string }): void {
  const host = (order.HostConfig ??= {});
  for (const { sourceVolume, containerPath, readOnly } of container.mountPoints ?? []) {
    const id = taskDefinition.volumes?.find(({ name }) => name === sourceVolume)?.efsVolumeConfiguration?.fileSystemId;
    if (id !== undefined) (host.Binds ??= []).push(`${fileSystem(id)}:${containerPath}:${readOnly ? 'ro' : 'rw'}`);
  }
}
