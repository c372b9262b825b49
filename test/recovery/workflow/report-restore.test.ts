import { SqliteCatalog } from '../../../lib/catalog/sqlite-catalog.ts';
import type { AlertRecord } from '../../../lib/catalog/ledger-records.ts';
import type { RestoreRecord } from '../../../lib/catalog/records.ts';
import { HoldfastError } from '../../../lib/model/errors.ts';
import type { BackupId } from '../../../lib/model/ids.ts';
import { fromWorkflowFailure, toWorkflowFailure } from '../../../lib/recovery/workflow/failure-text.ts';
import { reportRestore } from '../../../lib/recovery/workflow/report-restore.ts';
import type { ReportPorts } from '../../../lib/recovery/workflow/report-restore.ts';
import { restoreIdOf } from '../../../lib/recovery/workflow/restore-id.ts';
import { reportInput } from '../../../lib/recovery/workflow/states.ts';
import type { Notice } from '../../../lib/recovery/workflow/tell-restore.ts';

const EXECUTION = { id: 'arn:aws:states:eu-central-1:1:execution:restore:one', startTime: '2026-11-21T10:00:00.000Z' };
const STARTED = Date.parse(EXECUTION.startTime);
const RESTORE = restoreIdOf(EXECUTION.id);
const INPUT = { backup: '01J0000000000000000000000A', target: 'staging', confirm: 'staging' };
const DAMAGED = new HoldfastError('damaged', 'The pack x is damaged.', { nextStep: 'Take the backup before.' });

describe('the report of a restore (R3)', () => {
  let catalog: SqliteCatalog;
  let now = 0;
  let alerts: AlertRecord[];
  let notices: (readonly [Notice, string])[];
  let ports: ReportPorts;

  const running: RestoreRecord = {
    restoreId: RESTORE, backupId: INPUT.backup as BackupId, target: 'staging', state: 'running', startedAt: STARTED, files: 0, bytes: 0,
    stages: [{ name: 'checked', state: 'done', startedAt: STARTED, finishedAt: STARTED + 1 }, { name: 'restored', state: 'running', startedAt: STARTED + 2, doneBytes: 500 }],
  };
  const report = (end: object) => reportRestore(reportInput.parse({ execution: EXECUTION, input: INPUT, ...end }), ports);
  const failure = (error: unknown) => {
    const { error: name, cause } = toWorkflowFailure(error);
    return { error: { Error: name, Cause: cause } };
  };
  const stored = async () => (await catalog.listRestores())[0];

  beforeEach(() => {
    catalog = new SqliteCatalog(':memory:');
    now = STARTED + 60_000;
    alerts = [];
    notices = [];
    ports = {
      catalog,
      now: () => now,
      teller: { tellFailure: async (alert) => void alerts.push(alert), tellSuccess: async (notice, target) => void notices.push([notice, target]) },
    };
  });
  afterEach(() => catalog.close());

  it('ends a restore that went well, and tells it as a notice', async () => {
    await catalog.recordRestore(running);
    expect(await report({ result: { state: 'completed', files: 3, bytes: 900 } })).toEqual({ restoreId: RESTORE, state: 'completed', message: 'restored' });
    expect(await stored()).toMatchObject({ state: 'completed', files: 3, bytes: 900, finishedAt: now });
    expect((await stored())?.stages?.map(({ name, state }) => [name, state])).toEqual([['checked', 'done'], ['restored', 'done'], ['reported', 'done']]);
    expect(alerts).toEqual([]);
    expect(notices).toEqual([[expect.objectContaining({ severity: 'info', message: '3 files, 900 bytes, in 60 seconds.' }), 'staging']]);
  });

  it('says how much was there already', async () => {
    await catalog.recordRestore(running);
    await report({ result: { state: 'completed', files: 0, bytes: 0, same: 32 } });
    expect(notices[0]?.[0]).toMatchObject({ message: '0 files, 0 bytes, in 60 seconds; 32 entries were there already, the same.' });
  });

  it('names warnings', async () => {
    await catalog.recordRestore(running);
    await report({ result: { state: 'warnings', files: 3, bytes: 900, warnings: ['2 entries were there already'] } });
    expect(notices[0]?.[0]).toMatchObject({ title: expect.stringContaining('with warnings') as string, message: expect.stringContaining('- 2 entries were there already') as string });
  });

  it('ends a restore that failed, with what failed, since when, what to do, and the stage at which it stood', async () => {
    await catalog.recordRestore(running);
    const reported = await report(failure(DAMAGED));
    expect(reported).toEqual({ restoreId: RESTORE, state: 'failed', message: 'damaged: The pack x is damaged.\nNext: Take the backup before.' });
    expect(await stored()).toMatchObject({ state: 'failed', error: { code: 'damaged', message: 'The pack x is damaged.', nextStep: 'Take the backup before.' } });
    expect((await stored())?.stages?.map(({ name, state }) => [name, state])).toEqual([['checked', 'done'], ['restored', 'failed'], ['reported', 'done']]);
    expect(alerts).toEqual([expect.objectContaining({ alertId: `recovery-failed/staging/${RESTORE}`, kind: 'recovery-failed', severity: 'high', state: 'open', openedAt: STARTED, nextStep: 'Take the backup before.', title: `Restore of backup ${INPUT.backup} into staging failed` })]);
    expect(alerts[0]?.message).toBe('The pack x is damaged. (damaged)\nStages: checked done, restored failed (500 bytes).');
  });

  it.each(['usage', 'refused', 'not-found'] as const)('keeps a request that the check refused as %s, whatever was asked for, and opens no alert: no later restore would resolve it', async (code) => {
    const wrong = { execution: EXECUTION, input: { backup: '../../x', target: '<!channel>', evil: true }, ...failure(new HoldfastError(code, 'No.')) };
    expect(await reportRestore(reportInput.parse(wrong), ports)).toEqual({ restoreId: RESTORE, state: 'failed', message: `${code}: No.` });
    expect(await stored()).toMatchObject({ restoreId: RESTORE, backupId: 'unknown', target: 'unknown', state: 'failed', error: { code }, startedAt: STARTED, stages: [{ name: 'checked', state: 'failed' }, { name: 'reported', state: 'done' }] });
    expect(alerts).toEqual([]);
    expect(notices).toEqual([]);
  });

  it.each(['usage', 'refused', 'not-found'] as const)('opens an alert for a restore that the check accepted and that then failed as %s', async (code) => {
    await catalog.recordRestore({ ...running, stages: running.stages?.slice(0, 1) ?? [] });
    await report(failure(new HoldfastError(code, 'No.')));
    expect(alerts).toEqual([expect.objectContaining({ alertId: `recovery-failed/staging/${RESTORE}`, severity: 'high' })]);
  });

  it.each(['unavailable', 'permission', 'config-invalid'] as const)('opens an alert when the check itself failed as %s: the request may be right', async (code) => {
    await report(failure(new HoldfastError(code, 'No.')));
    expect(alerts).toEqual([expect.objectContaining({ severity: 'high', title: `Restore of backup ${INPUT.backup} into staging failed`, message: `No. (${code})\nStages: checked failed.` })]);
  });

  it('keeps a restore whose input was no map at all', async () => {
    await reportRestore(reportInput.parse({ execution: EXECUTION, input: 'x', ...failure(new HoldfastError('usage', 'No.')) }), ports);
    expect(await stored()).toMatchObject({ backupId: 'unknown', state: 'failed' });
    expect(alerts).toEqual([]);
  });

  it('changes and tells nothing when it is called again', async () => {
    await catalog.recordRestore(running);
    const first = await report(failure(DAMAGED));
    const record = await stored();
    now += 1000;
    expect(await report(failure(new HoldfastError('interrupted', 'Stopped.')))).toEqual(first);
    expect(await report({ result: { state: 'completed', files: 1, bytes: 1 } })).toEqual(first);
    expect(await stored()).toEqual(record);
    expect(alerts).toHaveLength(1);
  });

  it('tells after a crash before the telling: the stage `reported` is written last', async () => {
    await catalog.recordRestore(running);
    const dying = { ...ports, teller: { ...ports.teller, tellFailure: () => Promise.reject(new HoldfastError('unavailable', 'SNS is away.')) } };
    await expect(reportRestore(reportInput.parse({ execution: EXECUTION, input: INPUT, ...failure(DAMAGED) }), dying)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await stored()).toMatchObject({ state: 'failed' });
    await report(failure(DAMAGED));
    expect(alerts).toHaveLength(1);
    expect((await stored())?.stages?.filter(({ name }) => name === 'reported')).toHaveLength(1);
  });

  it('says cancelled of one that was stopped', async () => {
    await catalog.recordRestore(running);
    await report(failure(new HoldfastError('interrupted', 'A signal asked to stop.')));
    expect(await stored()).toMatchObject({ state: 'cancelled' });
    expect(alerts[0]?.title).toContain('was cancelled');
  });

  it('refuses a report of neither and of both', () => {
    expect(reportInput.safeParse({ execution: EXECUTION, input: INPUT }).success).toBe(false);
    expect(reportInput.safeParse({ execution: EXECUTION, input: INPUT, result: { state: 'completed', files: 1, bytes: 1 }, ...failure(DAMAGED) }).success).toBe(false);
  });
});

