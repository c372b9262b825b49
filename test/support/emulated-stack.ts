import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { initVault } from '../../functions/vault-init/init-vault.ts';
import type { BackupTaskContext } from '../../lib/aws/backup-task.ts';
import { dynamoClient, kmsClient, s3Client } from '../../lib/aws/clients.ts';
import { openCatalog, openLedger } from '../../lib/aws/open-catalog.ts';
import { stackStore } from '../../lib/aws/stack-vault.ts';
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
import { startMinistack } from './servers/ministack.ts';
import type { Ministack } from './servers/ministack.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const STACK = 'shop';
export const PLAN_ID = stackPlanId(STACK, 'files');

/** Where a worker thread's source lies. */
export function entry(path: string): URL {
  return pathToFileURL(join(__dirname, '..', '..', 'lib', path));
}

/** A plan of files below `root`, as a stack deploys it. */
export function planOf(root: string): DeployedPlan {
  return {
    name: 'files', planId: PLAN_ID, vault: 'main', network: 'default', task: { cpu: 1024, memoryMiB: 2048, diskGiB: 21 }, events: [], freshnessHours: 24, startWindowMinutes: 60, maxDurationMinutes: 60,
    source: { type: 'files', paths: [root], include: [], exclude: [], oneFileSystem: false, followSymlinks: false, changeDetection: 'auto', xattrs: false },
    policy: { retention: {}, class: 'hot', encryption: 'aes-256-gcm', compression: { algorithm: 'zstd', level: 3 }, verification: 'full', warningsAreGood: true, minimumSizeBytes: 0, priority: 50 },
  };
}

/** Vaults, key and table of a stack on the emulator, without CloudFormation and containers. */
export class EmulatedStack {
  readonly aws: Ministack;
  readonly s3: S3Client;
  readonly vaults: Readonly<Record<string, VaultPlace>>;
  readonly table: string;
  readonly ledger: RunLedger;
  readonly catalog: Catalog;

  static async start(vaultNames: readonly string[] = ['main']): Promise<EmulatedStack> {
    const aws = await startMinistack();
    const kms = kmsClient(aws.client);
    const s3 = s3Client(aws.client);
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    const vaults: Record<string, VaultPlace> = {};
    for (const name of vaultNames) {
      await s3.send(new CreateBucketCommand({ Bucket: `vault-${name}`, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
      const place = { bucket: `vault-${name}`, prefix: '', keyArn: KeyMetadata?.Arn ?? '' };
      await initVault({ store: stackStore(place, { s3, clock: systemClock }), kms, keyArn: place.keyArn });
      vaults[name] = place;
    }
    const tables = new DynamodbTables(aws);
    const { tableName } = await tables.make();
    tables.close();
    return new EmulatedStack(aws, s3, vaults, tableName);
  }

  private constructor(aws: Ministack, s3: S3Client, vaults: Readonly<Record<string, VaultPlace>>, table: string) {
    this.aws = aws;
    this.s3 = s3;
    this.vaults = vaults;
    this.table = table;
    const dynamo = dynamoClient({ ...aws.client, maxAttempts: 1 });
    this.ledger = openLedger(dynamo, table);
    this.catalog = openCatalog(dynamo, table);
  }

  stop(): Promise<void> {
    return this.aws.stop();
  }

  /** A run of a plan, ready to be claimed by its task. */
  async admitted(plan: DeployedPlan): Promise<RunId> {
    const now = Date.now();
    const runId = newUlid<RunId>(now);
    const key = `${plan.name}/manual/${runId}`;
    await this.ledger.claimOccurrence(
      { key, planName: plan.name, trigger: 'manual', at: now, runId, claimedAt: now },
      { runId, planId: plan.planId as PlanId, planName: plan.name, type: 'incremental', state: 'queued', queuedAt: now, host: STACK, vault: plan.vault, occurrence: key, rank: now, notBefore: now, startBy: now + 60_000, attempts: 0, fence: 0, order: JSON.stringify(plan), configHash: 'h' },
    );
    expect(await this.ledger.admit(runId, { now, leaseUntil: now + 900_000, vaultLimit: 4, planLimit: 1 })).toMatchObject({ isAdmitted: true });
    return runId;
  }

  context(over: Partial<BackupTaskContext> = {}): BackupTaskContext {
    const { vaults, ledger, s3, aws } = this;
    return {
      stackName: STACK, vaults, ledger, s3, kms: kmsClient(aws.client), clock: systemClock, signal: new AbortController().signal,
      scratchFolder: temporaryFolder(), commandEnvironment: { PATH: process.env['PATH'] ?? '' }, resolveSecret: () => Promise.reject(new HoldfastError('missing-key', 'no secret here')),
      crunchEntry: entry('engine/worker.ts'), onEvent: () => undefined, onProgress: () => undefined, onHook: () => undefined, ...over,
    };
  }
}
