import { CloudFormationClient, CreateStackCommand } from '@aws-sdk/client-cloudformation';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { performBackupTask } from '../../lib/aws/backup-task.ts';
import { runCli } from '../../lib/cli/main.ts';
import { StackRuntime } from '../../lib/local/stack-runtime.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { STACK_OUTPUTS } from '../../lib/settings/outputs.ts';
import { stackPlanId } from '../../lib/settings/ids.ts';
import { EmulatedStack, STACK, entry, planOf } from '../support/emulated-stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const VARIABLES = ['AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));

let stack: EmulatedStack;
let root: string;
let backups: string[];

beforeAll(async () => {
  stack = await EmulatedStack.start(['main', 'second']);
  const { endpoint, region, credentials } = stack.aws.client;
  Object.assign(process.env, { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey });
  await deployOutputs();
  root = temporaryFolder();
  mkdirSync(join(root, 'photos'));
  writeFileSync(join(root, 'photos', 'one.jpg'), 'not really a picture');
  const other = { ...planOf(root), name: 'other', planId: stackPlanId(STACK, 'other'), vault: 'second' };
  backups = [];
  for (const plan of [planOf(root), other]) backups.push((await performBackupTask(await stack.admitted(plan), stack.context()))?.manifest.backup ?? '');
}, 60_000);
afterAll(async () => {
  for (const [name, value] of Object.entries(before)) if (value === undefined) delete process.env[name]; else process.env[name] = value;
  await stack.stop();
});

/** The outputs of a stack, by CloudFormation; what they name was made by hand. */
async function deployOutputs(): Promise<void> {
  const outputs = { table: stack.table, vaults: JSON.stringify(stack.vaults), configUrl: 's3://assets/config.json', dispatch: 'dispatch', restoreWorkflow: 'arn:aws:states:eu-central-1:000000000000:stateMachine:restore', topic: 'arn:aws:sns:eu-central-1:000000000000:alerts' };
  const template = {
    Resources: { Nothing: { Type: 'AWS::SSM::Parameter', Properties: { Type: 'String', Value: 'nothing' } } },
    Outputs: Object.fromEntries(Object.entries(outputs).map(([key, Value]) => [STACK_OUTPUTS[key as keyof typeof outputs], { Value }])),
  };
  await new CloudFormationClient(stack.aws.client).send(new CreateStackCommand({ StackName: STACK, TemplateBody: JSON.stringify(template) }));
}

async function holdfast(...args: string[]): Promise<{ code: number; out: string; err: string; json: Record<string, unknown>[] }> {
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

const ON = ['--aws', STACK, '--vault', 'main'];

describe('the command line with a deployed stack (--aws)', () => {
  it('lists what the catalog knows of a vault', async () => {
    const { code, json } = await holdfast('list', ...ON, '--json');
    expect(json.map(({ backup, planName, vault }) => [backup, planName, vault])).toEqual([[backups[0], 'files', 'main']]);
    expect(code).toBe(0);
  });

  it('of several vaults wants one by name, and says which there are', async () => {
    const { code, err } = await holdfast('list', '--aws', STACK);
    expect(err).toContain('The stack shop has 2 vaults (main, second), wanted one of them by name.');
    expect(code).toBe(2);
  });

  it('shows, lists entries and restores with the rights of the caller', async () => {
    expect((await holdfast('show', 'latest:files', ...ON, '--json')).json[0]).toMatchObject({ backup: backups[0], planName: 'files' });
    expect((await holdfast('ls', backups[0] ?? '', 'photos', ...ON)).out).toContain('one.jpg');
    const target = join(temporaryFolder(), 'back');
    expect((await holdfast('restore', 'latest:files', ...ON, '--to', target)).code).toBe(0);
    expect(readFileSync(join(target, 'photos', 'one.jpg'), 'utf8')).toBe('not really a picture');
  });

  it('verifies from outside, and the catalog knows (V5)', async () => {
    expect((await holdfast('verify', 'latest:files', ...ON, '--level', 'full')).code).toBe(0);
    expect((await stack.catalog.getBackup(backups[0] ?? '')).state).toBe('validated');
  });

  it('examines the vault of the stack, its keys in KMS and its bucket', async () => {
    const { json } = await holdfast('doctor', ...ON, '--json');
    const ofStack = json.filter(({ area }) => ['vault', 'key', 'store'].includes(String(area)));
    expect(ofStack.filter(({ result }) => result !== 'ok')).toEqual([]);
    expect(ofStack).toHaveLength(12);
    expect(ofStack[1]?.['seen']).toMatch(/^KMS key .* named by the stack shop: opens everything$/);
  });

  it('rebuilds the catalog from all vaults, whichever is named', async () => {
    await stack.catalog.replaceAll({ plans: [], backups: [], validations: [] });
    const { code, out } = await holdfast('catalog', 'rebuild', ...ON);
    expect(out).toContain('2 backups of 2 plans');
    expect(code).toBe(0);
    const { backups: found } = await stack.catalog.listBackups();
    expect(found.map(({ backupId, vault }) => `${vault} ${backupId}`).sort()).toEqual([`main ${backups[0]}`, `second ${backups[1]}`]);
  });

  it.each([
    ['a stack that is not there', ['list', '--aws', 'nowhere'], 'No stack nowhere is in this account and region.', 1],
    ['a vault that is not there', ['list', '--aws', STACK, '--vault', 'third'], 'The stack shop has no vault third (main, second)', 2],
    ['a backup that is not there', ['show', '01KZZZ', ...ON], '01KZZZ', 1],
    ['options of this machine', ['backup', 'files', ...ON, '--class', 'warm'], '--class cannot be used with --aws', 2],
    ['no plan', ['backup', ...ON], '0 plans were named, wanted one plan of the stack shop.', 2],
  ])('refuses %s in words', async (_what, args, message, exitCode) => {
    const { code, err } = await holdfast(...args);
    expect(err).toContain(message);
    expect(code).toBe(exitCode);
  });
});
