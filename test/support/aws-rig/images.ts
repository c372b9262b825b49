import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, REGION } from './emulator.ts';
import type { PrivatePodman } from './private-podman.ts';

/** Of Debian; the name of the Dockerfile's FROM, and another that its argument BASE may be. */
export type Release = 'bookworm' | 'trixie';
const baseOf = (release: Release) => `docker.io/library/node:24-${release}-slim`;

interface ImageAsset {
  readonly source: { readonly directory: string; readonly dockerFile?: string; readonly dockerBuildTarget?: string; readonly dockerBuildArgs?: Readonly<Record<string, string>> };
  readonly destinations: Readonly<Record<string, { readonly region?: string; readonly repositoryName: string; readonly imageTag: string }>>;
}

export interface BuiltImage {
  readonly name: string;
  readonly bytes: number;
}

/**
 * Builds each image asset of a synthesized app under the very name that its task definitions use: the emulator answers the
 * CDK's question for the image as if it were published, so `cdk deploy` itself neither builds nor pushes. It is then told
 * that there are none: with IAM enforced, its question is refused.
 */
export async function buildImageAssets(cloudAssembly: string, podman: PrivatePodman, root: string): Promise<BuiltImage[]> {
  await importBase(podman, root, 'bookworm');
  const built: BuiltImage[] = [];
  for (const file of readdirSync(cloudAssembly).filter((name) => name.endsWith('.assets.json'))) {
    const path = join(cloudAssembly, file);
    const assets = JSON.parse(readFileSync(path, 'utf8')) as { dockerImages?: Record<string, ImageAsset> };
    for (const asset of Object.values(assets.dockerImages ?? {})) built.push(await build(asset, cloudAssembly, podman));
    writeFileSync(path, JSON.stringify({ ...assets, dockerImages: {} }));
  }
  return built;
}

async function build({ source, destinations }: ImageAsset, cloudAssembly: string, podman: PrivatePodman): Promise<BuiltImage> {
  const names = Object.values(destinations).map(({ region = REGION, repositoryName, imageTag }) => placed(`${ACCOUNT}.dkr.ecr.${region}.amazonaws.com/${repositoryName}:${imageTag}`));
  const folder = join(cloudAssembly, source.directory);
  return buildFrom(podman, {
    folder, names, buildArgs: source.dockerBuildArgs ?? {},
    more: [...(source.dockerFile === undefined ? [] : ['--file', join(folder, source.dockerFile)]), ...(source.dockerBuildTarget === undefined ? [] : ['--target', source.dockerBuildTarget])],
  });
}

/** The worker's image of this checkout on that release of Debian, with the client programs of its packages. */
export async function buildWorkerImage(podman: PrivatePodman, root: string, release: Release): Promise<BuiltImage> {
  await importBase(podman, root, release);
  return buildFrom(podman, { folder: join(root, 'dist'), names: [`localhost/holdfast-${release}:checkout`], buildArgs: { BASE: baseOf(release) } });
}

async function buildFrom(podman: PrivatePodman, order: { readonly folder: string; readonly names: readonly string[]; readonly buildArgs: Readonly<Record<string, string>>; readonly more?: readonly string[] }): Promise<BuiltImage> {
  // Debian's client: the PostgreSQL project's own repository may be out of reach where tests run.
  const buildArgs = { ...order.buildArgs, POSTGRESQL_CLIENT: 'debian' };
  await podman.run([
    'build', '--quiet', '--layers', '--isolation', 'chroot', '--network', 'host',
    ...order.names.flatMap((name) => ['--tag', name]),
    ...Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...(order.more ?? []),
    order.folder,
  ]);
  const name = order.names[0] as string;
  return { name, bytes: Number(await podman.run(['image', 'inspect', '--format', '{{.Size}}', name])) };
}

/** A stack for any account and region leaves them open. */
function placed(name: string): string {
  return name.replaceAll('${AWS::AccountId}', ACCOUNT).replaceAll('${AWS::Region}', REGION);
}

/** Once for each base: the layers of what is built on it are found again while it stays. */
async function importBase(podman: PrivatePodman, root: string, release: Release): Promise<void> {
  const archive = join(root, '.servers', 'base', `node-24-${release}-slim.tar`);
  if (!existsSync(archive)) throw new Error(`${archive} is not there: run scripts/servers.sh as root on Debian (npm test and npm run test:image do)`);
  const stamp = readFileSync(`${archive}.stamp`, 'utf8').trim().replaceAll(/[^\w.-]/g, '_');
  const known = await podman.run(['image', 'inspect', '--format', '{{index .Config.Labels "holdfast.base"}}', baseOf(release)]).catch(() => '');
  if (known === stamp) return;
  await podman.run(['import', '--quiet', '--change', 'CMD ["node"]', '--change', 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', '--change', `LABEL holdfast.base=${stamp}`, archive, baseOf(release)]);
}
