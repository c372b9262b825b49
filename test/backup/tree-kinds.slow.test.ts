import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, linkSync, mkdirSync, openSync, readdirSync, statSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { XattrReading } from '../../lib/engine/xattrs.ts';
import { display } from '../../lib/model/byte-string.ts';
import type { ByteString } from '../../lib/model/byte-string.ts';
import { ENTRY, FLAG } from '../../lib/repository/index.ts';
import type { FileBody, SpecialBody, SymlinkBody } from '../../lib/repository/index.ts';
import { backUp, entryOf, heldBy, testRepository } from '../support/run-backup.ts';
import type { HeldEntry, TestBackup } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

const itAsRoot = process.geteuid?.() === 0 ? it : it.skip;

async function heldOf(source: string | readonly string[], options?: TestBackup): Promise<{ held: Map<string, HeldEntry>; warnings: string[] }> {
  const repository = testRepository();
  const outcome = await backUp(repository, source, options);
  return { held: await heldBy(repository, outcome), warnings: outcome.manifest.warnings.map(({ code, path }) => `${code} ${path ?? ''}`) };
}

describe('every kind of entry is kept (S6)', () => {
  it('keeps owner, mode and times of files, directories and links, and reads through none of the links', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'folder'), { mode: 0o2750 });
    writeFileSync(join(root, 'folder', 'file'), 'content', { mode: 0o640 });
    execFileSync('touch', ['-d', '1969-12-31T23:59:54.5Z', join(root, 'folder', 'file')]);
    symlinkSync('../nowhere', join(root, 'folder', 'dangling'));
    symlinkSync('.', join(root, 'folder', 'loop'));
    symlinkSync('folder', join(root, 'link-to-folder'));
    const { held, warnings } = await heldOf(root);
    expect([...held.keys()]).toEqual(['', 'folder', 'folder/dangling', 'folder/file', 'folder/loop', 'link-to-folder']);
    const file = held.get('folder/file');
    expect(file?.content?.toString()).toBe('content');
    expect(file?.entry).toMatchObject({ type: ENTRY.file, mode: 0o640, size: 7, mtimeSeconds: -6, mtimeNanoseconds: 500_000_000, uid: process.getuid?.() });
    expect(entryOf<SymlinkBody>(held, 'folder/dangling').target).toBe('../nowhere');
    expect(entryOf<SymlinkBody>(held, 'link-to-folder').target).toBe('folder');
    expect(held.get('folder')?.entry).toMatchObject({ type: ENTRY.directory, mode: statSync(join(root, 'folder')).mode & 0o7777 });
    expect(warnings).toEqual([]);
  });

  it('keeps names as bytes: a newline, 255 bytes, bytes that are no UTF-8, in files and directories', async () => {
    const root = temporaryFolder();
    const strange = [Buffer.from('new\nline'), Buffer.alloc(255, 'n'), Buffer.from([0xff, 0xfe, 0x80]), Buffer.from('grün')];
    for (const name of strange) writeFileSync(Buffer.concat([Buffer.from(`${root}/f`), name.subarray(0, 254)]), name);
    for (const name of strange) {
      const folder = Buffer.concat([Buffer.from(`${root}/d`), name.subarray(0, 254)]);
      mkdirSync(folder);
      writeFileSync(Buffer.concat([folder, Buffer.from('/inside')]), name);
    }
    const { held, warnings } = await heldOf(root);
    expect(warnings).toEqual([]);
    for (const name of strange) {
      const path = name.subarray(0, 254).toString('latin1');
      expect(held.get(`f${path}`)?.content?.equals(name)).toBe(true);
      expect(held.get(`d${path}/inside`)?.content?.equals(name)).toBe(true);
    }
    expect(held.size).toBe(1 + 3 * strange.length);
  });

  it('reaches files whose path is longer than the system takes, and leaves no descriptor open', async () => {
    const root = temporaryFolder();
    const name = 'n'.repeat(200);
    // Step by step: no call takes the whole path.
    const script = 'import os, sys; os.chdir(sys.argv[1])\nfor i in range(60): os.mkdir(sys.argv[2]); os.chdir(sys.argv[2]); open("file", "w").write(str(i + 1))\nos.symlink("target", "link")';
    execFileSync('python3', ['-c', script, root, name]);
    const openBefore = readdirSync('/proc/self/fd').length;
    const { held, warnings } = await heldOf(root);
    expect(warnings).toEqual([]);
    const deepest = Array.from({ length: 60 }, () => name).join('/');
    expect(held.get(`${deepest}/file`)?.content?.toString()).toBe('60');
    expect(entryOf<SymlinkBody>(held, `${deepest}/link`).target).toBe('target');
    expect(held.size).toBe(1 + 60 * 2 + 1);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(openBefore);
    execFileSync('rm', ['-rf', join(root, name)]);
  });

  it('keeps FIFOs and sockets without opening them', async () => {
    const root = temporaryFolder();
    execFileSync('mkfifo', ['-m', '600', join(root, 'pipe')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve));
    const { held } = await heldOf(root);
    await new Promise((resolve) => server.close(resolve));
    expect(held.get('pipe')?.entry).toMatchObject({ type: ENTRY.fifo, mode: 0o600 });
    expect(held.get('socket')?.entry).toMatchObject({ type: ENTRY.socket });
  });

  itAsRoot('keeps device numbers, large ones too', async () => {
    const root = temporaryFolder();
    execFileSync('mknod', [join(root, 'null'), 'c', '1', '3']);
    execFileSync('mknod', [join(root, 'disk'), 'b', '259', '70000']);
    const { held } = await heldOf(root);
    const { type, major, minor } = entryOf<SpecialBody>(held, 'null');
    expect({ type, major, minor }).toEqual({ type: ENTRY.characterDevice, major: 1, minor: 3 });
    expect(held.get('disk')?.entry).toMatchObject({ type: ENTRY.blockDevice, major: 259, minor: 70_000 });
  });

  it('gives all names of a hard-linked file the same group and content', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'a'), 'linked');
    writeFileSync(join(root, 'other'), 'linked');
    linkSync(join(root, 'a'), join(root, 'b'));
    const { held } = await heldOf(root);
    const group = (path: string) => Buffer.from(entryOf<FileBody>(held, path).linkGroup ?? []).toString('hex');
    expect(group('a')).toHaveLength(32);
    expect(group('b')).toBe(group('a'));
    expect(group('other')).toBe('');
    expect(held.get('b')?.content?.toString()).toBe('linked');
  });

  it('marks sparse files, and reads their holes as zeroes', async () => {
    const root = temporaryFolder();
    const fd = openSync(join(root, 'sparse'), 'w');
    writeSync(fd, 'end', 3_000_000);
    closeSync(fd);
    writeFileSync(join(root, 'dense'), Buffer.alloc(100_000, 1));
    const { held } = await heldOf(root);
    const sparse = held.get('sparse');
    expect(entryOf<FileBody>(held, 'sparse').flags & FLAG.sparse).toBe(FLAG.sparse);
    expect(entryOf<FileBody>(held, 'dense').flags & FLAG.sparse).toBe(0);
    expect(sparse?.content?.equals(Buffer.concat([Buffer.alloc(3_000_000), Buffer.from('end')]))).toBe(true);
  });

  it('keeps files of every size around the bounds of chunks', async () => {
    const root = temporaryFolder();
    const sizes = [0, 1, 524_287, 524_288, 524_289, 2_097_151, 2_097_152, 2_097_153, 4_194_304];
    const content = Buffer.alloc(Math.max(...sizes), 'not quite regular content, 37 bytes..');
    for (const size of sizes) writeFileSync(join(root, String(size)), content.subarray(0, size));
    const { held } = await heldOf(root);
    for (const size of sizes) expect(held.get(String(size))?.content?.equals(content.subarray(0, size))).toBe(true);
  });

  it('keeps extended attributes of files and directories, whatever their names, and reports those it cannot keep', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'Ordner für Bücher'));
    writeFileSync(join(root, 'file'), '');
    const script = [
      'import os, sys',
      'root = os.fsencode(sys.argv[1])',
      'folder = os.path.join(root, "Ordner für Bücher".encode())',
      'os.setxattr(folder, b"user.colour", b"gr\\xc3\\xbcn")',
      'os.setxattr(os.path.join(root, b"file"), b"user.plain", b"\\x00\\xff")',
      'os.setxattr(os.path.join(root, b"file"), b"user.\\xff\\xfe", b"lost")',
    ].join('\n');
    execFileSync('python3', ['-c', script, root]);
    const { held, warnings } = await heldOf(root);
    const file = entryOf<FileBody>(held, 'file');
    expect(file.xattrs?.map(({ name, value }) => [name, Buffer.from(value).toString('hex')])).toEqual([['user.plain', '00ff']]);
    expect(warnings).toEqual(['xattrs-unreadable file']);
    // Directories are the main thread's work; the runner's loader cannot load the native module there, a thread can.
    const thread = new Worker(join(__dirname, '..', 'support', 'directory-xattrs.ts'), { workerData: join(root, 'Ordner für Bücher') });
    const [read] = (await once(thread, 'message')) as [XattrReading];
    expect(read.xattrs.map(({ name, value }) => [name, Buffer.from(value).toString()])).toEqual([['user.colour', 'grün']]);
  });
});

