import type { KMSClient } from '@aws-sdk/client-kms';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SNSClient } from '@aws-sdk/client-sns';
import { ListSubscriptionsByTopicCommand } from '@aws-sdk/client-sns';
import type { Catalog } from '../catalog/catalog.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { newUlid } from '../model/ids.ts';
import type { RunId } from '../model/ids.ts';
import type { AlertPublisher } from '../monitoring/tell.ts';
import type { Channel } from '../notify/channel.ts';
import { listKeptNotes } from '../repository/index.ts';
import type { DispatchPorts } from '../scheduling/dispatch.ts';
import { vaultGone } from '../scheduling/judge.ts';
import type { MonitorPorts } from '../scheduling/monitor.ts';
import type { SnapshotLook } from '../scheduling/reconcile.ts';
import type { TaskLauncher } from '../scheduling/task-launcher.ts';
import type { VaultPlaces } from '../settings/variables.ts';
import { committedBackup } from '../validation/committed-backup.ts';
import { fromAwsError } from './aws-error.ts';
import type { ReadConfig } from './deployed-config.ts';
import type { FunctionContext } from './function-context.ts';
import { openStackVault, placeOf, stackStore } from './stack-vault.ts';

/** By the sizes of so many backups a task's size is chosen. */
const SIZED_BY = 5;

export interface ControlParts {
  readonly stackName: string;
  readonly ledger: RunLedger;
  readonly catalog: Catalog;
  readonly launcher: TaskLauncher;
  readonly deployed: ReadConfig;
}

/** What turning a trigger into a run takes, for dispatch and for the monitor that makes up for it. */
export function dispatchPorts({ stackName, ledger, catalog, launcher, deployed: { config, hash } }: ControlParts, { clock, writeLine }: FunctionContext): DispatchPorts & { readonly ledger: RunLedger; readonly launcher: TaskLauncher } {
  return {
    stackName, ledger, launcher, writeLine,
    plans: config.plans,
    configHash: hash,
    vaultLimit: (name) => config.vaults.find((vault) => vault.name === name)?.maxConcurrentRuns ?? 1,
    retiredPlans: async () => (await catalog.listPlans()).filter(({ state }) => state === 'retired').map(({ name }) => name),
    lastBackups: async (plan) => (await catalog.listBackups({ plan, limit: SIZED_BY })).backups,
    newRunId: (now) => newUlid<RunId>(now),
    now: () => clock.now(),
    random: Math.random,
  };
}

export interface VaultLook {
  readonly vaults: VaultPlaces;
  readonly s3: () => S3Client;
  readonly kms: () => KMSClient;
}

/**
 * Looks whether a run's commit has arrived: its snapshot, opened with the metadata key. The record that a completed run
 * is ended with is made from the manifest, never from what somebody says. A vault that is no longer deployed cannot be
 * looked at: which is answered, so that the run ends and the monitor does not fail for ever.
 */
export function snapshotLook({ vaults, s3, kms }: VaultLook, { clock }: Pick<FunctionContext, 'clock'>): SnapshotLook {
  return async (run) => {
    const { vault, planId, backupId } = run;
    if (backupId === undefined) return undefined;
    if (vaults[vault] === undefined) return vaultGone(run);
    const { repository } = await openStackVault(placeOf(vault, vaults), { s3: s3(), kms: kms(), clock }, 'meta');
    const backup = await committedBackup(repository, { planId, backupId });
    return backup && { ...backup, vault };
  };
}

/**
 * When all WAL of a plan was last known to be kept, from the names of its notes alone: no key, no right but to list. One
 * request of what a quarter of an hour holds.
 */
export function walKeptLook({ vaults, s3 }: Omit<VaultLook, 'kms'>, { clock }: Pick<FunctionContext, 'clock'>): MonitorPorts['walKeptAt'] {
  return async ({ vault, planId }, since) => {
    const notes = await listKeptNotes(stackStore(placeOf(vault, vaults), { s3: s3(), clock }), planId, since);
    return notes.length === 0 ? undefined : Math.max(...notes.map(({ storedAt }) => storedAt));
  };
}

/** The topic as alerts are told to it. */
export function publisherTo(topic: Channel): AlertPublisher {
  return { publish: (alert) => topic.send(alert) };
}

/**
 * Addresses of the topic that nobody has confirmed. A topic that was brought may not let us look: that is logged, and
 * its owner's matter.
 */
export function unconfirmedOf(topicArn: string, client: () => Pick<SNSClient, 'send'>, { log }: FunctionContext): () => Promise<readonly string[]> {
  return async () => {
    const unconfirmed: string[] = [];
    for (let next: string | undefined, isFirst = true; isFirst || next !== undefined; isFirst = false) {
      const page = await client().send(new ListSubscriptionsByTopicCommand({ TopicArn: topicArn, NextToken: next })).catch((cause: unknown) => {
        const error = fromAwsError(cause, `The subscriptions of ${topicArn} could not be listed`);
        if (error.code !== 'permission') throw error;
        log.warn({ event: 'subscriptions-unknown', code: error.code }, error.message);
        return { Subscriptions: [], NextToken: undefined };
      });
      unconfirmed.push(...(page.Subscriptions ?? []).filter(({ SubscriptionArn }) => SubscriptionArn === 'PendingConfirmation').map(({ Protocol, Endpoint }) => `${Protocol} ${Endpoint}`));
      next = page.NextToken;
    }
    return unconfirmed;
  };
}
