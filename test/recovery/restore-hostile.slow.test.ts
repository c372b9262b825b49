import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync, lstatSync, readlinkSync, linkSync, statSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '../../lib/model/clock.ts';
import { ENTRY } from '../../lib/repository/index.ts';
import type { SnapshotReader } from '../../lib/repository/index.ts';
import { executeRestore, outcomeOf, planRestore } from '../../lib/recovery/restore.ts';
import type { RestoreReport, RestoreRequest } from '../../lib/recovery/restore.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function fixture(): FixtureSnapshot {
  return new FixtureSnapshot(new MemoryStore(systemClock), { treeChunkBytes: 64 }).directory('');
}

async function restore(reader: SnapshotReader, target: string, request: Partial<RestoreRequest> = {}): Promise<RestoreReport> {
  return executeRestore(reader, await planRestore(reader, { target, ...request }), { clock: systemClock, fsync: 'none' });
}

/** A target and, beside it, what must not be touched. */
function ground(): { target: string; outside: string; untouched: () => void } {
  const folder = temporaryFolder();
  const [target, outside] = [join(folder, 'target'), join(folder, 'outside')];
  mkdirSync(target);
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'untouched');
  const before = statSync(outside).mtimeMs;
  const mode = statSync(join(outside, 'secret')).mode;
  return {
    target,
    outside,
    untouched: () => {
      expect(readdirSync(outside)).toEqual(['secret']);
      expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('untouched');
      expect(statSync(outside).mtimeMs).toBe(before);
      expect(statSync(join(outside, 'secret')).mode).toBe(mode);
      expect(readdirSync(folder).sort()).toEqual(['outside', 'target']);
    },
  };
}

async function deep(): Promise<SnapshotReader> {
  const snapshot = fixture().directory('a', { mode: 0o777 }).directory('a/b', { mode: 0o777 }).directory('a/b/c', { mode: 0o777 });
  for (const path of ['secret', 'a/secret', 'a/b/secret', 'a/b/c/secret']) await snapshot.file(path, 'from the backup', { mode: 0o777 });
  return snapshot.build();
}

