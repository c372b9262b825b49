import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { ContainerImage, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { HoldfastError } from '../model/errors.ts';
import type { ProcessorArchitecture, WorkerImage } from './stack-input.ts';

const BY_DIGEST = /^[^\s@]+@sha256:[0-9a-f]{64}$/;
const ECR = /^(?<account>\d{12})\.dkr\.ecr\.(?<region>[a-z0-9-]+)\.(?<suffix>amazonaws\.com(?:\.cn)?)\/(?<repository>[^@:]+)@/;

const ARCHITECTURES = {
  X86_64: { cpu: CpuArchitecture.X86_64, platform: Platform.LINUX_AMD64 },
  ARM64: { cpu: CpuArchitecture.ARM64, platform: Platform.LINUX_ARM64 },
} as const;

export function cpuOf(architecture: ProcessorArchitecture): CpuArchitecture {
  return ARCHITECTURES[architecture].cpu;
}

/**
 * The worker's image: built and published by `cdk deploy`, or one that is there already, named by digest so that nobody
 * can exchange it. `puller` gets the right to pull it. Fails when the reference names no digest or there is nothing to build.
 */
export function workerImage(scope: Construct, image: WorkerImage, { architecture, puller }: { readonly architecture: ProcessorArchitecture; readonly puller: IRole }): ContainerImage {
  if (image.kind === 'prebuilt') return prebuilt(image.reference, puller);
  refuseMissing(join(image.directory, image.dockerfile));
  const asset = new DockerImageAsset(scope, 'Image', { directory: image.directory, file: image.dockerfile, buildArgs: { ...image.buildArgs }, platform: ARCHITECTURES[architecture].platform, displayName: 'Holdfast worker' });
  allowPull(puller, asset.repository.repositoryArn);
  return ContainerImage.fromRegistry(asset.imageUri);
}

function prebuilt(reference: string, puller: IRole): ContainerImage {
  if (!BY_DIGEST.test(reference)) throw new HoldfastError('usage', `The worker image is ${reference}, wanted name@sha256:digest: a tag can mean another image tomorrow.`, { nextStep: 'Give the digest: -c image=name@sha256:...' });
  const ecr = ECR.exec(reference)?.groups;
  if (ecr) allowPull(puller, `arn:${ecr['suffix'] === 'amazonaws.com' ? 'aws' : 'aws-cn'}:ecr:${ecr['region']}:${ecr['account']}:repository/${ecr['repository']}`);
  return ContainerImage.fromRegistry(reference);
}

function allowPull(role: IRole, repositoryArn: string): void {
  role.addToPrincipalPolicy(new PolicyStatement({ actions: ['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'], resources: [repositoryArn] }));
  // The login to ECR knows no resources.
  role.addToPrincipalPolicy(new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }));
}

function refuseMissing(dockerfile: string): void {
  if (existsSync(dockerfile)) return;
  throw new HoldfastError('not-found', `There is no ${dockerfile} to build the worker image from.`, { nextStep: 'Run `npm run build`, or give a built image: -c image=name@sha256:...' });
}
