import type { AlertKind, AlertRecord, HealingNote, Severity } from '../catalog/ledger-records.ts';
import type { BackupRecord, RunRecord } from '../catalog/records.ts';
import type { RunId } from '../model/ids.ts';
import { SERVICE_LEVELS } from '../config/service-levels.ts';
import { plainWords } from './plain-words.ts';

/** What an alert is made from: a run that has ended, and how soon its plan promised to be back. */
export interface EndedRun extends Pick<RunRecord, 'runId' | 'planName' | 'state' | 'finishedAt' | 'error'> {
  readonly rpoMinutes?: number;
}

interface EndRow {
  readonly state: RunRecord['state'];
  /** Code of the error; absent: any. */
  readonly code?: string;
  readonly kind: AlertKind;
  /** Absent: by the service level of the plan. */
  readonly severity?: Severity;
  readonly title: (plan: string) => string;
  readonly nextStep: string;
}

/** Which alert the end of a run opens; the first row that fits, none for the others: success is quiet (M3). */
const ENDS: readonly EndRow[] = [
  { state: 'failed', code: 'damaged', kind: 'corruption-detected', severity: 'critical', title: (plan) => `Damage found while ${plan} was backed up`, nextStep: 'Run `holdfast verify` on the vault before anything is removed from it.' },
  { state: 'failed', code: 'no-space', kind: 'storage-full', title: (plan) => `No space left for the backup of ${plan}`, nextStep: 'Give the task or the vault more space and start the plan again.' },
  { state: 'failed', kind: 'backup-failed', title: (plan) => `Backup of ${plan} failed`, nextStep: 'Read the log of the run (`holdfast runs show RUN --aws STACK` says where it is) and start the plan again.' },
];

/** How loud a failure is, by the RPO that the plan promised; plans without a service level are `high`. */
const SEVERITY_BY_RPO: readonly { readonly rpoMinutes: number; readonly severity: Severity }[] = [
  { rpoMinutes: SERVICE_LEVELS.critical.rpoMinutes, severity: 'critical' },
  { rpoMinutes: SERVICE_LEVELS.medium.rpoMinutes, severity: 'high' },
  { rpoMinutes: Infinity, severity: 'medium' },
];

/** The alert that a run's end opens, once per run; undefined when its end needs nobody. `finishedAt` must be set. */
export function alertOfEnd(run: EndedRun): AlertRecord | undefined {
  const row = ENDS.find(({ state, code }) => state === run.state && (code === undefined || code === run.error?.code));
  if (row === undefined || run.finishedAt === undefined) return undefined;
  return {
    alertId: `${row.kind}/${run.runId}`,
    kind: row.kind,
    severity: row.severity ?? severityOf(run.rpoMinutes),
    state: 'open',
    title: plainWords(row.title(run.planName)),
    message: plainWords(run.error?.message ?? 'The run failed without a reason.'),
    nextStep: plainWords(run.error?.nextStep ?? row.nextStep),
    planName: run.planName,
    runId: run.runId,
    openedAt: run.finishedAt,
  };
}

/** No good backup for longer than promised (M1); once per time at which one was due. */
export function delayedAlert(delay: { readonly planName: string; readonly dueAt: number; readonly lastSuccessAt?: number; readonly now: number; readonly rpoMinutes?: number }): AlertRecord {
  const { planName, dueAt, lastSuccessAt, now, rpoMinutes } = delay;
  const last = lastSuccessAt === undefined ? 'There has never been one' : `The last one ended at ${new Date(lastSuccessAt).toISOString()}`;
  return {
    alertId: `backup-delayed/${planName}/${new Date(dueAt).toISOString()}`,
    kind: 'backup-delayed',
    severity: severityOf(rpoMinutes),
    state: 'open',
    title: `No fresh backup of ${planName}`,
    message: `${last}; the next good one was due by ${new Date(dueAt).toISOString()}.`,
    nextStep: `See with \`holdfast runs --plan ${planName} --aws STACK\` how the last runs of ${planName} ended, mend what they say, and start the plan. This alert resolves itself with the next good backup.`,
    planName,
    openedAt: now,
  };
}

/** Begins the ids of alerts about what stands still since a run of a plan; the id of the run follows. */
export function standstillAlerts(planName: string): string {
  return `not-resumed/${planName}/`;
}

/** What a run halted and could not set going again, whether it made a backup or not; once per run (P4). */
export function standstillAlert(complaints: readonly string[], { planName, runId }: { readonly planName: string; readonly runId: RunId }, now: number): AlertRecord {
  return {
    alertId: `${standstillAlerts(planName)}${runId}`,
    kind: 'not-resumed',
    severity: 'critical',
    state: 'open',
    title: `What stood still for the backup of ${planName} may stand still yet`,
    message: plainWords(complaints.join(' ')),
    nextStep: `Look at it now and set it going by hand, as \`resume\` of ${planName} does. This alert resolves itself with the next run of ${planName} whose \`resume\` ends well.`,
    planName,
    runId,
    openedAt: now,
  };
}

