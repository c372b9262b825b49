import { setImmediate } from 'node:timers/promises';
import type { BackupRecord, RestoreRecord } from '../../lib/catalog/records.ts';
import { Progress, progressLine } from '../../lib/cli/progress.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { BackupId, RunId } from '../../lib/model/ids.ts';
import { MINUTE, NIGHT, NightStack, SECOND, planId } from './stack-in-process.ts';

let stack: NightStack;
beforeEach(() => {
  stack = new NightStack();
});
afterEach(() => stack.close());

const BACKUP = '01KAP2Q8X0J5T3M6W9RZB4V7CD' as BackupId;
const EXECUTION = 'arn:aws:states:eu-central-1:000000000000:execution:shop-restore:one';
/** As the program's entry has it. */
const STOPPED = new HoldfastError('interrupted', 'Stopped by SIGINT.', { nextStep: 'Run the same command again: it goes on from what is done.' });

const backupOf = (runId: RunId, over: Partial<BackupRecord> = {}): BackupRecord => ({
  backupId: BACKUP, planId: planId('orders'), planName: 'orders', runId, type: 'incremental', state: 'completed', startedAt: NIGHT, finishedAt: NIGHT + 200 * SECOND, sequence: 2, entries: 1300, files: 1204,
  bytes: 408 * 1024 ** 2, addedBytes: 12 * 1024 ** 2, warnings: 0, host: 'fargate', vault: 'main', source: { type: 'files', description: '/data' }, statistics: { files: 1204, newFiles: 3 }, ...over,
});

/** A run that ends as soon as it is asked for. */
async function endsAs(state: 'completed' | 'warnings', record: Partial<BackupRecord> | undefined): Promise<RunId> {
  const runId = await stack.asked('orders', {}, 'manual');
  if (record !== undefined) await stack.catalog.recordBackup(backupOf(runId, record));
  const run = await stack.ledger.getLedgerRun(runId);
  if (run === undefined) throw new Error('the run is not in the ledger');
  stack.over = { requestRun: async () => runId, followRun: async () => ({ ...run, state, backupId: BACKUP }) };
  return runId;
}

function restoring(over: Partial<RestoreRecord>): void {
  const record: RestoreRecord = { restoreId: 'r1', backupId: BACKUP, target: 'orders-copy', state: 'completed', startedAt: NIGHT, finishedAt: NIGHT + MINUTE, files: 3, bytes: 9, ...over };
  stack.over = {
    findBackup: async () => ({ name: `snapshots/p/${BACKUP}`, backup: BACKUP, plan: 'p' }), startRestore: async () => EXECUTION,
    followRestore: async (_, { onProgress }) => {
      onProgress(record);
      return { isSuccess: true, record };
    },
  };
}

describe('watching a backup in a stack', () => {
  it('that is interrupted says that the run goes on and where it is seen, not to repeat the command', async () => {
    const runId = await stack.asked('orders', {}, 'manual');
    stack.over = { requestRun: async () => runId, followRun: () => Promise.reject(STOPPED) };
    const { code, stderr } = await stack.run('backup', 'orders');
    expect(code).toBe(130);
    expect(stderr).toContain(`holdfast: You stopped watching; run ${runId} goes on.\n\`holdfast runs show ${runId} --aws shop\` shows how far it is.\n`);
    expect(stderr).not.toContain('same command again');
  });

  it('ends with the figures of the backup', async () => {
    const runId = await endsAs('completed', {});
    expect(await stack.run('backup', 'orders')).toMatchObject({ code: 0, stdout: `Backup ${BACKUP} of orders\n  1,204 files, 408 MiB: added 12.0 MiB, in 3 min 20 s\n` });
    expect(await stack.json('backup', 'orders')).toEqual([{
      type: 'backup', run: runId, plan: 'orders', backup: BACKUP, state: 'completed', files: 1204, bytes: 408 * 1024 ** 2, addedBytes: 12 * 1024 ** 2, durationMilliseconds: 200_000, warnings: 0,
      startedAt: '2026-11-21T03:00:00.000Z', finishedAt: '2026-11-21T03:03:20.000Z', statistics: { files: 1204, newFiles: 3 },
    }]);
  });

  it('counts the warnings and says which command has their words', async () => {
    await endsAs('warnings', { warnings: 3 });
    const { code, stdout } = await stack.run('backup', 'orders');
    expect(code).toBe(3);
    expect(stdout).toContain(`  3 warnings: \`holdfast show ${BACKUP} --aws shop\` has them\n`);
  });

  it('says why there are no figures and still succeeds', async () => {
    await endsAs('completed', undefined);
    const { code, stdout, stderr } = await stack.run('backup', 'orders');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `Backup ${BACKUP} of orders\n` });
    expect(stderr).toContain('The figures of the backup could not be read: ');
  });

  it('shows what a queued run waits for in the words of `runs`, without bytes', async () => {
    const { runId: earlier } = await stack.started('orders');
    const runId = await stack.asked('orders', {}, 'manual');
    const run = await stack.ledger.getLedgerRun(runId);
    if (run === undefined) throw new Error('the run is not in the ledger');
    stack.over = {
      requestRun: async () => runId,
      followRun: async (_, { onState }) => {
        onState(run);
        await setImmediate();
        return { ...run, state: 'completed' };
      },
    };
    const { stderr } = await stack.run('backup', 'orders', '--progress');
    expect(stderr).toMatch(new RegExp(`^queued: waits for run ${earlier} of the same plan; fails when it has not started by [-0-9: ]+$`, 'm'));
  });
});

