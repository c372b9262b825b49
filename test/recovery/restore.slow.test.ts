import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '../../lib/model/clock.ts';
import { FLAG } from '../../lib/repository/index.ts';
import type { SnapshotReader } from '../../lib/repository/index.ts';
import { compareTrees } from '../../lib/recovery/compare-trees.ts';
import { executeRestore, outcomeOf, planRestore, skippedGroups } from '../../lib/recovery/restore.ts';
import type { ExecuteOptions, RestoreReport, RestoreRequest } from '../../lib/recovery/restore.ts';
import { restoreLimits } from '../../lib/recovery/restore-limits.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const workerUrl = join(__dirname, '../../lib/recovery/worker.ts');
const isRoot = process.geteuid?.() === 0;

function fixture(sizes?: ConstructorParameters<typeof FixtureSnapshot>[1]): FixtureSnapshot {
  return new FixtureSnapshot(new MemoryStore(systemClock), sizes).directory('', { mode: 0o755 });
}

async function restore(reader: SnapshotReader, target: string, request: Partial<RestoreRequest> = {}, options: Partial<ExecuteOptions> = {}): Promise<RestoreReport> {
  const plan = await planRestore(reader, { target, ...request });
  return executeRestore(reader, plan, { clock: systemClock, fsync: 'none', ...options });
}

async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

