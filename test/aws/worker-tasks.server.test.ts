import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { initVault } from '../../functions/vault-init/init-vault.ts';
import { performBackupTask } from '../../lib/aws/backup-task.ts';
import type { BackupTaskContext } from '../../lib/aws/backup-task.ts';
import { dynamoClient, kmsClient, s3Client } from '../../lib/aws/clients.ts';
import { openCatalog, openLedger } from '../../lib/aws/open-catalog.ts';
import { performRestoreTask } from '../../lib/aws/restore-task.ts';
import { compareTrees } from '../../lib/recovery/compare-trees.ts';
import { stackStore } from '../../lib/aws/stack-vault.ts';
import { performVerifyTask } from '../../lib/aws/verify-task.ts';
import type { Catalog } from '../../lib/catalog/catalog.ts';
import type { RunLedger } from '../../lib/catalog/run-ledger.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { newUlid } from '../../lib/model/ids.ts';
import type { PlanId, RunId } from '../../lib/model/ids.ts';
import type { DeployedPlan } from '../../lib/settings/deployed.ts';
import { stackPlanId } from '../../lib/settings/ids.ts';
import type { VaultPlace } from '../../lib/settings/variables.ts';
import { DynamodbTables } from '../catalog/dynamodb-tables.ts';
import { startFaultProxy } from '../support/servers/fault-proxy.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const STACK = 'shop';
const PLAN_ID = stackPlanId(STACK, 'files');
const sources = join(__dirname, '..', '..', 'lib');
const entry = (path: string) => pathToFileURL(join(sources, path));

let aws: Ministack;
let place: VaultPlace;
let ledger: RunLedger;
let catalog: Catalog;
let s3: S3Client;

beforeAll(async () => {
  aws = await startMinistack();
  s3 = s3Client(aws.client);
  const kms = kmsClient(aws.client);
  await s3.send(new CreateBucketCommand({ Bucket: 'vault', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
  place = { bucket: 'vault', prefix: '', keyArn: KeyMetadata?.Arn ?? '' };
  await initVault({ store: stackStore(place, { s3, clock: systemClock }), kms, keyArn: place.keyArn });
  const tables = new DynamodbTables(aws);
  const { tableName } = await tables.make();
  tables.close();
  const dynamo = dynamoClient({ ...aws.client, maxAttempts: 1 });
  [ledger, catalog] = [openLedger(dynamo, tableName), openCatalog(dynamo, tableName)];
}, 60_000);
afterAll(() => aws.stop());

function planOf(root: string): DeployedPlan {
  return {
    name: 'files', planId: PLAN_ID, vault: 'main', network: 'default', task: { cpu: 1024, memoryMiB: 2048, diskGiB: 21 }, events: [], freshnessHours: 24, startWindowMinutes: 60, maxDurationMinutes: 60,
    source: { type: 'files', paths: [root], include: [], exclude: [], oneFileSystem: false, followSymlinks: false, changeDetection: 'auto', xattrs: false },
    policy: { retention: {}, class: 'hot', encryption: 'aes-256-gcm', compression: { algorithm: 'zstd', level: 3 }, verification: 'full', warningsAreGood: true, minimumSizeBytes: 0, priority: 50 },
  };
}

async function admitted(plan: DeployedPlan): Promise<RunId> {
  const now = Date.now();
  const runId = newUlid<RunId>(now);
  const key = `files/manual/${runId}`;
  await ledger.claimOccurrence(
    { key, planName: 'files', trigger: 'manual', at: now, runId, claimedAt: now },
    { runId, planId: PLAN_ID as PlanId, planName: 'files', type: 'incremental', state: 'queued', queuedAt: now, host: STACK, vault: 'main', occurrence: key, rank: now, notBefore: now, startBy: now + 60_000, attempts: 0, fence: 0, order: JSON.stringify(plan), configHash: 'h' },
  );
  expect(await ledger.admit(runId, { now, leaseUntil: now + 900_000, vaultLimit: 4, planLimit: 1 })).toMatchObject({ isAdmitted: true });
  return runId;
}

function context(over: Partial<BackupTaskContext> = {}): BackupTaskContext {
  return {
    stackName: STACK, vaults: { main: place }, ledger, s3, kms: kmsClient(aws.client), clock: systemClock, signal: new AbortController().signal,
    scratchFolder: temporaryFolder(), commandEnvironment: { PATH: process.env['PATH'] ?? '' }, resolveSecret: () => Promise.reject(new HoldfastError('missing-key', 'no secret here')),
    crunchEntry: entry('engine/worker.ts'), onEvent: () => undefined, onProgress: () => undefined, ...over,
  };
}

function tree(): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'media'));
  for (let index = 0; index < 30; index++) writeFileSync(join(root, 'media', `file-${index}`), randomBytes(40_000));
  writeFileSync(join(root, 'media', 'canary'), 'the plain words of nobody else'.repeat(100));
  return root;
}