describe('what a plan chooses (S6)', () => {
  function sample(): string {
    const root = temporaryFolder();
    mkdirSync(join(root, 'src', 'deep'), { recursive: true });
    mkdirSync(join(root, 'node_modules', 'x'), { recursive: true });
    for (const path of ['a.txt', 'b.tmp', 'src/c.txt', 'src/d.tmp', 'src/deep/e.txt', 'node_modules/x/f.txt']) writeFileSync(join(root, path), path);
    return root;
  }

  it('leaves out what an exclude matches with everything below, by name at any depth or by path from the root', async () => {
    const { held } = await heldOf(sample(), { exclude: ['*.tmp', 'node_modules', 'src/deep'] });
    expect([...held.keys()]).toEqual(['', 'a.txt', 'src', 'src/c.txt']);
  });

  it('keeps of files only what an include matches, and exclude wins', async () => {
    const { held } = await heldOf(sample(), { include: ['*.txt'], exclude: ['/src/deep'] });
    expect([...held].filter(([, { content }]) => content).map(([path]) => path)).toEqual(['a.txt', 'node_modules/x/f.txt', 'src/c.txt']);
  });

  it('follows links when asked: files and directories behind them are kept as such, loops end, dangling ones stay links', async () => {
    const outside = temporaryFolder();
    mkdirSync(join(outside, 'folder'));
    writeFileSync(join(outside, 'folder', 'inner'), 'inner');
    writeFileSync(join(outside, 'single'), 'single');
    const root = temporaryFolder();
    symlinkSync(join(outside, 'folder'), join(root, 'to-folder'));
    symlinkSync(join(outside, 'single'), join(root, 'to-file'));
    symlinkSync('nowhere', join(root, 'dangling'));
    symlinkSync('.', join(root, 'loop'));
    const { held, warnings } = await heldOf(root, { isFollowingSymlinks: true });
    expect([...held.keys()]).toEqual(['', 'dangling', 'loop', 'to-file', 'to-folder', 'to-folder/inner']);
    expect(held.get('to-file')?.content?.toString()).toBe('single');
    expect(held.get('to-folder/inner')?.content?.toString()).toBe('inner');
    expect(held.get('dangling')?.entry.type).toBe(ENTRY.symlink);
    expect(warnings).toEqual(['unreadable loop']);
  });

  itAsRoot('stays on one file system when asked: a mount point is kept, what is mounted there is not', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'mounted'));
    writeFileSync(join(root, 'file'), 'here');
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'none', join(root, 'mounted')], { stdio: 'ignore' });
    } catch {
      return; // A container without the right to mount.
    }
    try {
      writeFileSync(join(root, 'mounted', 'other'), 'there');
      expect([...(await heldOf(root, { isOneFileSystem: true })).held.keys()]).toEqual(['', 'file', 'mounted']);
      expect([...(await heldOf(root)).held.keys()]).toEqual(['', 'file', 'mounted', 'mounted/other']);
    } finally {
      execFileSync('umount', [join(root, 'mounted')]);
    }
  });

  it('puts several paths below their last names, and refuses two of the same name', async () => {
    const [one, two] = [temporaryFolder(), temporaryFolder()];
    mkdirSync(join(one, 'data'));
    mkdirSync(join(two, 'data'));
    writeFileSync(join(one, 'data', 'x'), 'x');
    writeFileSync(join(two, 'single'), 'single');
    const { held } = await heldOf([join(two, 'single'), join(one, 'data')]);
    expect([...held.keys()]).toEqual(['data', 'data/x', 'single']);
    await expect(heldOf([join(one, 'data'), join(two, 'data')])).rejects.toMatchObject({ code: 'usage' });
  });

  it('keeps a single file under its name, and follows the path that it was given when that is a link', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), 'content');
    symlinkSync('file', join(folder, 'link-to-file'));
    symlinkSync(folder, join(folder, 'link-to-folder'));
    expect((await heldOf(join(folder, 'file'))).held.get('file')?.content?.toString()).toBe('content');
    expect((await heldOf(join(folder, 'link-to-file'))).held.get('link-to-file')?.content?.toString()).toBe('content');
    expect([...(await heldOf(join(folder, 'link-to-folder'))).held.keys()]).toEqual(['', 'file', 'link-to-file', 'link-to-folder']);
  });
});

