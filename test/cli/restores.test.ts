import type { RestoreRecord } from '../../lib/catalog/records.ts';
import { timeInWords } from '../../lib/cli/words.ts';
import type { BackupId } from '../../lib/model/ids.ts';
import { MINUTE, NIGHT, NightStack } from './stack-in-process.ts';

let stack: NightStack;
beforeEach(() => {
  stack = new NightStack();
});
afterEach(() => stack.close());

const BACKUP = '01KAP2Q8X0J5T3M6W9RZB4V7CD' as BackupId;
const restore = (over: Partial<RestoreRecord> = {}): RestoreRecord => ({ restoreId: 'r1', backupId: BACKUP, target: 'orders-copy', state: 'running', startedAt: NIGHT - 4 * MINUTE, files: 0, bytes: 0, ...over });

describe('holdfast restores (R3)', () => {
  it('shows the stages, and of the one under way bytes and an ETA', async () => {
    await stack.catalog.recordRestore(restore({
      stages: [
        { name: 'checked', state: 'done', startedAt: NIGHT - 4 * MINUTE, finishedAt: NIGHT - 3 * MINUTE },
        { name: 'restored', state: 'running', startedAt: NIGHT - 3 * MINUTE, doneBytes: 1024 ** 2, totalBytes: 2 * 1024 ** 2 },
      ],
    }));
    expect(await stack.run('restores')).toMatchObject({
      code: 0,
      stdout: [`r1  running  ${BACKUP} into orders-copy  ${timeInWords(NIGHT - 4 * MINUTE)}, since 4 min 0 s`, '  checked        done after 1 min 0 s', '  restored       running  1.0 MiB of 2.0 MiB  50 %  ETA 3 min 0 s', ''].join('\n'),
    });
  });

  it('shows why one failed and what to do', async () => {
    await stack.catalog.recordRestore(restore({ state: 'failed', finishedAt: NIGHT - 3 * MINUTE, error: { code: 'target-exists', message: 'The database holds 3 tables.', nextStep: 'Name an empty one.' } }));
    expect((await stack.run('restores')).stdout.split('\n').slice(1)).toEqual(['  target-exists The database holds 3 tables.', '  Next: Name an empty one.', '']);
    expect(await stack.json('restores')).toMatchObject([{ type: 'restore', restore: 'r1', backup: BACKUP, state: 'failed', finishedAt: new Date(NIGHT - 3 * MINUTE).toISOString() }]);
  });

  it('works on the catalog of this machine, too', async () => {
    expect((await stack.here('restores')).stdout).toBe('There has been no restore.\n');
  });
});