describe('a target with planted symbolic links', () => {
  describe.each(['never', 'older', 'changed', 'always'] as const)('with --overwrite %s', (overwrite) => {
    it.each(['secret', 'a/secret', 'a/b/secret', 'a/b/c/secret'])('a link to a file outside in place of the file %s is not followed', async (path) => {
      const { target, outside, untouched } = ground();
      mkdirSync(join(target, path, '..'), { recursive: true });
      symlinkSync(join(outside, 'secret'), join(target, path));
      await restore(await deep(), target, { overwrite });
      untouched();
      const isReplaced = overwrite === 'changed' || overwrite === 'always';
      expect(lstatSync(join(target, path)).isSymbolicLink()).toBe(!isReplaced);
    });

    it.each(['a', 'a/b', 'a/b/c'])('a link to a directory outside in place of the directory %s is a conflict', async (path) => {
      const { target, outside, untouched } = ground();
      mkdirSync(join(target, path, '..'), { recursive: true });
      symlinkSync(outside, join(target, path));
      const report = await restore(await deep(), target, { overwrite });
      untouched();
      expect(outcomeOf(report)).toBe('target-exists');
      expect(report.refused.map((entry) => entry.path)).toContain(`${path}/secret`);
      expect(readlinkSync(join(target, path))).toBe(outside);
      expect(readFileSync(join(target, 'secret'), 'utf8')).toBe('from the backup');
    });

    it.each(['secret', 'a/b/secret'])('a dangling link in place of %s does not make a file where it points', async (path) => {
      const { target, outside, untouched } = ground();
      mkdirSync(join(target, path, '..'), { recursive: true });
      symlinkSync(join(outside, 'new'), join(target, path));
      await restore(await deep(), target, { overwrite });
      untouched();
    });

    it('a dangling link in place of a directory does not make a directory where it points', async () => {
      const { target, outside, untouched } = ground();
      symlinkSync(join(outside, 'new'), join(target, 'a'));
      await restore(await deep(), target, { overwrite });
      untouched();
    });
  });

  it('a hard link to a file outside is replaced, not written through', async () => {
    const { target, outside, untouched } = ground();
    linkSync(join(outside, 'secret'), join(target, 'secret'));
    await restore(await deep(), target, { overwrite: 'always' });
    untouched();
    expect(readFileSync(join(target, 'secret'), 'utf8')).toBe('from the backup');
  });

  it('--delete-extra removes a link to a directory, not what is in the directory', async () => {
    const { target, outside, untouched } = ground();
    mkdirSync(join(target, 'extra/inner'), { recursive: true });
    symlinkSync(outside, join(target, 'extra/inner/link'));
    symlinkSync(outside, join(target, 'link'));
    const report = await restore(await deep(), target, { deleteExtra: true });
    untouched();
    expect(report.deleted).toEqual(['extra', 'link']);
    expect(existsSync(join(target, 'extra'))).toBe(false);
  });

  it.each([
    ['links', (path: string, outside: string) => symlinkSync(outside, path)],
    ['dangling links', (path: string, outside: string) => symlinkSync(join(outside, 'new'), path)],
    ['files', (path: string) => writeFileSync(path, 'planted')],
  ])('directories swapped for %s between plan and restore are refused', async (_what, plant) => {
    const { target, outside, untouched } = ground();
    const reader = await deep();
    for (const path of ['a/b/c', 'x']) mkdirSync(join(target, path), { recursive: true });
    const plan = await planRestore(reader, { target, overwrite: 'always' });
    rmSync(join(target, 'a/b'), { recursive: true });
    plant(join(target, 'a/b'), outside);
    const report = await executeRestore(reader, plan, { clock: systemClock, fsync: 'none' });
    untouched();
    expect(report.refused.map(({ path }) => path)).toEqual(['a/b', 'a/b/c', 'a/b/c/secret', 'a/b/secret']);
    expect(readFileSync(join(target, 'a/secret'), 'utf8')).toBe('from the backup');
  });

  it.each([
    ['kept open', 1000],
    ['opened again and again', 0],
  ])('directories swapped for links while restoring are not entered, %s', async (_how, openFolders) => {
    const { target, outside, untouched } = ground();
    const snapshot = fixture();
    const names = Array.from({ length: 60 }, (_, index) => `d${String(index).padStart(2, '0')}`);
    for (const name of names) {
      snapshot.directory(name, { mode: 0o777 });
      for (const file of ['secret', 'x']) await snapshot.file(`${name}/${file}`, [Buffer.from('from '), Buffer.from(`the backup ${name}`)], { mode: 0o777 });
    }
    const reader = await snapshot.build();
    const plan = await planRestore(reader, { target });
    let swapped = 0;
    // Every time bytes were written, what is there is moved away and links to the outside take the places.
    const swap = (): void => {
      for (const name of readdirSync(target).filter((entry) => !entry.includes('moved'))) {
        if (lstatSync(join(target, name)).isSymbolicLink()) continue;
        renameSync(join(target, name), join(target, `${name}-moved`));
        symlinkSync(outside, join(target, name));
        swapped++;
      }
    };
    await executeRestore(reader, plan, { clock: systemClock, fsync: 'none', onProgress: swap, limits: { files: 4, bytes: 1 << 20, heldFiles: 4, openFolders } });
    untouched();
    expect(swapped).toBeGreaterThan(10);
  });

  it.each([
    ['a link to a file', (path: string, outside: string) => symlinkSync(join(outside, 'secret'), path)],
    ['a dangling link', (path: string, outside: string) => symlinkSync(join(outside, 'new'), path)],
    ['a hard link', (path: string, outside: string) => linkSync(join(outside, 'secret'), path)],
    ['a file', (path: string) => writeFileSync(path, 'planted')],
  ])('%s planted between plan and restore where files will be made is refused', async (_what, plant) => {
    const { target, outside, untouched } = ground();
    const snapshot = await fixture().file('one', 'from the backup', { mode: 0o777 });
    await snapshot.file('pieces', [Buffer.from('from the '), Buffer.from('backup')], { mode: 0o777 });
    snapshot.symlink('way', 'x').special('pipe', 'fifo');
    const reader = await snapshot.build();
    const plan = await planRestore(reader, { target });
    const names = ['one', 'pieces', 'pipe', 'way'];
    for (const name of names) plant(join(target, name), outside);
    const report = await executeRestore(reader, plan, { clock: systemClock, fsync: 'none' });
    untouched();
    expect(report.refused.map(({ path, kind }) => `${kind} ${path}`).sort()).toEqual(names.map((name) => `conflict ${name}`));
    expect(readdirSync(target).sort()).toEqual(names);
  });

  it('a file swapped for a link between two of its pieces is not written through', async () => {
    const { target, outside, untouched } = ground();
    const store = new MemoryStore(systemClock);
    const snapshot = new FixtureSnapshot(store, { frameBytes: 1000, packBytes: 1500 }).directory('');
    await snapshot.file('big', Array.from({ length: 20 }, () => randomBytes(1000)));
    const reader = await snapshot.build();
    let isSwapped = false;
    const swap = (): void => {
      const name = readdirSync(target).find((entry) => entry.startsWith('.holdfast-'));
      if (isSwapped || name === undefined) return;
      renameSync(join(target, name), join(target, 'moved'));
      symlinkSync(join(outside, 'secret'), join(target, name));
      isSwapped = true;
    };
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none', onProgress: swap });
    untouched();
    expect(isSwapped).toBe(true);
    expect(report.refused.map(({ path, reason }) => `${path}: ${reason}`)).toEqual(['big: something else was put in its place while it was written']);
    expect(readdirSync(target)).toEqual(['moved']);
  });

  it('the target itself may be a link: the user named it', async () => {
    const { target, outside } = ground();
    symlinkSync(target, join(outside, 'way'));
    await restore(await deep(), join(outside, 'way'));
    expect(readFileSync(join(target, 'a/b/c/secret'), 'utf8')).toBe('from the backup');
  });
});