describe('what cannot be read is reported, and the rest is kept (S6, P4)', () => {
  itAsRoot('lists files that fail in the middle as unreadable, small and large ones', async () => {
    // Reading another process's memory at address 0 answers EIO, as a broken disk does.
    const { held, warnings } = await heldOf('/proc/self/mem');
    const { entry, content } = held.get('mem') as HeldEntry;
    expect((entry as FileBody).flags & FLAG.unreadable).toBe(FLAG.unreadable);
    expect(content).toHaveLength(0);
    expect(warnings).toEqual(['unreadable mem']);
  });

  itAsRoot('keeps what an ordinary user may read, and names what it may not: files are listed, folders are known to be there', async () => {
    const root = temporaryFolder();
    chmodSync(root, 0o755);
    mkdirSync(join(root, 'closed'));
    for (const path of ['open', 'secret', 'closed/inside']) writeFileSync(join(root, path), path);
    chmodSync(join(root, 'secret'), 0o600);
    chmodSync(join(root, 'closed'), 0o700);
    const repository = testRepository();
    let outcome;
    process.seteuid?.(65_534);
    try {
      outcome = await backUp(repository, root, { ports: { startThread: (settings) => threadInProcess(settings) } });
    } finally {
      process.seteuid?.(0);
    }
    const held = await heldBy(repository, outcome);
    expect([...held.keys()]).toEqual(['', 'closed', 'open', 'secret']);
    expect(held.get('open')?.content?.toString()).toBe('open');
    expect(held.get('secret')?.entry).toMatchObject({ flags: FLAG.unreadable | FLAG.racy, mode: 0o600, size: 'secret'.length });
    expect(outcome.manifest.warnings.map(({ code, path, message }) => `${code} ${path} ${message}`).sort()).toEqual(['unreadable closed this user may not read it', 'unreadable secret this user may not read it']);
    const later = await backUp(repository, root, { ports: { startThread: (settings) => threadInProcess(settings) } });
    expect((await heldBy(repository, later)).get('secret')?.content?.toString()).toBe('secret');
  });

  it('fails when a root itself cannot be read, so that it never seems empty', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), 'x');
    const repository = testRepository();
    await backUp(repository, root);
    const source = { shape: 'tree' as const, type: 'files', description: 'gone', paths: [join(root, 'gone') as ByteString, root as ByteString], options: { isOneFileSystem: false, isFollowingSymlinks: false, changeDetection: 'auto' as const, isKeepingXattrs: false }, check: async () => undefined };
    await expect(backUp(repository, source)).rejects.toMatchObject({ code: 'source-failed', message: expect.stringContaining(display(join(root, 'gone') as ByteString)) });
  });

  it('takes a file of the proc file system, whose size is said to be 0, to its end', async () => {
    const { held } = await heldOf('/proc/version');
    expect(held.get('version')?.content?.toString()).toContain('Linux version');
  });

  it('reads a file again that was cut or grew between two runs', async () => {
    const root = temporaryFolder();
    const repository = testRepository();
    writeFileSync(join(root, 'file'), Buffer.alloc(700_000, 'abcdefg'));
    await backUp(repository, root);
    truncateSync(join(root, 'file'), 600_000);
    const held = await heldBy(repository, await backUp(repository, root));
    expect(held.get('file')?.content).toHaveLength(600_000);
  });
});
