import type { BackupRecord } from '../../lib/catalog/records.ts';
import { closestNames } from '../../lib/cli/closest-names.ts';
import { timeInWords } from '../../lib/cli/words.ts';
import type { BackupId, RunId } from '../../lib/model/ids.ts';
import { nextOccurrences } from '../../lib/scheduling/cron.ts';
import { HOUR, MINUTE, NIGHT, NightStack, plan, planId } from './stack-in-process.ts';

let stack: NightStack;
beforeEach(() => {
  stack = new NightStack();
});
afterEach(() => stack.close());

const BACKUP = '01KAP2Q8X0J5T3M6W9RZB4V7CD' as BackupId;
const minute = (at: number) => timeInWords(at).slice(0, -3);

function backedUp(planName: string, finishedAt: number, state: BackupRecord['state'] = 'completed'): Promise<void> {
  const record: BackupRecord = {
    backupId: BACKUP, planId: planId(planName), planName, runId: 'r' as RunId, type: 'incremental', state, startedAt: finishedAt - MINUTE, finishedAt, sequence: 1, entries: 1, files: 1, bytes: 1, addedBytes: 1,
    warnings: 0, host: 'fargate', vault: 'main', source: { type: 'files', description: '/data' }, statistics: {},
  };
  return stack.catalog.recordBackup(record);
}

describe('holdfast schedules (P6)', () => {
  it('shows when each plan runs next, its last good backup, and how long that is fresh', async () => {
    await backedUp('orders', NIGHT - HOUR);
    const { code, stdout } = await stack.run('schedules');
    const due = NIGHT + 7 * MINUTE;
    expect(stdout.split('\n')).toEqual([
      'orders  0 3 * * * Etc/UTC, 7 min later to spread the load',
      `  next    ${[due, due + 24 * HOUR, due + 48 * HOUR].map(minute).join(', ')}`,
      `  last    ${BACKUP} at ${timeInWords(NIGHT - HOUR)}, 1 h 0 min ago; fresh until ${timeInWords(NIGHT + 23 * HOUR)} (the limit is 24 h 0 min)`,
      'media  when asked',
      '  last    there is no good backup yet',
      '',
    ]);
    expect(code).toBe(0);
  });

  it('does not call a backup good that should have been read back by now and was not (V4)', async () => {
    await backedUp('orders', NIGHT - 30 * HOUR);
    expect((await stack.json('schedules'))[0]).toMatchObject({ plan: 'orders', lastGood: null });
  });

  it('says of a backup that is too old since when it is', async () => {
    await backedUp('orders', NIGHT - 30 * HOUR, 'validated');
    expect((await stack.run('schedules')).stdout).toContain(`too old since ${timeInWords(NIGHT - 6 * HOUR)} (the limit is 24 h 0 min)\n`);
    expect((await stack.json('schedules'))[0]).toMatchObject({ type: 'schedule', plan: 'orders', isFresh: false, lastGood: { backup: BACKUP }, freshUntil: new Date(NIGHT - 6 * HOUR).toISOString(), paused: null });
  });

  it('pauses a plan, says what that means and by whom, and a second pause keeps the first', async () => {
    const first = await stack.run('schedules', 'pause', 'orders');
    expect(first.stdout.split('\n')).toEqual(['Paused orders, as ada.', expect.stringMatching(/^It makes no backups: neither by its schedule nor by events nor by hand\./), 'Resume it with: holdfast schedules resume orders --aws shop', '']);
    stack.clock.advance(2 * HOUR);
    expect((await stack.run('schedules', 'pause', 'orders')).stdout).toContain(`orders is paused already, since ${timeInWords(NIGHT)} (2 h 0 min) by ada.\n`);
    expect(await stack.ledger.pauses()).toEqual([{ planName: 'orders', at: NIGHT, by: 'ada' }]);
    const { stdout } = await stack.run('schedules');
    expect(stdout).toContain(`  paused  since ${timeInWords(NIGHT)} (2 h 0 min) by ada. It makes no backups`);
    expect(stdout).toContain('  next    none while it is paused; it would be ');
    expect((await stack.json('schedules'))[0]).toMatchObject({ paused: { at: new Date(NIGHT).toISOString(), by: 'ada' } });
  });

  it('resumes it, and a plan that is not paused stays as it is', async () => {
    await stack.run('schedules', 'pause', 'orders');
    expect((await stack.run('schedules', 'resume', 'orders')).stdout).toContain('Resumed orders, which was paused since');
    expect(await stack.ledger.pauses()).toEqual([]);
    expect(await stack.run('schedules', 'resume', 'orders')).toMatchObject({ code: 0, stdout: 'orders is not paused.\n' });
  });

  it('changes nothing in a dry run', async () => {
    expect((await stack.run('schedules', 'pause', 'orders', '--dry-run')).stdout).toContain('Would pause orders, as ada.\n');
    expect(await stack.ledger.pauses()).toEqual([]);
    await stack.run('schedules', 'pause', 'orders');
    expect((await stack.run('schedules', 'resume', '--dry-run', 'orders')).stdout).toContain('Would resume orders');
    expect(await stack.ledger.pausedPlans()).toEqual(['orders']);
  });

  it.each(['pause', 'resume'])('refuses to %s a plan that is not there, with what was meant', async (verb) => {
    expect(await stack.run('schedules', verb, 'ordres')).toMatchObject({ code: 1, stderr: `holdfast: The stack shop has no plan ordres; nothing was ${verb}d.\nDid you mean orders?\n` });
  });

  it('warns of a plan that was paused and removed, whose pause can still be taken back', async () => {
    await stack.run('schedules', 'pause', 'orders');
    stack.plans = [plan('media')];
    expect((await stack.run('schedules')).stderr).toContain('The plan orders is paused and not deployed any more');
    expect((await stack.run('schedules', 'resume', 'orders')).code).toBe(0);
    expect((await stack.run('schedules')).stderr).toBe('');
  });
});

describe('the next times of a schedule', () => {
  it.each([
    ['* * * * *', ['2026-11-21T03:01', '2026-11-21T03:02', '2026-11-21T03:03']],
    ['30 2 * * *', ['2026-11-22T02:30', '2026-11-23T02:30', '2026-11-24T02:30']],
    ['0 0 29 2 *', ['2028-02-29T00:00']],
    ['0 0 31 2 *', []],
  ])('%s', (cron, expected) => {
    expect(nextOccurrences({ cron, timeZone: 'Etc/UTC', offsetMinutes: 0 }, NIGHT, 3).map((at) => new Date(at).toISOString().slice(0, 16))).toEqual(expected);
  });

  it('do not name the moment itself', () => {
    expect(nextOccurrences({ cron: '0 3 * * *', timeZone: 'Etc/UTC', offsetMinutes: 0 }, NIGHT, 1)).toEqual([NIGHT + 24 * HOUR]);
  });
});

describe('names for one that is not known', () => {
  it.each([
    ['ordres', ['orders', 'media'], 'Did you mean orders?'],
    ['orders-p', ['orders-prod', 'orders-test', 'media'], 'Did you mean orders-prod or orders-test?'],
    ['zzz', ['orders', 'media'], 'There are orders, media.'],
    ['zzz', [], 'There is none.'],
  ])('%s of %j', (typed, known, expected) => {
    expect(closestNames(typed, known)).toBe(expected);
  });
});
