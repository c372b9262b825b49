import type { Catalog } from '../catalog/catalog.ts';
import type { BackupRecord } from '../catalog/records.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { HoldfastError } from '../model/errors.ts';
import type { BackupId, PlanId } from '../model/ids.ts';
import { corruptionAlert } from '../monitoring/alerts.ts';
import { tellAlert } from '../monitoring/tell.ts';
import type { TellPorts } from '../monitoring/tell.ts';
import type { Launched, NoCapacity } from './task-launcher.ts';
import type { PinnedPlan } from './pinned-plan.ts';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
/** Older backups are the business of the coverage clock. */
const LOOK_BACK = 7 * DAY;
const NEWEST = 500;
/** A read-back that gave no answer is begun again this long after its backup, once a day. */
const AGAIN_WITHIN = 10 * 60_000;

/** A plan with what its policy wants to be read back (V4). */
export interface ReadBackPlan extends PinnedPlan {
  readonly policy: PinnedPlan['policy'] & { readonly verification: 'none' | 'structure' | 'sample' | 'full' };
}

/** One backup to be read back by a task that is not the one that wrote it. */
export interface ReadBackOrder {
  readonly backupId: BackupId;
  readonly planId: PlanId;
  readonly planName: string;
  readonly vault: string;
  readonly level: 'structure' | 'sample' | 'full';
  readonly network: string;
  /** The same for the same attempt: a second start is the same task. At most 64 characters. */
  readonly token: string;
}

export interface ReadBackPorts extends TellPorts {
  readonly catalog: Pick<Catalog, 'listBackups' | 'setBackupState'>;
  readonly plans: readonly ReadBackPlan[];
  readonly startReadBack: (order: ReadBackOrder) => Promise<Launched | NoCapacity>;
}

export interface ReadBackReport {
  readonly started: readonly BackupId[];
  /** Alerts that were opened about backups that did not read back. */
  readonly opened: readonly string[];
}

/**
 * Starts the read-back of new backups whose plan wants one, and tells of those that did not pass. Callable at any time
 * and by two at once: the state of the backup lets one through, the token makes a second start the same task. Without
 * capacity the backup waits for the next call; a task that died without an answer is begun again a day later. One that
 * cannot be started keeps no other from it; the first such failure is thrown at the end.
 */
export async function readBackNew(ports: ReadBackPorts): Promise<ReadBackReport> {
  const started: BackupId[] = [];
  const since = ports.now() - LOOK_BACK;
  const { backups } = await ports.catalog.listBackups({ states: ['completed', 'validating'], limit: NEWEST });
  const errors: HoldfastError[] = [];
  for (const backup of backups) {
    const order = backup.finishedAt < since ? undefined : orderOf(backup, ports);
    try {
      if (order !== undefined && (await begin(backup, order, ports))) started.push(backup.backupId);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      errors.push(error);
    }
  }
  const opened = await tellCorrupted(ports);
  if (errors[0] !== undefined) throw errors[0];
  return { started, opened };
}

function orderOf({ backupId, planId, planName, vault, finishedAt }: BackupRecord, { plans, now }: ReadBackPorts): ReadBackOrder | undefined {
  const plan = plans.find(({ name }) => name === planName);
  if (plan === undefined || plan.policy.verification === 'none') return undefined;
  const attempt = Math.floor((now() - finishedAt) / DAY);
  return { backupId, planId, planName, vault: vault ?? plan.vault, level: plan.policy.verification, network: plan.network, token: `read-back-${backupId}-${attempt}` };
}

async function begin(backup: BackupRecord, order: ReadBackOrder, { catalog, startReadBack, now }: ReadBackPorts): Promise<boolean> {
  const age = now() - backup.finishedAt;
  const isAgain = backup.state === 'validating' && age >= DAY && age % DAY < AGAIN_WITHIN;
  if (!isAgain && !(await catalog.setBackupState(backup.backupId, 'validating', ['completed']))) return false;
  const answer = await startReadBack(order).catch(async (error: unknown) => {
    await catalog.setBackupState(backup.backupId, 'completed', ['validating']);
    throw error;
  });
  if ('taskArn' in answer) return true;
  await catalog.setBackupState(backup.backupId, 'completed', ['validating']);
  return false;
}

async function tellCorrupted(ports: ReadBackPorts): Promise<string[]> {
  const { backups } = await ports.catalog.listBackups({ states: ['corrupted'], limit: NEWEST });
  if (backups.length === 0) return [];
  const known = new Set((await ports.ledger.listAlerts({ limit: NEWEST })).map(({ alertId }) => alertId));
  const opened: string[] = [];
  for (const backup of backups) {
    const alert = corruptionAlert(backup, ports.now());
    if (!known.has(alert.alertId) && (await tellAlert(alert, ports))) opened.push(alert.alertId);
  }
  return opened;
}
