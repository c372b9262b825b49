import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cdkProgram } from './cdk.ts';
import type { CdkApp, CdkProgram } from './cdk.ts';
import { completeTask } from './complete-task.ts';
import { completeTemplates } from './complete-template.ts';
import { openContainerDoor } from './container-door.ts';
import type { ContainerOrder } from './container-door.ts';
import { startEmulator } from './emulator.ts';
import type { Emulator } from './emulator.ts';
import { buildImageAssets } from './images.ts';
import type { BuiltImage } from './images.ts';
import { hireGuardian } from './guardian.ts';
import type { Guardian } from './guardian.ts';
import { assumeRole, trustRig } from './task-roles.ts';
import { serveTaskCredentials } from './task-credentials.ts';
import type { TaskCredentials } from './task-credentials.ts';
import { makeCertificates } from './certificates.ts';
import type { Certificates } from './certificates.ts';
import { dropUncheckedConditions } from './unchecked-conditions.ts';
import { claimAlias } from './loopback-alias.ts';
import { startPodman } from './private-podman.ts';
import type { PrivatePodman } from './private-podman.ts';

/** AWS on this machine: the emulator with real functions and real containers, and the CDK that deploys into it. */
export interface Rig {
  readonly folder: string;
  /** What else containers are to reach must listen here too; they come from `CONTAINER_SUBNET`. */
  readonly hostAddress: string;
  readonly emulator: Emulator;
  readonly podman: PrivatePodman;
  readonly cdk: CdkProgram;
  /** The folder that stands in for a file system of EFS. */
  fileSystem(fileSystemId: string): string;
  /** Cleans up when this process is killed. */
  readonly guardian: Guardian;
  /** Builds the images, deploys every stack and applies what the emulator drops. */
  deploy(): Promise<Deployed>;
  /** Changes the containers that start from now on; undefined takes it back. */
  damage(change: ((order: ContainerOrder, family: string) => void) | undefined): void;
  /** Callable twice. Leaves images below `.servers/` and nothing else. */
  stop(): Promise<void>;
}

export interface Deployed {
  /** Of every stack: output key to value. */
  readonly outputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly images: readonly BuiltImage[];
  readonly applied: readonly string[];
  /** Conditions that were taken out of the templates because the emulator cannot evaluate them. */
  readonly unchecked: readonly string[];
  readonly seconds: number;
}

export interface RigOptions {
  /** Of the checkout. */
  readonly root: string;
  /** TLS alone, IAM enforced, each task under its own role. One such rig at a time on a machine. */
  readonly isEnforced?: boolean | undefined;
  readonly app: CdkApp | ((place: { readonly folder: string; readonly hostAddress: string; readonly emulator: Emulator; readonly guardian: Guardian }) => Promise<CdkApp>);
}

/** As the image's user; an access point of EFS does the same. */
const WORKER_UID = 1000;

type Undo = () => Promise<void> | void;

export async function startRig({ root, app, isEnforced = false }: RigOptions): Promise<Rig> {
  const undo: Undo[] = [];
  const stop = async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  };
  const guardian = hireGuardian();
  undo.push(() => guardian.dismiss());
  try {
    const folder = mkdtempSync(join(tmpdir(), 'hf-rig-'));
    guardian.overFolder(folder);
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    const alias = claimAlias();
    guardian.overAddress(alias.address);
    undo.push(() => alias.remove());
    const podman = await startPodman({ root, folder, hostAddress: alias.address });
    guardian.overProcess(podman.pid);
    undo.push(() => podman.stop());
    const certificates = isEnforced ? makeCertificates(folder, alias.address) : undefined;
    const containers = await openContainers(folder, podman, certificates);
    undo.push(() => containers.close());
    const emulator = await startEmulator({ root, folder, hostAddress: alias.address, containerSocket: containers.socket, certificates });
    guardian.overProcess(emulator.pid);
    undo.push(() => emulator.stop());
    const roles = isEnforced ? await serveTaskCredentials((roleArn) => assumeRole(emulator, roleArn)) : undefined;
    if (roles) undo.push(() => roles.stop());
    if (roles) guardian.overAddress(roles.address);
    containers.follow(emulator, roles);
    const cdk = cdkProgram({ root, folder }, emulator, typeof app === 'function' ? await app({ folder, hostAddress: alias.address, emulator, guardian }) : app);
    await cdk.bootstrap();
    return { folder, hostAddress: alias.address, guardian, emulator, podman, cdk, fileSystem: containers.fileSystem, damage: containers.damage, deploy: () => deploy({ root, folder, cdk, podman, emulator, isEnforced }), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function deploy({ root, folder, cdk, podman, emulator, isEnforced }: { readonly isEnforced: boolean; readonly root: string; readonly folder: string; readonly cdk: CdkProgram; readonly podman: PrivatePodman; readonly emulator: Emulator }): Promise<Deployed> {
  await cdk.synth();
  const unchecked = isEnforced ? dropUncheckedConditions(cdk.output) : [];
  const images = await buildImageAssets(cdk.output, podman, root);
  const begin = Date.now();
  const outputsFile = join(folder, 'outputs.json');
  await cdk.run(['deploy', '--all', '--require-approval', 'never', '--outputs-file', outputsFile]);
  const seconds = (Date.now() - begin) / 1000;
  const applied = await completeTemplates(cdk.output, emulator);
  if (isEnforced) applied.push(...(await trustRig(cdk.output, emulator)));
  return { outputs: JSON.parse(readFileSync(outputsFile, 'utf8')), images, applied, unchecked, seconds };
}

/** Between emulator and podman; the emulator's address is known only after it has been told where the containers are. */
async function openContainers(folder: string, podman: PrivatePodman, certificates: Certificates | undefined) {
  let followed: { readonly emulator: Emulator; readonly roles: TaskCredentials | undefined } | undefined;
  let damaged: ((order: ContainerOrder, family: string) => void) | undefined;
  const fileSystem = (id: string) => {
    const path = join(folder, 'efs', id);
    mkdirSync(path, { recursive: true });
    chownSync(path, WORKER_UID, WORKER_UID);
    return path;
  };
  const door = await openContainerDoor(join(folder, 'door.sock'), podman.socket, async (order) => {
    if (!followed) throw new Error('a container before the emulator was up');
    const { emulator, roles } = followed;
    const { credentials, region } = emulator.client;
    const keys = { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey };
    await completeTask(order, {
      emulator,
      label: folder,
      fileSystem,
      credentials: (roleArn) => ({ AWS_REGION: region, ...(roles ? { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: roles.pathFor(roleArn) } : keys) }),
      authority: certificates?.authority,
      damage: (...broken) => damaged?.(...broken),
    });
  });
  return {
    socket: door.socket,
    close: () => door.stop(),
    follow: (emulator: Emulator, roles: TaskCredentials | undefined) => void (followed = { emulator, roles }),
    fileSystem,
    damage: (change: typeof damaged) => void (damaged = change),
  };
}
