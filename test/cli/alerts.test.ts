import type { AlertRecord } from '../../lib/catalog/ledger-records.ts';
import { timeInWords } from '../../lib/cli/words.ts';
import type { RunId } from '../../lib/model/ids.ts';
import { HOUR, MINUTE, NIGHT, NightStack } from './stack-in-process.ts';

let stack: NightStack;
beforeEach(() => {
  stack = new NightStack();
});
afterEach(() => stack.close());

const RUN = '01KAP2Q8X0J5T3M6W9RZB4V7CD' as RunId;
const alert = (id: string, over: Partial<AlertRecord> = {}): AlertRecord => ({
  alertId: `backup-failed/${id}`, kind: 'backup-failed', severity: 'high', state: 'open', title: 'Backup of orders failed', message: 'The password was refused.', nextStep: 'Put the right one into the secret.',
  planName: 'orders', runId: RUN, openedAt: NIGHT - HOUR, ...over,
});

describe('holdfast alerts (M3)', () => {
  it('says that none is open, with exit code 0', async () => {
    expect(await stack.run('alerts')).toMatchObject({ code: 0, stdout: 'No alert is open.\n' });
    expect(await stack.run('alerts', '--all')).toMatchObject({ code: 0, stdout: 'There has been no alert.\n' });
  });

  it('shows what, since when, why and what to do now, with exit code 3', async () => {
    await stack.ledger.openAlert(alert(RUN));
    const { code, stdout } = await stack.run('alerts');
    expect(stdout).toBe([
      `high  Backup of orders failed  open since ${timeInWords(NIGHT - HOUR)} (1 h 0 min)`,
      '  The password was refused.', '  Next: Put the right one into the secret.', `  backup-failed/${RUN}`, '',
    ].join('\n'));
    expect(code).toBe(3);
  });

  it('puts the most severe first, then the newest', async () => {
    await stack.ledger.openAlert(alert('new', { openedAt: NIGHT - MINUTE }));
    await stack.ledger.openAlert(alert('old'));
    await stack.ledger.openAlert(alert('worst', { severity: 'critical', openedAt: NIGHT - 9 * HOUR }));
    expect((await stack.json('alerts')).map(({ alert: id }) => id)).toEqual(['backup-failed/worst', 'backup-failed/new', 'backup-failed/old']);
  });

  it('keeps those that are resolved for --all, and only open ones count for the exit code', async () => {
    await stack.ledger.openAlert(alert('done'));
    await stack.ledger.resolveAlert('backup-failed/done', NIGHT - 20 * MINUTE);
    expect((await stack.run('alerts')).stdout).toBe('No alert is open.\n');
    const { code, stdout } = await stack.run('alerts', '--all');
    expect(stdout).toContain(`high, resolved  Backup of orders failed  open from ${timeInWords(NIGHT - HOUR)} for 40 min 0 s\n`);
    expect(stdout).not.toContain('Next:');
    expect(code).toBe(0);
    expect(await stack.json('alerts', '--all')).toMatchObject([{ type: 'alert', alert: 'backup-failed/done', plan: 'orders', run: RUN, state: 'resolved', resolvedAt: new Date(NIGHT - 20 * MINUTE).toISOString() }]);
  });

  it('is told by the local runtime that it has none yet', async () => {
    const { code, stderr } = await stack.here('alerts');
    expect(stderr).toBe('holdfast: The local runtime has no alerts yet; they are those of a deployed stack.\nAdd --aws STACK. `holdfast runs` shows what ran on this machine.\n');
    expect(code).toBe(1);
  });
});