describe('errors on their way through Step Functions', () => {
  it('come back as they went in, from a task and from a function', () => {
    const { error, cause } = toWorkflowFailure(DAMAGED);
    expect(error).toBe('damaged');
    const wanted = { code: 'damaged', message: 'The pack x is damaged.', nextStep: 'Take the backup before.' };
    expect(fromWorkflowFailure({ Error: error, Cause: cause })).toEqual(wanted);
    expect(fromWorkflowFailure({ Error: 'Runtime.HandlerError', Cause: JSON.stringify({ errorType: 'damaged', errorMessage: cause, trace: [] }) })).toEqual(wanted);
  });

  it.each([
    ['States.HeartbeatTimeout', undefined, 'unavailable', 'stopped answering, or never began'],
    ['States.Timeout', 'x', 'unavailable', 'did not end in the time'],
    ['ECS.AccessDeniedException', 'User is not authorized', 'unavailable', 'ECS.AccessDeniedException: User is not authorized'],
    ['', undefined, 'unavailable', 'no name: no cause was given'],
    ['X', 'nonsense: not a code of ours', 'unavailable', 'nonsense: not a code of ours'],
  ])('of AWS itself keep their words: %s', (Error, Cause, code, message) => {
    expect(fromWorkflowFailure({ Error, Cause })).toMatchObject({ code, message: expect.stringContaining(message) as string, nextStep: expect.any(String) as string });
  });

  it('are cut before Step Functions would refuse them', () => {
    expect(toWorkflowFailure(new HoldfastError('damaged', 'x'.repeat(100_000))).cause.length).toBeLessThanOrEqual(8000);
  });

  it('of a bug are a bug', () => {
    expect(fromWorkflowFailure({ Cause: toWorkflowFailure(new TypeError('x is not a function')).cause })).toMatchObject({ code: 'broken-invariant', message: 'x is not a function' });
  });
});