/** A backup that does not read back as it was written; once per backup (V1). */
export function corruptionAlert({ backupId, planName, runId }: Pick<BackupRecord, 'backupId' | 'planName' | 'runId'>, now: number): AlertRecord {
  return {
    alertId: `${CORRUPTION_ALERTS}${backupId}`,
    kind: 'corruption-detected',
    severity: 'critical',
    state: 'open',
    title: `A backup of ${planName} is damaged`,
    message: `The backup ${backupId} does not read back as it was written; it does not count as good any more.`,
    nextStep: `Run \`holdfast verify ${backupId} --level full\` to see what is touched, start ${planName} again for a new backup, and remove nothing from the vault until you know why. What the source still has is stored anew by that backup, given to this one when it is read back, and then this alert resolves itself; without a read-back, or to see what stays lost, \`holdfast repair packs --aws STACK\`.`,
    planName,
    runId,
    openedAt: now,
  };
}

/** Begins the ids of alerts about damaged backups; the id of the backup follows. */
export const CORRUPTION_ALERTS = 'corruption-detected/backup/';

/** Begins the ids of alerts about healing in a vault; the id of a run follows. */
export function healingAlerts(vault: string): string {
  return `corruption-detected/healing/${vault}/`;
}

/** Older backups that could not be healed whole; once per run that stored something to heal them with (V1). */
export function healingAlert(note: HealingNote, { vault, planName, runId }: { readonly vault: string; readonly planName: string; readonly runId: RunId }, now: number): AlertRecord {
  return {
    alertId: `${healingAlerts(vault)}${runId}`,
    kind: 'corruption-detected',
    severity: 'high',
    state: 'open',
    title: `Damage in the vault ${vault} could not be healed`,
    message: plainWords(note.message),
    nextStep: plainWords(note.nextStep ?? 'Run `holdfast verify --level full` on the vault to see what is touched.'),
    planName,
    runId,
    openedAt: now,
  };
}

/** Begins the ids of alerts about read-backs without an answer; the id of the backup follows. */
export const READ_BACK_ALERTS = 'control-plane/read-back/';

/** A backup whose read-back was begun and says nothing: neither good nor bad; once per backup (M1, V4). */
export function unansweredAlert({ backupId, planName, runId, vault = 'VAULT' }: Pick<BackupRecord, 'backupId' | 'planName' | 'runId' | 'vault'>, now: number): AlertRecord {
  return {
    alertId: `${READ_BACK_ALERTS}${backupId}`,
    kind: 'control-plane',
    severity: 'high',
    state: 'open',
    title: `A backup of ${planName} could not be read back`,
    message: `The backup ${backupId} could not be read back: the task that was started for it has given no answer for a day. Nobody knows whether the backup is good.`,
    nextStep: `Read the log of the task: \`holdfast runs show ${runId} --aws STACK\` names the log group, its streams are those that begin with STACK-verify-${vault.replaceAll('.', '_')}/. Or read it back yourself: \`holdfast verify ${backupId} --aws STACK\`. It is tried again each day for a week; this alert resolves itself with the answer.`,
    planName,
    runId,
    openedAt: now,
  };
}

export interface KeyAtRisk {
  readonly vault: string;
  readonly keyArn: string;
  /** Ends the sentence "The key of the vault main ...". */
  readonly problem: string;
}

/** Without its KMS key nothing in a vault can be read: told once for each state that the key is in. */
export function keyAlert({ vault, keyArn, problem }: KeyAtRisk, now: number): AlertRecord {
  return {
    alertId: `control-plane/key/${vault}/${problem}`,
    kind: 'control-plane',
    severity: 'critical',
    state: 'open',
    title: `The key of the vault ${vault} is at risk`,
    message: plainWords(`The key of the vault ${vault} (${keyArn}) ${problem}. Without it nothing in the vault can be read, and no plan can back up.`),
    nextStep: plainWords(`Take it back now: aws kms cancel-key-deletion --key-id ${keyArn} && aws kms enable-key --key-id ${keyArn}. Then find out who did it. docs/runbook.md has the rest.`),
    openedAt: now,
  };
}

/** An e-mail address that nobody has confirmed gets no alert at all. */
export function unconfirmedAlert(subscription: string, now: number): AlertRecord {
  return {
    alertId: `control-plane/unconfirmed/${subscription}`,
    kind: 'control-plane',
    severity: 'medium',
    state: 'open',
    title: 'An alert address is not confirmed',
    message: plainWords(`${subscription} has not confirmed its subscription: no alert reaches it.`),
    nextStep: 'Follow the link in the mail "AWS Notification - Subscription Confirmation"; a link is good for 2 days, a deploy sends a new one.',
    openedAt: now,
  };
}

function severityOf(rpoMinutes: number | undefined): Severity {
  if (rpoMinutes === undefined) return 'high';
  return SEVERITY_BY_RPO.find((row) => rpoMinutes <= row.rpoMinutes)?.severity ?? 'high';
}
