import type { Catalog } from '../catalog/catalog.ts';
import type { BackupRecord, BackupState } from '../catalog/records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { HoldfastError } from '../model/errors.ts';
import type { BackupId, PlanId } from '../model/ids.ts';
import { CORRUPTION_ALERTS, READ_BACK_ALERTS, corruptionAlert, unansweredAlert } from '../monitoring/alerts.ts';
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
  readonly catalog: Pick<Catalog, 'getBackup' | 'listBackups' | 'setBackupState'>;
  readonly ledger: TellPorts['ledger'] & Pick<RunLedger, 'resolveAlert'>;
  readonly plans: readonly ReadBackPlan[];
  readonly startReadBack: (order: ReadBackOrder) => Promise<Launched | NoCapacity>;
}

export interface ReadBackReport {
  readonly started: readonly BackupId[];
  /** Alerts that were opened about backups that did not read back, or gave no answer. */
  readonly opened: readonly string[];
  /** Alerts about backups that have their answer now. */
  readonly resolved: readonly string[];
}

/**
 * Starts the read-back of new backups whose plan wants one, and tells of those that did not pass. Callable at any time
 * and by two at once: the state of the backup lets one through, the token makes a second start the same task. Without
 * capacity the backup waits for the next call; a task that died without an answer is begun again a day later, and told
 * (M1). One that cannot be started keeps no other from it; the first such failure is thrown at the end.
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
  const opened = [...(await tellCorrupted(ports)), ...(await tellUnanswered(backups, ports))];
  const resolved = await resolveAnswered(ports);
  if (errors[0] !== undefined) throw errors[0];
  return { started, opened, resolved };
}

function orderOf({ backupId, planId, planName, vault, finishedAt }: BackupRecord, { plans, now }: ReadBackPorts): ReadBackOrder | undefined {
  const plan = plans.find(({ name }) => name === planName);
  if (plan === undefined || plan.policy.verification === 'none') return undefined;
  const attempt = Math.floor((now() - finishedAt) / DAY);
  return { backupId, planId, planName, vault: vault ?? plan.vault, level: plan.policy.verification, network: plan.network, token: `read-back-${backupId}-${attempt}` };
}

async function begin(backup: BackupRecord, order: ReadBackOrder, { catalog, startReadBack, now }: ReadBackPorts): Promise<boolean> {
  if (!isUnanswered(backup, now()) && !(await catalog.setBackupState(backup.backupId, 'validating', ['completed']))) return false;
  const answer = await startReadBack(order).catch(async (error: unknown) => {
    await catalog.setBackupState(backup.backupId, 'completed', ['validating']);
    throw error;
  });
  if ('taskArn' in answer) return true;
  await catalog.setBackupState(backup.backupId, 'completed', ['validating']);
  return false;
}

/**
 * Nobody noted when a read-back began. It is looked at when another day since the backup is full: one that was begun
 * with its backup has had a day, and the many that a changed policy begins at once are not all told five minutes later.
 */
function isUnanswered({ state, finishedAt }: BackupRecord, now: number): boolean {
  const age = now - finishedAt;
  return state === 'validating' && age >= DAY && age % DAY < AGAIN_WITHIN;
}

/** `backups` as they were before any was begun anew; also those of plans that are gone. */
async function tellUnanswered(backups: readonly BackupRecord[], ports: ReadBackPorts): Promise<string[]> {
  const opened: string[] = [];
  for (const backup of backups.filter((each) => isUnanswered(each, ports.now()))) {
    const alert = unansweredAlert(backup, ports.now());
    if (await tellAlert(alert, ports)) opened.push(alert.alertId);
  }
  return opened;
}

/** Alerts about one backup, and the states of it that answer them. A backup that is gone needs none. */
const ANSWERS: readonly { readonly prefix: string; readonly states: readonly BackupState[] }[] = [
  // Whatever the answer is; damage has an alert of its own.
  { prefix: READ_BACK_ALERTS, states: ['validated', 'corrupted', 'expired'] },
  // Healed, and read in full since.
  { prefix: CORRUPTION_ALERTS, states: ['validated', 'expired'] },
];

async function resolveAnswered({ catalog, ledger, now }: ReadBackPorts): Promise<string[]> {
  const resolved: string[] = [];
  for (const { alertId } of await ledger.listAlerts({ state: 'open', limit: NEWEST })) {
    const row = ANSWERS.find(({ prefix }) => alertId.startsWith(prefix));
    if (row === undefined) continue;
    const state = await catalog.getBackup(alertId.slice(row.prefix.length)).then((backup) => backup.state, goneOrThrow);
    if (row.states.includes(state) && (await ledger.resolveAlert(alertId, now()))) resolved.push(alertId);
  }
  return resolved;
}

function goneOrThrow(error: unknown): 'expired' {
  if (isHoldfastError(error, 'not-found')) return 'expired';
  throw error;
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
