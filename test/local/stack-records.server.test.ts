import { RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performBackupTask } from '../../lib/aws/backup-task.ts';
import { ecsClient } from '../../lib/aws/clients.ts';
import type { RunId } from '../../lib/model/ids.ts';
import type { DeployedConfig } from '../../lib/settings/deployed.ts';
import { WORKER_CONTAINER, backupFamily } from '../../lib/settings/ids.ts';
import { EmulatedStack, STACK, planOf } from '../support/emulated-stack.ts';
import { StackDesk } from '../support/stack-desk.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: EmulatedStack;
let desk: StackDesk;
let good: string;
let failed: RunId;

const TASK = 'arn:aws:ecs:eu-central-1:000000000000:task/shop/0123456789abcdef';

beforeAll(async () => {
  stack = await EmulatedStack.start();
  const root = temporaryFolder();
  mkdirSync(join(root, 'photos'));
  writeFileSync(join(root, 'photos', 'one.jpg'), 'not really a picture');
  const plan = { ...planOf(root), schedule: { cron: '0 3 * * *', timeZone: 'Europe/Berlin', offsetMinutes: 0 } };
  desk = await StackDesk.open(stack, await deployed({ version: 1, stackName: STACK, plans: [plan], restoreTargets: [], vaults: [{ name: 'main', maxConcurrentRuns: 4 }] }));
  good = (await performBackupTask(await stack.admitted(plan), stack.context()))?.manifest.backup ?? '';
  failed = await stack.admitted(plan);
  await stack.ledger.noteTask(failed, (await stack.ledger.getLedgerRun(failed))?.fence ?? 0, TASK);
  await fail(failed);
}, 60_000);
afterAll(async () => {
  desk.close();
  await stack.stop();
});

async function deployed(config: DeployedConfig): Promise<string> {
  await stack.s3.send(new CreateBucketCommand({ Bucket: 'assets', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
  await stack.s3.send(new PutObjectCommand({ Bucket: 'assets', Key: 'config.json', Body: JSON.stringify(config) }));
  return 's3://assets/config.json';
}

async function fail(runId: RunId): Promise<void> {
  const run = await stack.ledger.getLedgerRun(runId);
  const error = { code: 'missing-key', message: 'The secret shop/orders-db is not there.', nextStep: 'Make it again.' };
  expect(await stack.ledger.endRun(runId, { to: 'failed', now: Date.now(), expected: { state: 'starting', fence: run?.fence ?? 0 }, error })).toBe(true);
  await stack.ledger.openAlert({ alertId: `backup-failed/${runId}`, kind: 'backup-failed', severity: 'high', state: 'open', title: 'Backup of files failed', message: error.message, nextStep: error.nextStep, planName: 'files', runId, openedAt: Date.now() });
}

const ON = ['--aws', STACK];

describe('what a stack has done and will do, from the command line', () => {
  it('lists its runs without opening a vault: the good with its backup, the failed with its next step', async () => {
    const { code, json } = await desk.run('runs', ...ON, '--json');
    expect(json).toMatchObject([
      { run: failed, state: 'failed', vault: 'main', trigger: 'manual', taskArn: TASK, error: { code: 'missing-key', nextStep: 'Make it again.' } },
      { state: 'completed', backup: good, silent: false },
    ]);
    expect(code).toBe(0);
    expect((await desk.run('runs', ...ON, '--state', 'failed')).out).toContain('  missing-key The secret shop/orders-db is not there.\n  Next: Make it again.\n');
  });

  it('shows one run with the log group of its task definition, and without one says why it is not known', async () => {
    const family = backupFamily(STACK, 'files');
    const { json: [before] } = await desk.run('runs', 'show', failed, ...ON, '--json');
    expect(before?.['log']).toEqual({ logStream: `${family}/worker/0123456789abcdef`, problem: expect.stringContaining(`The task definition ${family} could not be read`) });
    await ecsClient(stack.aws.client).send(new RegisterTaskDefinitionCommand({
      family, containerDefinitions: [{ name: WORKER_CONTAINER, image: 'worker', memory: 128, logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-group': 'shop-tasks', 'awslogs-stream-prefix': family } } }],
    }));
    const { out } = await desk.run('runs', 'show', failed, ...ON);
    expect(out).toContain(`task           ${TASK}\n`);
    expect(out).toContain(`--log-group-name shop-tasks --log-stream-name ${family}/worker/0123456789abcdef `);
  });

  it('has an open alert and says so by its exit code, until it is resolved (M3)', async () => {
    const open = await desk.run('alerts', ...ON);
    expect(open.out).toContain('The secret shop/orders-db is not there.\n  Next: Make it again.\n');
    expect(open.code).toBe(3);
    await stack.ledger.resolveAlert(`backup-failed/${failed}`, Date.now());
    expect(await desk.run('alerts', ...ON)).toMatchObject({ code: 0, out: 'No alert is open.\n' });
    expect((await desk.run('alerts', ...ON, '--all', '--json')).json).toMatchObject([{ state: 'resolved', run: failed }]);
  });

  it('knows from the deployed configuration when plans run next, pauses and resumes them (P6)', async () => {
    const [plan] = (await desk.run('schedules', ...ON, '--json')).json;
    expect(plan).toMatchObject({ plan: 'files', schedule: { cron: '0 3 * * *', timeZone: 'Europe/Berlin' }, lastGood: { backup: good }, isFresh: true, paused: null });
    expect(plan?.['next']).toHaveLength(3);
    expect((await desk.run('schedules', 'pause', 'files', ...ON)).out).toMatch(/^Paused files, as somebody\.\n/);
    expect(await stack.ledger.pauses()).toEqual([{ planName: 'files', at: expect.any(Number), by: 'somebody' }]);
    expect((await desk.run('schedules', ...ON)).out).toContain('by somebody. It makes no backups');
    expect((await desk.run('schedules', 'resume', 'files', ...ON)).code).toBe(0);
    expect(await stack.ledger.pauses()).toEqual([]);
    expect((await desk.run('schedules', 'pause', 'fliles', ...ON)).err).toContain('Did you mean files?');
  });

  it('lists its restores (R3)', async () => {
    await stack.catalog.recordRestore({ restoreId: 'one', backupId: (await stack.catalog.latestBackup('files'))?.backupId as never, target: 'files-copy', state: 'completed', startedAt: 1, finishedAt: 2000, files: 1, bytes: 20, stages: [{ name: 'checked', state: 'done', startedAt: 1, finishedAt: 1000 }] });
    expect((await desk.run('restores', ...ON, '--json')).json).toMatchObject([{ restore: 'one', backup: good, stages: [{ name: 'checked', state: 'done' }] }]);
  });
});
