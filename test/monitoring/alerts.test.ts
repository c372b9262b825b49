import { ALERT_KINDS, SEVERITIES } from '../../lib/catalog/ledger-records.ts';
import type { RunId } from '../../lib/model/ids.ts';
import { alertOfEnd, delayedAlert, standstillAlert, unconfirmedAlert } from '../../lib/monitoring/alerts.ts';
import type { EndedRun } from '../../lib/monitoring/alerts.ts';
import { freshUntil, isAnswered, overdueSince } from '../../lib/monitoring/freshness.ts';
import { walLateAlert } from '../../lib/monitoring/wal-late.ts';
import { plainWords } from '../../lib/monitoring/plain-words.ts';

const HOUR = 60 * 60_000;
const failed: EndedRun = { runId: 'R1' as RunId, planName: 'shop', state: 'failed', finishedAt: 5, error: { code: 'source-failed', message: 'pg_dump ended with exit code 1.', nextStep: 'Look at the database.' } };

describe('the alert that the end of a run opens (M3)', () => {
  it('says what failed and what to do, once per run', () => {
    expect(alertOfEnd(failed)).toEqual({
      alertId: 'backup-failed/R1', kind: 'backup-failed', severity: 'high', state: 'open', title: 'Backup of shop failed', message: 'pg_dump ended with exit code 1.', nextStep: 'Look at the database.', planName: 'shop', runId: 'R1', openedAt: 5,
    });
  });

  it.each([
    ['damaged', 'corruption-detected', 'critical'],
    ['no-space', 'storage-full', 'high'],
    ['unavailable', 'backup-failed', 'high'],
  ])('%s is %s, %s', (code, kind, severity) => {
    expect(alertOfEnd({ ...failed, error: { code, message: 'x' } })).toMatchObject({ kind, severity });
  });

  it.each([[5, 'critical'], [15, 'high'], [60, 'high'], [240, 'medium'], [undefined, 'high']])('is as loud as the RPO of %s minutes asks: %s', (rpoMinutes, severity) => {
    expect(alertOfEnd({ ...failed, ...(rpoMinutes !== undefined && { rpoMinutes }) })?.severity).toBe(severity);
  });

  it.each(['completed', 'warnings', 'cancelled'] as const)('is none when a run %s', (state) => {
    expect(alertOfEnd({ ...failed, state })).toBeUndefined();
  });

  it('uses only kinds and severities that channels know', () => {
    for (const alert of [alertOfEnd(failed), delayedAlert({ planName: 'shop', dueAt: 0, now: 1 }), unconfirmedAlert('a@b.c', 1), walLateAlert({ planName: 'shop', limitMs: 1, since: 0, now: 1 }), standstillAlert(['x'], { planName: 'shop', runId: 'R1' as RunId }, 1)]) {
      expect(ALERT_KINDS).toContain(alert?.kind);
      expect(SEVERITIES).toContain(alert?.severity);
    }
  });
});

describe('words of an alert', () => {
  it.each([
    ['connection to postgresql://app:hunter2@db:5432/x failed', 'connection to postgresql://***@db:5432/x failed'],
    ['password=hunter2 refused', 'password=*** refused'],
    ['PGPASSWORD: "two words" and more', 'PGPASSWORD: *** and more'],
    ['Authorization: Bearer abc.def, next', 'Authorization: ***, next'],
    ['"secret": "abc def", next', '"secret": ***, next'],
    ['The secret ${secret:shop/db#password} is not there', 'The secret ${secret:shop/db#password} is not there'],
    ['key AKIAIOSFODNN7EXAMPLE used', 'key *** used'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----', '***'],
    ['token xoxb-123456789012-abc', 'token ***'],
    ['\u001b[31mred\u202e', '[31mred'],
  ])('%j becomes %j', (text, shown) => {
    expect(plainWords(text)).toBe(shown);
  });

  it('are at most 1,000 characters', () => {
    expect(plainWords('x'.repeat(5000))).toHaveLength(1000);
  });
});

describe('freshness (M1)', () => {
  const plan = { name: 'shop', freshnessHours: 24, policy: {} };

  it('ends after the plan\'s hours or its RPO, whichever is sooner', () => {
    expect(freshUntil(plan, 0)).toBe(24 * HOUR);
    expect(freshUntil({ ...plan, policy: { serviceLevel: { rpoMinutes: 15 } } }, 0)).toBe(HOUR / 4);
  });

  it('counts from the last good backup, or from the deployment when there was none', () => {
    expect(overdueSince(plan, { lastSuccessAt: HOUR, deployedAt: 0, now: 25 * HOUR })).toBeUndefined();
    expect(overdueSince(plan, { lastSuccessAt: HOUR, deployedAt: 0, now: 25 * HOUR + 1 })).toBe(25 * HOUR);
    expect(overdueSince(plan, { deployedAt: 2 * HOUR, now: 27 * HOUR })).toBe(26 * HOUR);
  });

  it('waits a little for a run that a worker is at, and no longer', () => {
    const running = (now: number, over = plan) => overdueSince(over, { lastSuccessAt: 0, deployedAt: 0, now, isRunning: true });
    expect(running(30 * HOUR)).toBeUndefined();
    expect(running(30 * HOUR + 1)).toBe(24 * HOUR);
    const critical = { ...plan, policy: { serviceLevel: { rpoMinutes: 5 } } };
    expect(running(HOUR / 4, critical)).toBeUndefined();
    expect(running(HOUR / 4 + 1, critical)).toBe(HOUR / 12);
  });

  it('is answered by a good backup that ended after the alert, and damage never is', () => {
    expect(isAnswered({ kind: 'backup-delayed', openedAt: 5 }, 6)).toBe(true);
    expect(isAnswered({ kind: 'backup-failed', openedAt: 5 }, 5)).toBe(false);
    expect(isAnswered({ kind: 'backup-failed', openedAt: 5 }, undefined)).toBe(false);
    expect(isAnswered({ kind: 'corruption-detected', openedAt: 5 }, 6)).toBe(false);
  });
});
