import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/model/clock.ts';
import { executeRestore, planRestore } from '../../lib/recovery/restore.ts';
import { SnapshotReader, names } from '../../lib/repository/index.ts';
import { backUp, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('a target that is none (R1)', () => {
  it.each<[string, (folder: string) => string, string, string]>([
    ['a file', (folder) => `${folder}/file`, 'target-exists', 'something that is no directory stands there or above it'],
    ['below a file', (folder) => `${folder}/file/x`, 'target-exists', 'something that is no directory stands there or above it'],
    ['below /proc', () => '/proc/nothing/here', 'permission', 'the file system takes no directory there'],
  ])('%s, is told with what to do, and nothing is restored', async (_what, at, code, words) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), 'stays');
    mkdirSync(join(folder, 'source'));
    const repository = testRepository();
    const { manifest } = await backUp(repository, join(folder, 'source'));
    const reader = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
    const restore = async () => {
      const plan = await planRestore(reader, { target: at(folder), patterns: [], overwrite: 'never', deleteExtra: false, signal: new AbortController().signal });
      return executeRestore(reader, plan, { clock: systemClock });
    };
    await expect(restore()).rejects.toMatchObject({ code, message: expect.stringContaining(words), nextStep: expect.stringContaining('--to') });
  });
});
