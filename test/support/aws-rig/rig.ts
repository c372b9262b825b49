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
  readonly seconds: number;
}

export interface RigOptions {
  /** Of the checkout. */
  readonly root: string;
  readonly app: CdkApp | ((place: { readonly folder: string; readonly hostAddress: string; readonly emulator: Emulator; readonly guardian: Guardian }) => Promise<CdkApp>);
}

/** As the image's user; an access point of EFS does the same. */
const WORKER_UID = 1000;

type Undo = () => Promise<void> | void;

export async function startRig({ root, app }: RigOptions): Promise<Rig> {
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
    const containers = await openContainers(folder, podman);
    undo.push(() => containers.close());
    const emulator = await startEmulator({ root, folder, hostAddress: alias.address, containerSocket: containers.socket });
    guardian.overProcess(emulator.pid);
    undo.push(() => emulator.stop());
    containers.follow(emulator);
    const cdk = cdkProgram({ root, folder }, emulator, typeof app === 'function' ? await app({ folder, hostAddress: alias.address, emulator, guardian }) : app);
    await cdk.bootstrap();
    return { folder, hostAddress: alias.address, guardian, emulator, podman, cdk, fileSystem: containers.fileSystem, damage: containers.damage, deploy: () => deploy({ root, folder, cdk, podman, emulator }), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function deploy({ root, folder, cdk, podman, emulator }: { readonly root: string; readonly folder: string; readonly cdk: CdkProgram; readonly podman: PrivatePodman; readonly emulator: Emulator }): Promise<Deployed> {
  await cdk.synth();
  const images = await buildImageAssets(cdk.output, podman, root);
  const begin = Date.now();
  const outputsFile = join(folder, 'outputs.json');
  await cdk.run(['deploy', '--all', '--require-approval', 'never', '--outputs-file', outputsFile]);
  const seconds = (Date.now() - begin) / 1000;
  const applied = await completeTemplates(cdk.output, emulator);
  return { outputs: JSON.parse(readFileSync(outputsFile, 'utf8')), images, applied, seconds };
}

/** Between emulator and podman; the emulator's address is known only after it has been told where the containers are. */
async function openContainers(folder: string, podman: PrivatePodman) {
  let emulator: Emulator | undefined;
  let damaged: ((order: ContainerOrder, family: string) => void) | undefined;
  const fileSystem = (id: string) => {
    const path = join(folder, 'efs', id);
    mkdirSync(path, { recursive: true });
    chownSync(path, WORKER_UID, WORKER_UID);
    return path;
  };
  const door = await openContainerDoor(join(folder, 'door.sock'), podman.socket, async (order) => {
    if (!emulator) throw new Error('a container before the emulator was up');
    const { credentials, region } = emulator.client;
    await completeTask(order, {
      endpoint: emulator.endpoint,
      region,
      label: folder,
      fileSystem,
      environment: { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey, AWS_REGION: region },
      damage: (...broken) => damaged?.(...broken),
    });
  });
  return {
    socket: door.socket,
    close: () => door.stop(),
    follow: (started: Emulator) => void (emulator = started),
    fileSystem,
    damage: (change: typeof damaged) => void (damaged = change),
  };
}
