import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BuiltImage, Release } from '../support/aws-rig/images.ts';
import type { PrivatePodman } from '../support/aws-rig/private-podman.ts';
import { Person } from '../e2e/program.ts';

export interface ImageDesk {
  readonly podman: PrivatePodman;
  readonly release: Release;
  readonly image: BuiltImage;
  /** Of the containers, so that they are removed with the runtime. */
  readonly label: string;
  /** Folder of other programs of PostgreSQL, which is mounted and named. */
  readonly postgresBinaries?: string;
}

/** The image's own user, unless a container is told otherwise. */
const WORKER = { uid: 1000, gid: 1000 };

/**
 * A person whose `holdfast` is the one in the image, with its client programs and nothing of this machine but the network,
 * the folder of the person under the same path, and variables by name. The root is read-only, as in ECS.
 */
export class Contained extends Person {
  readonly #desk: ImageDesk;
  readonly #variables: NodeJS.ProcessEnv;
  readonly #user: { readonly uid: number; readonly gid: number };

  constructor(desk: ImageDesk, { variables = {}, user = WORKER, folder }: { readonly variables?: NodeJS.ProcessEnv; readonly user?: { readonly uid: number; readonly gid: number }; readonly folder?: string }) {
    super(variables, folder);
    this.#desk = desk;
    this.#variables = variables;
    this.#user = user;
    mkdirSync(this.path('scratch'));
    this.own();
  }

  /** What this process wrote into the folder becomes the container's. */
  own(): void {
    const { status, stderr } = spawnSync('chown', ['-R', `${this.#user.uid}:${this.#user.gid}`, this.folder], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`chown ended with ${status}: ${stderr}`);
  }

  override start(args: readonly string[]): ChildProcess {
    const { podman, image, label, postgresBinaries } = this.#desk;
    const names = Object.keys(this.#variables).flatMap((name) => ['--env', name]);
    const options = [
      '--rm', '--interactive', '--network', 'host', '--read-only', '--label', `holdfast.rig=${label}`, '--user', `${this.#user.uid}:${this.#user.gid}`,
      '--volume', `${this.folder}:${this.folder}`, '--volume', `${this.path('scratch')}:/scratch`, '--workdir', this.path('work'), ...names,
      // With their libraries, which lie beside the folder of the package.
      ...(postgresBinaries === undefined ? [] : ['--volume', `${join(postgresBinaries, '..', '..', '..')}:/other:ro`, '--env', `HOLDFAST_POSTGRES_BIN=/other/${postgresBinaries.split('/').slice(-3).join('/')}`]),
    ];
    return spawn('podman', ['run', ...options, '--entrypoint', 'holdfast', image.name, ...args], { env: { ...podman.environment, ...this.#variables }, stdio: ['pipe', 'pipe', 'pipe'] });
  }
}
