import type { ContainerOrder } from './container-door.ts';
import type { Emulator } from './emulator.ts';

export interface TaskSurroundings {
  readonly emulator: Pick<Emulator, 'ask' | 'client'>;
  /** Marks the containers of this rig, so that it removes no others. */
  readonly label: string;
  /** The folder that stands in for a file system of EFS. */
  readonly fileSystem: (fileSystemId: string) => string;
  /** Credentials of a task with this role: the emulator's own way is refused by the SDK. */
  readonly credentials: (roleArn: string) => Readonly<Record<string, string>>;
  /** PEM file of the authority that tasks have to trust. */
  readonly authority?: string | undefined;
  /** What a test breaks; comes last. */
  readonly damage: (order: ContainerOrder, family: string) => void;
}

/** Names in lower case: the emulator keeps some as CloudFormation writes them and some as the API of ECS does. */
interface TaskDefinition {
  readonly memory?: string;
  readonly taskrolearn?: string;
  readonly volumes?: readonly { readonly name?: string; readonly efsvolumeconfiguration?: { readonly filesystemid?: string } }[];
  readonly containerdefinitions: readonly Container[];
}

interface Container {
  readonly name: string;
  readonly user?: string;
  readonly readonlyrootfilesystem?: boolean;
  readonly linuxparameters?: { readonly initprocessenabled?: boolean; readonly capabilities?: { readonly drop?: string[] } };
  readonly mountpoints?: readonly { readonly sourcevolume?: string; readonly containerpath?: string; readonly readonly?: boolean }[];
}

/** Puts back into a container what the emulator leaves out of its task definition. */
export async function completeTask(order: ContainerOrder, around: TaskSurroundings): Promise<void> {
  const labels = (order.Labels ??= {});
  labels['holdfast.rig'] = around.label;
  const family = labels['com.amazonaws.ecs.task-definition-family'];
  if (family === undefined) return;
  const definition = await describe(`${family}:${labels['com.amazonaws.ecs.task-definition-version']}`, around);
  const container = definition.containerdefinitions.find(({ name }) => name === labels['com.amazonaws.ecs.container-name']);
  if (!container) throw new Error(`the task definition ${family} has no container ${labels['com.amazonaws.ecs.container-name']}`);
  limit(order, definition, container);
  mount(order, definition, { container, fileSystem: around.fileSystem });
  if (around.authority !== undefined) trust(order, around.authority);
  set(order, around.credentials(definition.taskrolearn ?? ''));
  around.damage(order, family);
}

function limit(order: ContainerOrder, definition: TaskDefinition, { user, readonlyrootfilesystem, linuxparameters }: Container): void {
  const host = (order.HostConfig ??= {});
  if (user !== undefined) order.User = user;
  if (readonlyrootfilesystem) host.ReadonlyRootfs = true;
  if (linuxparameters?.initprocessenabled) host.Init = true;
  if (linuxparameters?.capabilities?.drop) host.CapDrop = linuxparameters.capabilities.drop;
  if (definition.memory !== undefined) host.Memory = Number(definition.memory) * 1024 * 1024;
}

/** Volumes without a source are the image's own, made by the container runtime as Fargate does. */
function mount(order: ContainerOrder, { volumes = [] }: TaskDefinition, { container, fileSystem }: { readonly container: Container; readonly fileSystem: (id: string) => string }): void {
  const host = (order.HostConfig ??= {});
  for (const { sourcevolume, containerpath, readonly } of container.mountpoints ?? []) {
    const id = volumes.find(({ name }) => name === sourcevolume)?.efsvolumeconfiguration?.filesystemid;
    if (id !== undefined) host.Binds = [...(host.Binds ?? []), `${fileSystem(id)}:${containerpath}:${readonly ? 'ro' : 'rw'}`];
  }
}

const AUTHORITY_INSIDE = '/etc/ssl/rig.pem';

/** The emulator tells containers an address without TLS, also when it speaks nothing else. */
function trust(order: ContainerOrder, authority: string): void {
  const host = (order.HostConfig ??= {});
  host.Binds = [...(host.Binds ?? []), `${authority}:${AUTHORITY_INSIDE}:ro`];
  const endpoint = order.Env?.find((line) => line.startsWith('AWS_ENDPOINT_URL='))?.slice('AWS_ENDPOINT_URL='.length) ?? '';
  set(order, { NODE_EXTRA_CA_CERTS: AUTHORITY_INSIDE, AWS_ENDPOINT_URL: endpoint.replace('http://', 'https://') });
}

/** In place of what the emulator says, whose address for credentials the SDK refuses. */
function set(order: ContainerOrder, values: Readonly<Record<string, string>>): void {
  const kept = (order.Env ?? []).filter((line) => !/^AWS_CONTAINER_(CREDENTIALS_FULL|AUTHORIZATION)/.test(line) && !Object.hasOwn(values, line.split('=')[0] ?? ''));
  order.Env = [...kept, ...Object.entries(values).map(([name, value]) => `${name}=${value}`)];
}

/** Not by the SDK, which passes over names that it does not know. */
async function describe(taskDefinition: string, { emulator }: TaskSurroundings): Promise<TaskDefinition> {
  const { accessKeyId } = emulator.client.credentials;
  const { status, text } = await emulator.ask({
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition',
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260101/${emulator.client.region}/ecs/aws4_request, SignedHeaders=host, Signature=none`,
  }, JSON.stringify({ taskDefinition }));
  const said = JSON.parse(text) as { readonly taskDefinition?: unknown };
  if (status !== 200 || said.taskDefinition === undefined) throw new Error(`the emulator does not describe ${taskDefinition}: ${text}`);
  return lowerCase(said.taskDefinition) as TaskDefinition;
}

function lowerCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerCase);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name.toLowerCase(), lowerCase(inner)]));
}