describe('restoring into an empty directory (R1)', () => {
  it('brings back every kind of entry with content, mode and times', async () => {
    const target = join(temporaryFolder(), 'new', 'place');
    const snapshot = fixture();
    snapshot.directory('a', { mode: 0o2750, mtimeSeconds: 1_600_000_000 }).symlink('a/link', '../b.txt').special('pipe', 'fifo', { mode: 0o640 }).special('talk', 'socket');
    await snapshot.file('a/one', 'one', { mode: 0o600 });
    await snapshot.file('a/empty', '', { mode: 0o444, mtimeSeconds: -5, mtimeNanoseconds: 250_000_000 });
    await snapshot.file('b.txt', 'text', { mode: 0o755 });
    const report = await restore(await snapshot.build(), target);
    expect(outcomeOf(report)).toBeUndefined();
    expect(readFileSync(join(target, 'a/one'), 'utf8')).toBe('one');
    expect(readFileSync(join(target, 'b.txt'), 'utf8')).toBe('text');
    expect(readlinkSync(join(target, 'a/link'))).toBe('../b.txt');
    expect(lstatSync(join(target, 'pipe')).isFIFO()).toBe(true);
    expect(existsSync(join(target, 'talk'))).toBe(false);
    expect(readdirSync(target).sort()).toEqual(['a', 'b.txt', 'pipe']);
    const modes = ['a', 'a/one', 'a/empty', 'b.txt', 'pipe'].map((path) => (statSync(join(target, path)).mode & 0o7777).toString(8));
    expect(modes).toEqual(['2750', '600', '444', '755', '640']);
    expect(statSync(join(target, 'a')).mtimeMs).toBe(1_600_000_000_123.456);
    expect(lstatSync(join(target, 'a/link')).mtimeMs).toBe(1_700_000_000_123.456);
    expect(statSync(join(target, 'a/empty')).mtimeMs).toBe(-4750);
    expect(report.skipped.map(({ reason }) => reason)).toEqual(['sockets are made by the program that listens on them']);
  });

  it.each([
    ['inline', {}],
    ['in threads', { workerUrl, threads: 2 }],
  ])('writes files of several chunks, packs and windows, %s', async (_how, options) => {
    const target = temporaryFolder();
    const snapshot = fixture({ frameBytes: 40_000, packBytes: 200_000, treeChunkBytes: 2000 });
    const contents = new Map<string, Buffer>();
    for (let index = 0; index < 600; index++) {
      const parts = Array.from({ length: index % 7 }, () => randomBytes(1 + (index * 97) % 9000));
      contents.set(`d${index % 5}/f${index}`, Buffer.concat(parts));
      if (index < 5) snapshot.directory(`d${index}`, { mode: 0o700 });
      await snapshot.file(`d${index % 5}/f${index}`, parts);
    }
    const reader = await snapshot.build();
    expect(snapshot.packs.length).toBeGreaterThan(20);
    const report = await restore(reader, target, {}, { ...options, limits: { files: 50, bytes: 1 << 20, heldFiles: 9 } });
    expect(report.refused).toEqual([]);
    for (const [path, content] of contents) expect(readFileSync(join(target, path)).equals(content)).toBe(true);
    expect(report.restored.files).toBe(600);
  });

  it('keeps the time of a directory although files arrive in it later', async () => {
    const target = temporaryFolder();
    const snapshot = fixture({ frameBytes: 1000, packBytes: 5000 }).directory('d', { mtimeSeconds: 1_000_000_000, mtimeNanoseconds: 0 }).directory('d/e', { mtimeSeconds: 1_000_000_001, mtimeNanoseconds: 0 });
    for (let index = 0; index < 30; index++) await snapshot.file(`d/e/${index}`, [randomBytes(700), randomBytes(700)]);
    await restore(await snapshot.build(), target, {}, { limits: { files: 3, bytes: 1 << 20, heldFiles: 9 } });
    expect(statSync(join(target, 'd')).mtimeMs).toBe(1_000_000_000_000);
    expect(statSync(join(target, 'd/e')).mtimeMs).toBe(1_000_000_001_000);
  });

  it('follows list chunks of long files', async () => {
    const target = temporaryFolder();
    const parts = Array.from({ length: 50 }, () => randomBytes(1000));
    const snapshot = await fixture({ frameBytes: 4000 }).file('long', parts, { isListed: true });
    await restore(await snapshot.build(), target);
    expect(readFileSync(join(target, 'long')).equals(Buffer.concat(parts))).toBe(true);
  });

  it('makes hard links of one file again, also across directories', async () => {
    const target = temporaryFolder();
    const linked = { flags: FLAG.linked, linkGroup: Buffer.alloc(16, 7) };
    const snapshot = fixture().directory('x').directory('y');
    for (const path of ['x/first', 'y/second', 'zz']) await snapshot.file(path, 'same', linked);
    const report = await restore(await snapshot.build(), target);
    const inodes = ['x/first', 'y/second', 'zz'].map((path) => statSync(join(target, path)).ino);
    expect(new Set(inodes).size).toBe(1);
    expect(report.restored).toMatchObject({ files: 3, bytes: 12 });
  });

  it('restores runs of zeroes of sparse files as holes, with the right length', async () => {
    const target = temporaryFolder();
    const zeroes = Buffer.alloc(1 << 20);
    const odd = Buffer.concat([randomBytes(5000), Buffer.alloc(300_000), randomBytes(777)]);
    const parts = [zeroes, odd, zeroes, randomBytes(10), zeroes];
    const snapshot = await fixture().file('sparse', parts, { flags: FLAG.sparse });
    await snapshot.file('all-zero', zeroes, { flags: FLAG.sparse });
    await restore(await snapshot.build(), target);
    expect(readFileSync(join(target, 'sparse')).equals(Buffer.concat(parts))).toBe(true);
    expect(statSync(join(target, 'sparse')).blocks * 512).toBeLessThan(64 << 10);
    expect(statSync(join(target, 'all-zero'))).toMatchObject({ size: 1 << 20, blocks: 0 });
  });

  it('takes names of 255 bytes, with newlines, not in UTF-8, and paths longer than PATH_MAX (S6)', async () => {
    const target = temporaryFolder();
    const snapshot = fixture();
    await snapshot.file(`${'n'.repeat(254)}x`, 'long name');
    await snapshot.file('line\nbreak', 'newline');
    await snapshot.file('ümlaut', 'utf-8');
    let deep = '';
    for (let depth = 0; depth < 40; depth++) snapshot.directory((deep += (depth > 0 ? '/' : '') + String(depth).padStart(200, 'd')));
    await snapshot.file(`${deep}/bottom`, 'deep');
    const raw = await fixture().file('placeholder', 'bytes').then((other) => other.build());
    expect(raw.manifest.statistics.files).toBe(1);
    const report = await restore(await snapshot.build(), target);
    expect(report.refused).toEqual([]);
    expect(readFileSync(join(target, `${'n'.repeat(254)}x`), 'utf8')).toBe('long name');
    expect(readFileSync(join(target, 'line\nbreak'), 'utf8')).toBe('newline');
    expect(readFileSync(join(target, 'ümlaut'), 'utf8')).toBe('utf-8');
    const before = process.cwd();
    try {
      process.chdir(target);
      for (const name of deep.split('/')) process.chdir(name);
      expect(readFileSync('bottom', 'utf8')).toBe('deep');
    } finally {
      process.chdir(before);
    }
  });

  it('keeps directories open for reading by their owner alone until they are whole', async () => {
    const target = temporaryFolder();
    const snapshot = fixture().directory('locked', { mode: 0o000 });
    await snapshot.file('locked/in', 'x', { mode: 0o000 });
    await restore(await snapshot.build(), target);
    expect(statSync(join(target, 'locked')).mode & 0o7777).toBe(0);
    chmodSync(join(target, 'locked'), 0o700);
  });

  (isRoot ? it : it.skip)('an ordinary user restores directories that nobody may enter, whatever is open meanwhile', async () => {
    const target = temporaryFolder();
    chmodSync(target, 0o777);
    const snapshot = fixture({ frameBytes: 1000, packBytes: 3000 }).directory('outer', { mode: 0o000 }).directory('outer/inner', { mode: 0o000 });
    for (let index = 0; index < 20; index++) await snapshot.file(`outer/inner/${index}`, [randomBytes(600), randomBytes(600)]);
    const reader = await snapshot.build();
    const report = await asNobody(() => restore(reader, target, {}, { limits: { files: 3, bytes: 1 << 20, heldFiles: 3, openFolders: 0 } }));
    expect(report.refused).toEqual([]);
    expect(['outer', 'outer/inner'].map((path) => statSync(join(target, path)).mode & 0o7777)).toEqual([0, 0]);
    expect(readdirSync(join(target, 'outer/inner')).length).toBe(20);
  });

  (isRoot ? it : it.skip)('as root sets owners, devices and setuid', async () => {
    const target = temporaryFolder();
    const snapshot = fixture().special('null', 'characterDevice', { major: 1, minor: 3, mode: 0o666 }).symlink('s', 'x', { uid: 1234, gid: 5678 });
    await snapshot.file('su', 'x', { uid: 1234, gid: 5678, mode: 0o4755 });
    const report = await restore(await snapshot.build(), target);
    expect(report.refused).toEqual([]);
    expect(statSync(join(target, 'su'))).toMatchObject({ uid: 1234, gid: 5678 });
    expect(statSync(join(target, 'su')).mode & 0o7777).toBe(0o4755);
    expect(lstatSync(join(target, 's'))).toMatchObject({ uid: 1234, gid: 5678 });
    expect(lstatSync(join(target, 'null')).isCharacterDevice()).toBe(true);
    expect(lstatSync(join(target, 'null')).rdev).toBe(0x103);
  });

  (isRoot ? it : it.skip)('leaves setuid out when the system refuses the owner, and says so', async () => {
    const target = temporaryFolder();
    chmodSync(target, 0o777);
    const snapshot = fixture().symlink('s', 'x', { uid: 1234, gid: 1234 });
    await snapshot.file('su', 'x', { uid: 1234, gid: 1234, mode: 0o6755 });
    await snapshot.file('pieces', [Buffer.from('a'), Buffer.from('b')], { uid: 1234, gid: 1234, mode: 0o6755 });
    const reader = await snapshot.build();
    const report = await asNobody(() => restore(reader, target, {}, { restoreOwner: true }));
    expect(['su', 'pieces'].map((name) => statSync(join(target, name)).mode & 0o7777)).toEqual([0o755, 0o755]);
    expect(report.warnings.join()).toMatch(/owner could not be set/);
    expect(report.refused).toEqual([]);
  });

  (isRoot ? it : it.skip)('a device that cannot be made is told without the paths that Holdfast works with', async () => {
    const target = temporaryFolder();
    chmodSync(target, 0o777);
    const reader = await fixture().special('node', 'characterDevice', { major: 1, minor: 3 }).build();
    const report = await asNobody(() => restore(reader, target));
    expect(report.refused).toEqual([{ path: 'node', kind: 'failed', reason: 'mknod failed: Operation not permitted' }]);
  });

  it('leaves setuid out when the owner is not restored', async () => {
    const target = temporaryFolder();
    const snapshot = await fixture().file('su', 'x', { uid: 4_000_000, gid: 4_000_000, mode: 0o6755 });
    await restore(await snapshot.build(), target, {}, { restoreOwner: false });
    expect(statSync(join(target, 'su')).mode & 0o7777).toBe(0o755);
    expect(statSync(join(target, 'su')).uid).toBe(process.geteuid?.());
  });

  it('tells progress that ends at everything, and flushes when asked', async () => {
    const target = temporaryFolder();
    const snapshot = fixture();
    for (let index = 0; index < 20; index++) await snapshot.file(`f${index}`, randomBytes(1000));
    const seen: number[] = [];
    const report = await restore(await snapshot.build(), target, {}, { fsync: 'end', onProgress: ({ bytes, totalBytes }) => seen.push(bytes / totalBytes) });
    expect(seen.at(-1)).toBe(1);
    expect(report.restored).toEqual({ entries: 21, files: 20, bytes: 20_000 });
    await restore(await snapshot.build(), temporaryFolder(), {}, { fsync: 'file' });
  });
});

