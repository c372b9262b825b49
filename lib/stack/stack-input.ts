import type { ResolvedStack } from '../config/resolved-aws.ts';
import type { DeployedConfig } from '../settings/deployed.ts';

/** One `holdfast.yaml` as the stack needs it, resolved and checked, and as its functions will read it. */
export interface StackInput {
  readonly resolved: ResolvedStack;
  readonly deployed: DeployedConfig;
}

/** Where the code that the stack deploys lies on this machine. */
export interface StackCode {
  /** One folder for each function, with `index.mjs` that exports `handler`: what `scripts/build-functions.mjs` writes. */
  readonly functions: string;
  readonly image: WorkerImage;
}

export type WorkerImage =
  /** Built by `cdk deploy` with Docker. */
  | { readonly kind: 'build'; readonly directory: string; readonly dockerfile: string; readonly buildArgs: Readonly<Record<string, string>> }
  /** `registry/name@sha256:...`: nothing is built here. */
  | { readonly kind: 'prebuilt'; readonly reference: string };

/** Processor of the worker image and of the functions. */
export type ProcessorArchitecture = 'X86_64' | 'ARM64';
