import type { Catalog } from '../../catalog/catalog.ts';
import type { RestoreRecord, RestoreStage } from '../../catalog/records.ts';
import type { BackupId } from '../../model/ids.ts';
import { failureText, fromWorkflowFailure } from './failure-text.ts';
import type { Failure } from './failure-text.ts';
import { restoreIdOf } from './restore-id.ts';
import type { ReportInput, Reported } from './states.ts';
import { restoreAlert, restoreNotice } from './tell-restore.ts';
import type { RestoreEnd, RestoreTeller } from './tell-restore.ts';

export interface ReportPorts {
  readonly catalog: Pick<Catalog, 'listRestores' | 'recordRestore'>;
  readonly teller: RestoreTeller;
  /** Called for each restore that ended; for metrics. */
  readonly count?: (ended: RestoreRecord) => void;
  readonly now: () => number;
}

/** The record of a restore under way is among the newest. */
const NEWEST = 500;

/**
 * The last state of the workflow, whichever way it got there: ends the record in the catalog and tells people. It is
 * complete when the stage `reported` is done; called again after that it changes and tells nothing. A crash in between
 * costs at most a message that comes twice. Also ends restores that were refused by the check and have no record yet; of a
 * request that was wrong only the record and the execution tell, to whoever made it.
 */
export async function reportRestore(input: ReportInput, ports: ReportPorts): Promise<Reported> {
  const restoreId = restoreIdOf(input.execution.id);
  const known = (await ports.catalog.listRestores({ limit: NEWEST })).find((restore) => restore.restoreId === restoreId);
  if (known !== undefined && isReported(known)) return reported(known);
  const ended = end(known ?? unchecked(restoreId, input), input, ports.now());
  await ports.catalog.recordRestore(ended.record);
  if (ended.failure === undefined) await ports.teller.tellSuccess(restoreNotice(ended), ended.record.target);
  else if (!isWrongRequest(ended.record, ended.failure)) await ports.teller.tellFailure(restoreAlert(ended, ended.failure));
  const at = ports.now();
  const record = { ...ended.record, stages: [...(ended.record.stages ?? []), { name: 'reported', state: 'done', startedAt: at, finishedAt: at } as const] };
  await ports.catalog.recordRestore(record);
  ports.count?.(record);
  return reported(record);
}

/** How the check refuses what was asked for; what kept it from looking has other codes. */
const WRONG_REQUEST: ReadonlySet<string> = new Set(['usage', 'refused', 'not-found']);

/** An alert about it would stay open: no restore into its target, which may not exist, follows to resolve it. */
function isWrongRequest({ stages = [] }: RestoreRecord, { code }: Failure): boolean {
  return WRONG_REQUEST.has(code) && stages.some(({ name, state }) => name === 'checked' && state === 'failed');
}

function isReported({ stages = [] }: RestoreRecord): boolean {
  return stages.some(({ name, state }) => name === 'reported' && state === 'done');
}

/** The words are those of a workflow's failure, so that whoever reads the execution's cause gets code and next step back. */
function reported({ restoreId, state, error }: RestoreRecord): Reported {
  return { restoreId, state, message: error === undefined ? 'restored' : failureText(error) };
}

function end(record: RestoreRecord, { result, error }: ReportInput, now: number): RestoreEnd {
  const { error: _former, ...before } = record;
  const stages = (record.stages ?? []).map((stage) => endStage(stage, result === undefined ? 'failed' : 'done', now));
  if (result !== undefined) {
    const { state, files, bytes, same, warnings } = result;
    return { record: { ...before, state, files, bytes, finishedAt: now, stages }, same, warnings, failure: undefined };
  }
  const failure: Failure = fromWorkflowFailure(error ?? {});
  return { record: { ...before, state: failure.code === 'interrupted' ? 'cancelled' : 'failed', finishedAt: now, error: failure, stages }, same: undefined, warnings: [], failure };
}

/** A stage that nobody works on any more does not go on running: its task may have been killed. */
function endStage(stage: RestoreStage, state: 'done' | 'failed', now: number): RestoreStage {
  return stage.state === 'running' ? { ...stage, state, finishedAt: now } : stage;
}

/** What the person asked for, as far as it can be read; refused requests are kept as well. */
function unchecked(restoreId: string, { execution, input }: ReportInput): RestoreRecord {
  const { backup, target } = (typeof input === 'object' && input !== null ? input : {}) as { backup?: unknown; target?: unknown };
  const startedAt = Date.parse(execution.startTime);
  return { restoreId, backupId: nameOf(backup) as BackupId, target: nameOf(target), state: 'running', startedAt, files: 0, bytes: 0, stages: [{ name: 'checked', state: 'running', startedAt }] };
}

/** Free text from outside is not stored as a name. */
function nameOf(value: unknown): string {
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value) ? value : 'unknown';
}
