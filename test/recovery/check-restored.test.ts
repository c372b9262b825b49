import { appendFileSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CrunchSettings } from '../../lib/engine/crunch-settings.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { checkRestored } from '../../lib/recovery/check-restored.ts';
import { executeRestore, planRestore } from '../../lib/recovery/restore.ts';
import { SnapshotReader, names } from '../../lib/repository/index.ts';
import { backUp, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

const everything = { patterns: [], maximumBytes: Number.MAX_SAFE_INTEGER, signal: new AbortController().signal, onProgress: () => undefined };

async function restored(): Promise<{ reader: SnapshotReader; target: string }> {
  const [root, target] = [temporaryFolder(), temporaryFolder()];
  mkdirSync(join(root, 'folder'));
  for (let index = 0; index < 20; index++) writeFileSync(join(root, 'folder', `file-${String(index).padStart(2, '0')}`), `content ${index}`.repeat(100));
  const repository = testRepository();
  const { manifest } = await backUp(repository, root, { ports: { startThread: (settings: CrunchSettings) => threadInProcess(settings) } });
  const reader = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
  await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock });
  return { reader, target };
}

describe('a restored tree is read again (R8)', () => {
  it('and every file is what the backup says', async () => {
    const { reader, target } = await restored();
    expect(await checkRestored(reader, target, everything)).toEqual({ files: 20, bytes: reader.manifest.statistics.bytes, unchecked: 0, problems: [] });
  });

  it.each([
    ['changed', (path: string) => { truncateSync(path, 0); appendFileSync(path, 'other bytes'.padEnd(900, '.')); }, 'holds other bytes than the backup'],
    ['cut', (path: string) => truncateSync(path, 10), 'has 10 bytes, wanted 900'],
    ['removed', (path: string) => rmSync(path), 'is not there'],
    ['replaced by a link', (path: string) => { rmSync(path); symlinkSync('file-01', path); }, 'cannot be read (ELOOP)'],
  ])('names a file that was %s', async (_what, spoil, problem) => {
    const { reader, target } = await restored();
    spoil(join(target, 'folder', 'file-03'));
    expect((await checkRestored(reader, target, everything)).problems).toEqual([`folder/file-03: ${problem}`]);
  });

  it('within a budget it reads files from all over the tree and counts the others', async () => {
    const { reader, target } = await restored();
    const { files, unchecked } = await checkRestored(reader, target, { ...everything, maximumBytes: reader.manifest.statistics.bytes / 4 });
    expect([files, unchecked]).toEqual([5, 15]);
  });

  it('only what was selected is looked for', async () => {
    const { reader, target } = await restored();
    rmSync(join(target, 'folder', 'file-07'));
    expect((await checkRestored(reader, target, { ...everything, patterns: ['folder/file-1*'] })).problems).toEqual([]);
  });
});