async function storedObjects(): Promise<Map<string, Buffer>> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: 'vault' }));
  const bodies = await Promise.all(Contents.map(async ({ Key = '' }) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'vault', Key }));
    return [Key, Buffer.from((await Body?.transformToByteArray()) ?? [])] as const;
  }));
  return new Map(bodies);
}

describe("the worker's tasks on the emulator", () => {
  it('back up, store only the difference, restore what was backed up and read it back', async () => {
    const root = tree();
    const plan = planOf(root);
    const first = await performBackupTask(await admitted(plan), context());
    expect(first?.statistics.files).toBe(31);
    for (const [name, body] of await storedObjects()) expect([name, body.includes('the plain words')]).toEqual([name, false]);

    writeFileSync(join(root, 'media', 'file-3'), randomBytes(40_000));
    const runId = await admitted(plan);
    const second = await performBackupTask(runId, context());
    expect(second?.statistics.storedBytes).toBeLessThan((first?.statistics.storedBytes ?? 0) / 4);
    expect(await ledger.getLedgerRun(runId)).toMatchObject({ state: 'completed', backupId: second?.manifest.backup });
    expect((await catalog.listBackups({ plan: 'files' })).backups.map(({ backupId, sequence, vault }) => [backupId, sequence, vault])).toEqual([[second?.manifest.backup, 2, 'main'], [first?.manifest.backup, 1, 'main']]);

    const target = join(temporaryFolder(), 'restored');
    const backupId = second!.manifest.backup as never;
    await catalog.recordRestore({ restoreId: 'R1', backupId, target: 'scratch', state: 'running', startedAt: 1, files: 0, bytes: 0, stages: [] });
    const restored = await performRestoreTask(
      { restoreId: 'R1', backupId, planId: PLAN_ID, planName: 'files', vault: 'main', targetName: 'scratch', target: { type: 'directory', path: target, mounts: [] }, select: [] },
      { ...context(), catalog, restoreEntry: entry('recovery/worker.ts'), heartbeat: async () => true, onTrouble: (error) => { throw error; } },
    );
    expect(restored).toMatchObject({ state: 'completed', files: 31 });
    expect(readFileSync(join(target, 'media', 'canary'))).toEqual(readFileSync(join(root, 'media', 'canary')));
    expect(compareTrees(root, target)).toMatchObject({ files: 31, differences: [] });
    expect((await catalog.listRestores({ backupId }))[0]?.stages).toMatchObject([{ name: 'restored', state: 'done' }, { name: 'validated', state: 'done' }]);

    const verified = await performVerifyTask({ backupId, planId: PLAN_ID, planName: 'files', vault: 'main', level: 'full' }, { ...context(), catalog, verifyEntry: entry('validation/worker.ts'), onProgress: () => undefined });
    expect(verified.state).toBe('validated');
    expect((await catalog.getBackup(backupId)).state).toBe('validated');
    expect(await catalog.lastValidation(backupId)).toMatchObject({ level: 'full', result: 'good' });
  });

  it('a few calls of KMS serve a whole run (K1)', async () => {
    const kms = kmsClient(aws.client);
    const calls: string[] = [];
    kms.middlewareStack.add((next, { commandName }) => (args) => { calls.push(String(commandName)); return next(args); }, { step: 'initialize' });
    await performBackupTask(await admitted(planOf(tree())), context({ kms }));
    expect(calls).toEqual(['DecryptCommand']);
  });

  it('every third call of S3 fails or loses its answer, and catalog and vault agree (K7)', async () => {
    const proxy = await startFaultProxy(aws.endpoint, [
      { effect: { kind: 'answer', status: 503, body: '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>' }, every: 6 },
      { effect: { kind: 'lost-response' }, every: 3 },
    ]);
    try {
      const faulty = s3Client({ ...aws.client, endpoint: proxy.endpoint, maxAttempts: 1 });
      const root = tree();
      const impatient = { ...systemClock, sleep: async (milliseconds: number, signal?: AbortSignal) => systemClock.sleep(Math.min(milliseconds, 5), signal) };
      const runId = await admitted(planOf(root));
      const outcome = await performBackupTask(runId, context({ s3: faulty, clock: impatient, heartbeatMs: 1000 }));
      expect(await ledger.getLedgerRun(runId)).toMatchObject({ state: 'completed', backupId: outcome?.manifest.backup });
      const { state } = await performVerifyTask({ backupId: outcome!.manifest.backup as never, planId: PLAN_ID, planName: 'files', vault: 'main', level: 'full' }, { ...context(), catalog, verifyEntry: entry('validation/worker.ts'), onProgress: () => undefined });
      expect(state).toBe('validated');
      expect(proxy.calls.filter(({ effect }) => effect !== undefined).length).toBeGreaterThan(5);
    } finally {
      await proxy.stop();
    }
  });
});
