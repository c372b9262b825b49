import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rememberNetwork } from './network-traces.ts';

/** A container runtime that shares nothing with one the user may have: its own settings, images, networks and socket. */
export interface PrivatePodman {
  /** Speaks Docker's API. */
  readonly socket: string;
  /** Of the API. */
  readonly pid: number;
  /** For podman commands that somebody starts himself. */
  readonly environment: NodeJS.ProcessEnv;
  /** Standard output of a podman command; its standard error is in the error. */
  run(args: readonly string[]): Promise<string>;
  /** Removes this rig's containers; images stay below `.servers/` for the next time. */
  stop(): Promise<void>;
}

export interface PodmanPlace {
  /** Of the checkout. */
  readonly root: string;
  /** For this rig alone; removed by its owner. */
  readonly folder: string;
  /** What `host.docker.internal` is inside containers. */
  readonly hostAddress: string;
}

const START_PATIENCE_MS = 20_000;

export async function startPodman(place: PodmanPlace): Promise<PrivatePodman> {
  const shared = shareRunFolder(place.root);
  const forgetNetwork = shared.isAlone ? rememberNetwork() : () => undefined;
  const env = writeSettings(place, shared.folder);
  const socket = join(place.folder, 'podman.sock');
  const log = openSync(join(place.folder, 'podman.log'), 'a');
  const run = async (args: readonly string[]) => (await promisify(execFile)('podman', [...args], { env, maxBuffer: 64 * 1024 * 1024 })).stdout.trim();
  // Containers of a rig that was killed: nobody else removes them.
  if (shared.isAlone) await run(['rm', '--force', '--time', '0', '--volumes', '--all']);
  const service = spawn('podman', ['system', 'service', '--time=0', `unix://${socket}`], { env, stdio: ['ignore', log, log], detached: true });
  const stop = async () => {
    const left = await run(['ps', '--all', '--quiet', '--filter', `label=holdfast.rig=${place.folder}`]);
    if (left !== '') await run(['rm', '--force', '--time', '0', '--volumes', ...left.split('\n')]);
    const ended = new Promise((resolve) => service.once('exit', resolve));
    if (service.exitCode === null && service.signalCode === null) {
      process.kill(service.pid as number, 'SIGTERM');
      await ended;
    }
    if (shared.leave()) forgetNetwork();
  };
  const deadline = Date.now() + START_PATIENCE_MS;
  while (!existsSync(socket)) {
    if (service.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`podman's API did not come up at ${socket}; its log is ${join(place.folder, 'podman.log')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { socket, pid: service.pid as number, environment: env, run, stop };
}

/**
 * Paths of sockets are limited to 107 bytes, so what podman keeps while running lies in a short folder, shared by all rigs
 * of a checkout (podman writes its path into its database). The last one to leave takes it away.
 */
function shareRunFolder(root: string): { readonly folder: string; readonly isAlone: boolean; leave(): boolean } {
  const folder = join(tmpdir(), `hf-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`);
  const users = join(folder, 'users');
  mkdirSync(users, { recursive: true, mode: 0o700 });
  const mine = join(users, String(process.pid));
  const others = () => (existsSync(users) ? readdirSync(users).filter((pid) => pid !== String(process.pid) && existsSync(`/proc/${pid}`)) : []);
  const isAlone = others().length === 0;
  writeFileSync(mine, '');
  const leave = () => {
    rmSync(mine, { force: true });
    const isLast = others().length === 0;
    if (isLast) rmSync(folder, { recursive: true, force: true });
    return isLast;
  };
  return { folder, isAlone, leave };
}

function writeSettings(place: PodmanPlace, runFolder: string): NodeJS.ProcessEnv {
  const store = join(place.root, '.servers', 'podman');
  for (const folder of [join(store, 'networks'), join(store, 'images')]) mkdirSync(folder, { recursive: true });
  const file = (name: string, lines: readonly string[]) => {
    writeFileSync(join(place.folder, name), `${lines.join('\n')}\n`);
    return join(place.folder, name);
  };
  const hosts = file('hosts', ['127.0.0.1 localhost', `${place.hostAddress} host.docker.internal`]);
  const conf = file('containers.conf', [
    // podman 4.3 writes "host-gateway" into /etc/hosts as it stands; the base file answers instead.
    '[containers]', `base_hosts_file = "${hosts}"`, 'default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]', 'log_driver = "k8s-file"',
    // File locks: the default is one shared memory segment for all podmans of the machine.
    '[engine]', 'runtime = "runc"', 'cgroup_manager = "cgroupfs"', 'events_logger = "file"', 'lock_type = "file"', `tmp_dir = "${runFolder}/t"`, `volume_path = "${store}/volumes"`,
    '[network]', 'network_backend = "netavark"', `network_config_dir = "${store}/networks"`, 'default_subnet = "10.98.0.0/16"',
  ]);
  const storage = file('storage.conf', ['[storage]', 'driver = "overlay"', `graphroot = "${store}/images"`, `runroot = "${runFolder}/r"`]);
  // A missing image fails at once instead of being looked up outside.
  const registries = file('registries.conf', ['*.amazonaws.com', 'docker.io', 'quay.io', 'localhost'].flatMap((prefix) => ['[[registry]]', `prefix = "${prefix}"`, ...(prefix.startsWith('*') ? [] : [`location = "${prefix}"`]), 'blocked = true']));
  return { ...process.env, CONTAINERS_CONF: conf, CONTAINERS_STORAGE_CONF: storage, CONTAINERS_REGISTRIES_CONF: registries, REGISTRY_AUTH_FILE: file('auth.json', ['{}']) };
}
