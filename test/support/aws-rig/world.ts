import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, DeleteMessageCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { openCatalog, openLedger } from '../../../lib/aws/open-catalog.ts';
import type { Catalog } from '../../../lib/catalog/catalog.ts';
import type { RunLedger } from '../../../lib/catalog/run-ledger.ts';
import { startPostgres } from '../servers/postgres.ts';
import type { PostgresServer } from '../servers/postgres.ts';
import { FILES_FROM, FILES_TO, SECRETS, STACK, exampleConfig } from './example-config.ts';
import type { ExampleOptions } from './example-config.ts';
import { newestLogs } from './logs.ts';
import { startRig } from './rig.ts';
import type { Deployed, Rig } from './rig.ts';

/** What the stack of `exampleConfig` lives in: AWS, a database, a file system, and somebody who listens to its alerts. */
export interface World {
  readonly rig: Rig;
  readonly deployed: Deployed;
  readonly postgres: PostgresServer;
  /** Outputs of the stack. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly catalog: Catalog;
  readonly ledger: RunLedger;
  /** Folders that the tasks see through what stands in for EFS. */
  readonly files: { readonly from: string; readonly to: string };
  /** Texts that came to the topic since the last call, as e-mail would bring them. */
  alerts(): Promise<string[]>;
  /** Bodies that came to the Slack webhook so far. */
  readonly slack: readonly string[];
  /** The program, with `--aws` of this stack where the caller says so. */
  holdfast(args: readonly string[]): Promise<Said>;
  /** Of tasks and functions. */
  logs(): Promise<string>;
  stop(): Promise<void>;
}

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WorldOptions extends Omit<ExampleOptions, 'port'> {
  /** Of the checkout. */
  readonly root: string;
  /** As `startRig` takes it. */
  readonly isEnforced?: boolean;
  /** Folder with the bundles; what `npm run build` wrote. */
  readonly bundles?: string | undefined;
  /** Further passwords: name of the secret to what it holds. */
  readonly moreSecrets?: Readonly<Record<string, string>>;
  /** Fills the database and the folder of files before anything is deployed: schedules fire at once. */
  readonly prepare?: (place: { readonly postgres: PostgresServer; readonly files: string }) => Promise<void>;
  /** Says what is going on. */
  readonly tell?: (line: string) => void;
}

export async function startWorld(options: WorldOptions): Promise<World> {
  const { root, bundles = join(root, 'dist'), tell = () => undefined } = options;
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  };
  try {
    const slack = await listenAsSlack();
    undo.push(slack.stop);
    let postgres: PostgresServer | undefined;
    const rig = await startRig({ root, isEnforced: options.isEnforced, app: async ({ folder, hostAddress, guardian }) => {
      postgres = await startPostgres({ version: 15, listen: [hostAddress] });
      guardian.overProcess(postgres.pid);
      undo.push(postgres.stop);
      const config = join(folder, 'holdfast.yaml');
      writeFileSync(config, exampleConfig({ ...options, port: postgres.port }));
      return { command: 'node --no-warnings bin/app.ts', context: [`config=${config}`, `stack=${STACK}`, `worker=${bundles}`, 'termination-protection=no', 'nag=no', 'postgresql-client=debian'] };
    } });
    undo.push(rig.stop);
    if (!postgres) throw new Error('the rig came up without the app');
    tell(`emulator at ${rig.emulator.endpoint}, containers reach it at ${rig.hostAddress}`);
    await makeSecrets(rig, { ...options.moreSecrets, [SECRETS.database]: postgres.password }, slack.url);
    await options.prepare?.({ postgres, files: rig.fileSystem(FILES_FROM) });
    const deployed = await rig.deploy();
    tell(`deployed in ${deployed.seconds.toFixed(1)} s; applied after it: ${deployed.applied.join('; ')}`);
    return { ...(await look(rig, deployed, { root, bundles })), postgres, slack: slack.bodies, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function look(rig: Rig, deployed: Deployed, { root, bundles }: { readonly root: string; readonly bundles: string }): Promise<Omit<World, 'postgres' | 'slack' | 'stop'>> {
  const outputs = deployed.outputs[STACK] ?? {};
  const dynamo = new DynamoDBClient(rig.emulator.client);
  const table = outputs['HoldfastTable'] as string;
  const home = join(rig.folder, 'person');
  mkdirSync(home, { recursive: true });
  const environment = { ...rig.emulator.environment, HOME: home, PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`, TZ: 'UTC' };
  return {
    rig, deployed, outputs,
    catalog: openCatalog(dynamo, table),
    ledger: openLedger(dynamo, table),
    files: { from: rig.fileSystem(FILES_FROM), to: rig.fileSystem(FILES_TO) },
    alerts: await listenToTopic(rig, outputs['HoldfastTopic'] as string),
    holdfast: (args) => program(join(bundles, 'holdfast.mjs'), args, { cwd: home, env: environment }),
    logs: () => newestLogs(rig.emulator),
  };
}

async function makeSecrets(rig: Rig, passwords: Readonly<Record<string, string>>, slackUrl: string): Promise<void> {
  const client = new SecretsManagerClient(rig.emulator.client);
  for (const [Name, password] of Object.entries(passwords)) await client.send(new CreateSecretCommand({ Name, SecretString: JSON.stringify({ password }) }));
  await client.send(new CreateSecretCommand({ Name: SECRETS.slack, SecretString: slackUrl }));
}

/** A queue on the same topic: the emulator does not show the text of e-mails. */
async function listenToTopic(rig: Rig, topic: string): Promise<() => Promise<string[]>> {
  const sqs = new SQSClient(rig.emulator.client);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'listener' }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  await new SNSClient(rig.emulator.client).send(new SubscribeCommand({ TopicArn: topic, Protocol: 'sqs', Endpoint: Attributes?.['QueueArn'] }));
  return async () => {
    const texts: string[] = [];
    for (;;) {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
      if (Messages.length === 0) return texts;
      for (const { Body = '{}', ReceiptHandle } of Messages) {
        texts.push((JSON.parse(Body) as { Message: string }).Message);
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      }
    }
  };
}

async function listenAsSlack() {
  const bodies: string[] = [];
  const server = createServer((request, answer) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      bodies.push(body);
      answer.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T000/B000/XXXX`, stop };
}

function program(path: string, args: readonly string[], { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn('node', ['--no-warnings', path, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...said }));
  });
}