describe('a hostile snapshot', () => {
  it.each([
    ['..', '../evil'],
    ['.. inside', 'a/../../evil'],
    ['an absolute path', '/evil'],
    ['NUL', 'a\0b'],
    ['an empty component', 'a//b'],
    ['.', './evil'],
    ['a component of 256 bytes', 'n'.repeat(256)],
  ])('with %s in a name is refused there; the rest is restored', async (_what, name) => {
    const { target, untouched } = ground();
    const snapshot = fixture();
    await snapshot.file('good', 'good');
    await snapshot.file(name, 'evil');
    const reader = await snapshot.build({ isSorted: false });
    const report = await restore(reader, target);
    untouched();
    expect(outcomeOf(report)).toBe('damaged');
    expect(readdirSync(target)).toEqual(['good']);
  });

  it('with entries below a symbolic link of its own does not follow it', async () => {
    const { target, outside, untouched } = ground();
    const snapshot = fixture().symlink('way', outside);
    await snapshot.file('way/secret', 'evil');
    const report = await restore(await snapshot.build(), target);
    untouched();
    expect(report.refused.map(({ path, kind }) => `${kind} ${path}`)).toEqual(['conflict way/secret']);
  });

  it('with a name twice, first as a link and then as a directory, does not follow it', async () => {
    const { target, outside, untouched } = ground();
    const snapshot = fixture().symlink('way', outside).directory('way');
    await snapshot.file('way/secret', 'evil');
    const report = await restore(await snapshot.build({ isSorted: false }), target, { overwrite: 'always' });
    untouched();
    expect(outcomeOf(report)).toBe('damaged');
  });

  it('with paths that do not ascend is refused there', async () => {
    const { target } = ground();
    const snapshot = fixture();
    for (const path of ['b', 'a']) await snapshot.file(path, path.repeat(200));
    const reader = await snapshot.build({ isSorted: false });
    const report = await restore(reader, target);
    expect(report.treeDamage.length + report.refused.length).toBeLessThanOrEqual(1);
    expect(readdirSync(target).length).toBeLessThanOrEqual(2);
  });

  it('with a type that does not exist is refused', async () => {
    const { target } = ground();
    const snapshot = fixture().record('odd', Buffer.of(99, 0, 0, 0, 0, 0, 0));
    await expect(restore(await snapshot.build(), target)).rejects.toMatchObject({ code: 'damaged' });
  });

  it('with a file whose chunks hold fewer bytes than it says is refused', async () => {
    const { target } = ground();
    const snapshot = await fixture().file('short', 'four', { size: 5 });
    const report = await restore(await snapshot.build(), target);
    expect(report.refused).toEqual([{ path: 'short', kind: 'damaged', reason: 'its chunks hold 4 bytes, wanted 5' }]);
    expect(readdirSync(target)).toEqual([]);
  });

  it('with a file that names a chunk by another length is refused', async () => {
    const { target } = ground();
    const snapshot = fixture();
    const ref = await snapshot.chunk(Buffer.from('four'));
    await snapshot.file('odd', '', { size: 3 });
    snapshot.entry('long', { type: ENTRY.file, flags: 0, mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, size: 3, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 1n, refs: [{ ...ref, length: 3 }] });
    const report = await restore(await snapshot.build(), target);
    expect(report.refused.map(({ path, kind }) => `${kind} ${path}`).sort()).toEqual(['damaged long', 'damaged odd']);
    expect(readdirSync(target)).toEqual([]);
  });

  it('with a link target of any kind keeps the words and does not look', async () => {
    const { target, untouched } = ground();
    const snapshot = fixture().symlink('l', '../outside/secret', { type: ENTRY.symlink, mode: 0o777 } as never);
    await restore(await snapshot.build(), target);
    untouched();
    expect(readlinkSync(join(target, 'l'))).toBe('../outside/secret');
  });
});