describe('watching a restore in a stack', () => {
  it('that is interrupted says that the restore goes on and where it is seen', async () => {
    restoring({});
    stack.over = { ...stack.over, followRestore: () => Promise.reject(STOPPED) };
    const { code, stderr } = await stack.run('restore', BACKUP, '--to-target', 'orders-copy', '--yes');
    expect(code).toBe(130);
    expect(stderr).toMatch(/^holdfast: You stopped watching; restore [0-9A-Z]{26} goes on\.\n`holdfast restores --aws shop` shows how far it is\.\n/m);
  });

  it('shows no bytes of a stage that has none yet (R3)', async () => {
    restoring({ stages: [{ name: 'restored', state: 'running', startedAt: NIGHT }] });
    expect((await stack.run('restore', BACKUP, '--to-target', 'orders-copy', '--yes', '--progress')).stderr).toMatch(/^restoring$/m);
  });

  it('gives programs what `restores --json` gives, and the execution', async () => {
    const stages = [{ name: 'restored', state: 'done', startedAt: NIGHT, finishedAt: NIGHT + SECOND }] as const;
    restoring({ stages });
    const [ended] = await stack.json('restore', BACKUP, '--to-target', 'orders-copy', '--yes');
    await stack.catalog.recordRestore({ restoreId: 'r1', backupId: BACKUP, target: 'orders-copy', state: 'completed', startedAt: NIGHT, finishedAt: NIGHT + MINUTE, files: 3, bytes: 9, stages });
    const [listed] = await stack.json('restores');
    expect(ended).toEqual({ ...listed, execution: EXECUTION, notes: [] });
    expect(ended).toMatchObject({ restore: 'r1', backup: BACKUP, startedAt: '2026-11-21T03:00:00.000Z' });
  });
});

describe('a line of progress', () => {
  it('has no bytes where none are known', () => {
    expect(progressLine({ phase: 'queued' }, 0)).toBe('queued');
  });

  it('is whole on a terminal that says it has 0 columns', () => {
    const written: string[] = [];
    const stderr = { isTTY: true, columns: 0, write: (text: string) => written.push(text) > 0 };
    new Progress({ stderr, clock: stack.clock } as unknown as ConstructorParameters<typeof Progress>[0], false).show({ phase: 'queued', bytes: 0 });
    expect(written.join('')).toContain('queued  0 B');
  });
});

describe('holdfast list --plan', () => {
  it('of a plan without backups fails and names plans that are close', async () => {
    await stack.catalog.recordBackup(backupOf('01KAP2Q8X0J5T3M6W9RZB4V7CE' as RunId));
    expect(await stack.run('list', '--plan', 'order')).toMatchObject({ code: 1, stdout: '', stderr: 'holdfast: There is no backup of the plan order.\nDid you mean orders?\n' });
    expect((await stack.run('list', '--plan', 'order', '--json')).stderr).toContain('"code":"not-found"');
    expect((await stack.run('list', '--plan', 'orders')).code).toBe(0);
  });

  it('of a plan that is deployed and never ran says how it gets one', async () => {
    expect(await stack.run('list', '--plan', 'media')).toMatchObject({ code: 1, stderr: 'holdfast: There is no backup of the plan media.\nThe plan is known: `holdfast backup media --aws shop` makes a backup of it.\n' });
  });

  it('without a plan is content with an empty vault', async () => {
    expect(await stack.run('list')).toMatchObject({ code: 0, stdout: 'There is no backup yet.\n' });
  });
});

describe('--aws without a value', () => {
  it('is refused, never taken for this machine', async () => {
    expect(await stack.here('restores', '--aws', '')).toMatchObject({ code: 2, stdout: '', stderr: 'holdfast: --aws is empty, wanted the name of a stack.\nCheck the variable that the value came from; leave out --aws for a vault of this machine.\n' });
  });

  it('as an empty HOLDFAST_AWS counts as unset', async () => {
    stack.environment = { HOLDFAST_AWS: '' };
    expect((await stack.here('restores')).code).toBe(0);
    expect(stack.loaded).toEqual([undefined]);
  });
});
