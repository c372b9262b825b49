import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { HoldfastError } from '../model/errors.ts';
import type { ProcessorArchitecture } from './stack-input.ts';

export interface DeployedFunctionProps {
  /** Folder below `functions/`. */
  readonly name: string;
  /** Where all functions lie, bundled. */
  readonly functions: string;
  readonly architecture: ProcessorArchitecture;
  readonly description: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeout: Duration;
  readonly memoryMiB?: number;
  /** Where an event goes that failed three times; for functions that others start without waiting. */
  readonly failures?: IQueue;
}

/** One Lambda function with a role that can only write its own log, which is kept for three months. */
export class DeployedFunction extends Construct {
  readonly function: Function;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: DeployedFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com'), description: `Holdfast: ${props.description}` });
    logGroup.grantWrite(this.role);
    this.function = new Function(this, 'Function', {
      description: `Holdfast: ${props.description}`,
      code: Code.fromAsset(bundleOf(props)),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: props.architecture === 'ARM64' ? Architecture.ARM_64 : Architecture.X86_64,
      memorySize: props.memoryMiB ?? 512,
      timeout: props.timeout,
      environment: { NODE_OPTIONS: '--enable-source-maps', ...props.environment },
      role: this.role,
      logGroup,
      retryAttempts: 2,
      ...(props.failures && { onFailure: new SqsDestination(props.failures) }),
    });
  }
}

function bundleOf({ name, functions }: DeployedFunctionProps): string {
  const folder = join(functions, name);
  if (existsSync(folder)) return folder;
  throw new HoldfastError('not-found', `The bundle of function ${name} is not at ${folder}, wanted a folder with index.mjs.`, { nextStep: 'Run scripts/build-functions.mjs, or leave out `-c functions=...` so that synth does.' });
}
