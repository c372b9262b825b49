import { CloudFormationClient, CreateStackCommand } from '@aws-sdk/client-cloudformation';
import { PassThrough } from 'node:stream';
import { runCli } from '../../lib/cli/main.ts';
import { StackRuntime } from '../../lib/local/stack-runtime.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { STACK_OUTPUTS } from '../../lib/settings/outputs.ts';
import { STACK, entry } from './emulated-stack.ts';
import type { EmulatedStack } from './emulated-stack.ts';
import { temporaryFolder } from './temporary-folder.ts';

const VARIABLES = ['AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

export interface RanOnStack {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly json: Record<string, unknown>[];
}

/** The command line with `--aws` on an emulated stack, whose outputs CloudFormation names; what they name was made by hand. */
export class StackDesk {
  readonly #before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));

  static async open(stack: EmulatedStack, configUrl = 's3://assets/config.json'): Promise<StackDesk> {
    const desk = new StackDesk();
    const { endpoint, region, credentials } = stack.aws.client;
    Object.assign(process.env, { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey });
    const outputs = { table: stack.table, vaults: JSON.stringify(stack.vaults), configUrl, dispatch: 'dispatch', restoreWorkflow: 'arn:aws:states:eu-central-1:000000000000:stateMachine:restore', topic: 'arn:aws:sns:eu-central-1:000000000000:alerts' };
    const template = {
      Resources: { Nothing: { Type: 'AWS::SSM::Parameter', Properties: { Type: 'String', Value: 'nothing' } } },
      Outputs: Object.fromEntries(Object.entries(outputs).map(([key, Value]) => [STACK_OUTPUTS[key as keyof typeof outputs], { Value }])),
    };
    await new CloudFormationClient(stack.aws.client).send(new CreateStackCommand({ StackName: STACK, TemplateBody: JSON.stringify(template) }));
    return desk;
  }

  async run(...args: readonly string[]): Promise<RanOnStack> {
    const home = temporaryFolder();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const environment = { variables: { ...process.env }, home, workingFolder: home, temporaryFolder: home };
    const workers = { crunch: entry('engine/worker.ts'), restore: entry('recovery/worker.ts'), verify: entry('validation/worker.ts') };
    const code = await runCli(args, {
      version: '0', stdout, stderr, clock: systemClock, environment: environment.variables, workingFolder: home, userName: 'somebody', signal: new AbortController().signal, stdin: new PassThrough(),
      loadRuntime: async (stackName = '') => new StackRuntime({ environment, clock: systemClock, workers }, stackName),
    });
    const text = (stream: PassThrough) => String(stream.read() ?? '');
    const out = text(stdout);
    return { code, out, err: text(stderr), json: out.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>) };
  }

  /** Puts the environment back. */
  close(): void {
    for (const [name, value] of Object.entries(this.#before)) if (value === undefined) delete process.env[name]; else process.env[name] = value;
  }
}