describe('restoring a selection (R1)', () => {
  async function sample(): Promise<SnapshotReader> {
    const snapshot = fixture({ treeChunkBytes: 100 }).directory('docs', { mode: 0o750 }).directory('docs/deep').directory('src');
    for (const path of ['docs/a.md', 'docs/b.txt', 'docs/deep/c.md', 'src/main.ts', 'top.md']) await snapshot.file(path, path);
    return snapshot.build();
  }

  it.each([
    [['docs'], ['docs', 'docs/a.md', 'docs/b.txt', 'docs/deep', 'docs/deep/c.md']],
    [['docs/*.md'], ['docs', 'docs/a.md']],
    [['**/*.md'], ['docs', 'docs/a.md', 'docs/deep', 'docs/deep/c.md', 'top.md']],
    [['docs/deep/c.md', 'src'], ['docs', 'docs/deep', 'docs/deep/c.md', 'src', 'src/main.ts']],
    [['t?p.[lm]d', './src/'], ['src', 'src/main.ts', 'top.md']],
    [['doc'], []],
  ])('%j restores %j', async (patterns, wanted) => {
    const target = temporaryFolder();
    const report = await restore(await sample(), target, { patterns });
    expect((readdirSync(target, { recursive: true }) as string[]).sort()).toEqual([...wanted].sort());
    expect(report.refused).toEqual([]);
    if (wanted.includes('docs')) expect(statSync(join(target, 'docs')).mode & 0o777).toBe(0o750);
  });

  it('of an empty pattern is refused, and nothing is written', async () => {
    const target = temporaryFolder();
    await expect(restore(await sample(), target, { patterns: [''] })).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('patterns is empty') });
    expect(readdirSync(target)).toEqual([]);
  });

  it('refuses patterns that lead upwards', async () => {
    await expect(restore(await sample(), temporaryFolder(), { patterns: ['../etc'] })).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('stopping', () => {
  it('leaves whole files and nothing half written', async () => {
    const target = temporaryFolder();
    const snapshot = fixture({ frameBytes: 10_000, packBytes: 50_000 });
    for (let index = 0; index < 100; index++) await snapshot.file(`f${index}`, [randomBytes(5000), randomBytes(5000)]);
    const reader = await snapshot.build();
    const controller = new AbortController();
    const running = restore(reader, target, {}, { signal: controller.signal, limits: { files: 10, bytes: 1 << 20, heldFiles: 10 }, onProgress: () => controller.abort() });
    await expect(running).rejects.toMatchObject({ code: 'interrupted' });
    const left = readdirSync(target);
    expect(left.length).toBeLessThan(100);
    for (const name of left) expect(statSync(join(target, name)).size).toBe(10_000);
  });

  it('a second run with --overwrite changed completes the first, directories too', async () => {
    const [target, whole] = [temporaryFolder(), temporaryFolder()];
    const snapshot = fixture({ frameBytes: 10_000, packBytes: 50_000 }).directory('d', { mode: 0o750 }).directory('d/e', { mode: 0o711 });
    for (let index = 0; index < 60; index++) await snapshot.file(`d/${index % 2 ? 'e/' : ''}f${index}`, [randomBytes(500), randomBytes(500)]);
    const reader = await snapshot.build();
    const controller = new AbortController();
    const options = { limits: { files: 10, bytes: 1 << 20, heldFiles: 10 } };
    await expect(restore(reader, target, {}, { ...options, signal: controller.signal, onProgress: ({ files }) => files > 20 && controller.abort() })).rejects.toMatchObject({ code: 'interrupted' });
    const report = await restore(reader, target, { overwrite: 'changed' }, options);
    expect(report.skipped.length).toBeGreaterThan(10);
    await restore(reader, whole);
    expect(compareTrees(whole, target, { top: true }).differences).toEqual([]);
  });
});

describe('restoring over what is there (R1)', () => {
  async function sample(): Promise<SnapshotReader> {
    const snapshot = fixture().directory('d', { mode: 0o700 });
    await snapshot.file('d/old', 'from the backup');
    await snapshot.file('d/same', 'same');
    await snapshot.file('missing', 'new');
    return snapshot.build();
  }

  async function filled(reader: SnapshotReader): Promise<string> {
    const target = temporaryFolder();
    await restore(reader, target);
    writeFileSync(join(target, 'd/old'), 'something else');
    writeFileSync(join(target, 'extra'), 'extra');
    mkdirSync(join(target, 'd/more/deep'), { recursive: true });
    return target;
  }

  it('never overwrites unless told to, and says what stayed', async () => {
    const reader = await sample();
    const target = await filled(reader);
    const report = await restore(reader, target);
    expect(readFileSync(join(target, 'd/old'), 'utf8')).toBe('something else');
    expect(report.restored.files).toBe(0);
    expect(outcomeOf(report)).toBe('target-exists');
    expect(skippedGroups(report).map(({ left, paths }) => [left, ...paths])).toEqual([['different', 'd/old'], ['same', 'd/same', 'missing']]);
    expect(report.skipped.map(({ path, reason }) => `${path}: ${reason}`)).toEqual([
      'd/old: the size of what is there differs, and nothing may be overwritten',
      'd/same: it is there already, the same by type, size, time and mode',
      'missing: it is there already, the same by type, size, time and mode',
    ]);
  });

  it.each([
    ['changed', 1, 'from the backup'],
    ['always', 3, 'from the backup'],
    ['older', 0, 'something else'],
  ] as const)('with --overwrite %s replaces %i files', async (overwrite, count, content) => {
    const reader = await sample();
    const target = await filled(reader);
    const inode = statSync(join(target, 'd/old')).ino;
    const report = await restore(reader, target, { overwrite });
    expect(report.restored.files).toBe(count);
    expect(readFileSync(join(target, 'd/old'), 'utf8')).toBe(content);
    if (count > 0) expect(statSync(join(target, 'd/old')).ino).not.toBe(inode);
    expect(readdirSync(join(target, 'd')).sort()).toEqual(['more', 'old', 'same']);
  });

  it('what is there and all the same is success; a directory of another mode is named', async () => {
    const reader = await sample();
    const target = temporaryFolder();
    await restore(reader, target);
    const again = await restore(reader, target);
    expect([outcomeOf(again), again.skipped.length]).toEqual([undefined, 3]);
    chmodSync(join(target, 'd'), 0o755);
    const report = await restore(reader, target);
    expect([outcomeOf(report), report.skipped.filter(({ left }) => left === 'different').map(({ path }) => path)]).toEqual(['target-exists', ['d']]);
  });

  it('deletes what is extra only when asked, exactly what the plan lists', async () => {
    const reader = await sample();
    const target = await filled(reader);
    const plan = await planRestore(reader, { target, deleteExtra: true });
    expect([...plan.exceptions.values()].filter(({ action }) => action === 'delete-extra').map(({ path }) => path)).toEqual(['d/more', 'extra']);
    writeFileSync(join(target, 'later'), 'made after the plan');
    const report = await executeRestore(reader, plan, { clock: systemClock, fsync: 'none' });
    expect(report.deleted).toEqual(['d/more', 'extra']);
    expect(readdirSync(target).sort()).toEqual(['d', 'later', 'missing']);
  });

  it('deletes nothing outside the patterns', async () => {
    const reader = await sample();
    const target = await filled(reader);
    const report = await restore(reader, target, { deleteExtra: true, patterns: ['d'] });
    expect(report.deleted).toEqual(['d/more']);
    expect(readFileSync(join(target, 'extra'), 'utf8')).toBe('extra');
  });

  it('the plan writes nothing', async () => {
    const reader = await sample();
    const target = join(temporaryFolder(), 'absent');
    const plan = await planRestore(reader, { target });
    expect(existsSync(target)).toBe(false);
    expect(plan).toMatchObject({ targetState: 'absent', totals: { create: { files: 3, bytes: 22 } } });
  });

  it('never replaces a directory by a file or the reverse', async () => {
    const reader = await sample();
    const target = temporaryFolder();
    writeFileSync(join(target, 'd'), 'a file');
    mkdirSync(join(target, 'missing'));
    const report = await restore(reader, target, { overwrite: 'always' });
    expect(report.refused.map(({ path, kind }) => `${kind} ${path}`)).toEqual(['conflict d', 'conflict d/old', 'conflict d/same', 'conflict missing']);
    expect(outcomeOf(report)).toBe('target-exists');
    expect(report.refused.map(({ below }) => below)).toEqual([undefined, 'd', 'd', undefined]);
    expect(readFileSync(join(target, 'd'), 'utf8')).toBe('a file');
  });

  it('keeps hard links together when it replaces them', async () => {
    const linked = { flags: FLAG.linked, linkGroup: Buffer.alloc(16, 3) };
    const snapshot = await fixture().file('a', 'same', linked);
    const reader = await (await snapshot.file('b', 'same', linked)).build();
    const target = temporaryFolder();
    await restore(reader, target);
    await restore(reader, target, { overwrite: 'always' });
    expect(readdirSync(target).sort()).toEqual(['a', 'b']);
    expect(statSync(join(target, 'a')).ino).toBe(statSync(join(target, 'b')).ino);
  });
});

describe('few descriptors', () => {
  it('share out the limit: all that may be open at once stays below it', () => {
    for (const [threads, descriptors] of [[2, 256], [2, 1024], [16, 1024], [2, 20_000], [64, 1_000_000]] as const) {
      const { openFolders, heldFiles, jobFiles } = restoreLimits(threads, descriptors);
      expect(openFolders + 2 * heldFiles + 2 * threads * jobFiles).toBeLessThan(descriptors);
    }
  });

  it('each file in a directory of its own still arrives', async () => {
    const target = temporaryFolder();
    const snapshot = fixture();
    for (let index = 0; index < 300; index++) await snapshot.directory(`d${index}`).file(`d${index}/f`, index % 9 === 0 ? '' : String(index));
    const report = await restore(await snapshot.build(), target, {}, { limits: { ...restoreLimits(2, 64), files: 100 } });
    expect(report.refused).toEqual([]);
    for (let index = 0; index < 300; index++) expect(readFileSync(join(target, `d${index}/f`), 'utf8')).toBe(index % 9 === 0 ? '' : String(index));
  });
});
