import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { realFileOps } from '../../lib/stores/directory/file-ops.ts';
import { openDirectoryStore, type DirectoryStoreOptions } from '../../lib/stores/directory-store.ts';
import { asText, bytesOf, expectCode, expectSame, names, storeContract, text } from '../contract/store.ts';
import { fileOpsWith, systemError, withoutLinks } from '../support/file-ops.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const fresh = (options?: DirectoryStoreOptions) => openDirectoryStore(join(temporaryFolder(), 'vault'), options);

storeContract('the directory store', () => fresh());
storeContract('the directory store without hard links', () => fresh({ fileOps: withoutLinks() }));

describe('the directory store', () => {
  let root: string;
  beforeEach(() => {
    root = join(temporaryFolder(), 'deep', 'vault');
  });
  const open = (options?: DirectoryStoreOptions) => openDirectoryStore(root, options);

  it('makes folders for its owner alone (0700) and objects likewise (0600)', async () => {
    await open().put('a/b/c', text('x'));
    for (const folder of ['', 'tmp', 'a', 'a/b']) expect(lstatSync(join(root, folder)).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(root, 'a/b/c')).mode & 0o777).toBe(0o600);
  });

  it('keeps an object as a plain file under its own name', async () => {
    await open().put('snapshots/p/1', [text('ab'), text('cd')]);
    expect(readFileSync(join(root, 'snapshots/p/1'), 'utf8')).toBe('abcd');
  });

  it('leaves no temporary behind: after success, after refusal, after asking the time', async () => {
    const store = open();
    await store.put('a', text('x'));
    await store.put('a', text('x'));
    await expectCode('already-exists', store.put('a', text('y')));
    await store.now();
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  });

  it.each([
    ['with hard links', undefined],
    ['without hard links', withoutLinks()],
  ])('gives a name to one of 16 stores opened apart, %s', async (_how, fileOps) => {
    const contents = Array.from({ length: 16 }, (_, index) => bytesOf(1000, index));
    const results = await Promise.allSettled(contents.map((content) => open(fileOps && { fileOps }).put('race/x', content)));
    const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
    expect(winners).toHaveLength(1);
    expectSame(readFileSync(join(root, 'race/x')), contents[winners[0] as number] as Uint8Array);
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  });

  it('hands the views it was given to the file system, without copying them', async () => {
    const seen: Uint8Array[] = [];
    const parts = [bytesOf(10), new Uint8Array(new SharedArrayBuffer(20)).subarray(5, 15)];
    await open({ fileOps: fileOpsWith({ write: (file, given) => (seen.push(...given), realFileOps.write(file, given)) }) }).put('a', parts);
    expect(seen[0]).toBe(parts[0]);
    expect(seen[1]).toBe(parts[1]);
  });

  it('goes on where the file system wrote only part of what it was given', async () => {
    const stingy = fileOpsWith({ write: (file, parts) => realFileOps.write(file, [(parts[0] as Uint8Array).subarray(0, 7)]) });
    const parts = [bytesOf(20), bytesOf(7), bytesOf(1), bytesOf(30)];
    await open({ fileOps: stingy }).put('a', parts);
    expectSame(readFileSync(join(root, 'a')), Buffer.concat(parts));
  });

  it('flushes files of several puts at the same time', async () => {
    let running = 0;
    let most = 0;
    const syncFile = async (file: number) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await realFileOps.syncFile(file);
      running -= 1;
    };
    const store = open({ fileOps: fileOpsWith({ syncFile }) });
    await Promise.all(Array.from({ length: 8 }, (_, index) => store.put(`p/${index}`, text('x'))));
    expect(most).toBe(8);
  });

  it('stops between batches when the signal aborts, and removes what it wrote', async () => {
    const controller = new AbortController();
    const write = async (file: number, parts: readonly Uint8Array[]) => {
      controller.abort();
      return realFileOps.write(file, parts);
    };
    const parts = Array.from({ length: 3 }, () => new Uint8Array(8 * 1024 * 1024));
    await expectCode('interrupted', open({ fileOps: fileOpsWith({ write }) }).put('a', parts, { signal: controller.signal }));
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
    expect(existsSync(join(root, 'a'))).toBe(false);
  });

  it.each([
    ['ENOSPC', 'no-space', false],
    ['EDQUOT', 'no-space', false],
    ['EACCES', 'permission', false],
    ['EROFS', 'read-only', false],
    ['EIO', 'unavailable', true],
    ['EMFILE', 'unavailable', true],
    ['EINVAL', 'unsupported', false],
  ])('says %s in its own words: %s', async (errno, code, retryable) => {
    for (const operation of ['create', 'write', 'syncFile', 'syncFolder'] as const) {
      const failing = async () => {
        throw systemError(errno);
      };
      const pending = open({ fileOps: fileOpsWith({ [operation]: failing }) }).put(`packs/${operation}`, bytesOf(12_345));
      await expect(pending).rejects.toMatchObject({ name: 'HoldfastError', code, retryable });
      await expect(pending).rejects.toThrow(code === 'no-space' ? `write packs/${operation} to ${root}: the disk or the quota is full, 12345 bytes are needed` : root);
    }
    expect(existsSync(join(root, 'tmp')) ? readdirSync(join(root, 'tmp')) : []).toEqual([]);
  });

  it('calls an object that the disk cannot read back damaged, worth another try', async () => {
    await open().put('a', text('x'));
    const read = async () => {
      throw systemError('EIO');
    };
    await expect(open({ fileOps: fileOpsWith({ read }) }).get('a')).rejects.toMatchObject({ code: 'damaged', retryable: true });
  });

  it('says damaged when an object was cut off behind its back, also between looking and reading', async () => {
    const store = open();
    await store.put('a', bytesOf(1000));
    const facts = async (file: number) => {
      const before = await realFileOps.facts(file);
      truncateSync(join(root, 'a'), 500);
      return before;
    };
    await expectCode('damaged', open({ fileOps: fileOpsWith({ facts }) }).get('a'));
    await expectCode('damaged', open({ fileOps: fileOpsWith({ facts }) }).get('a', { offset: 400, length: 200 }));
    await expectCode('damaged', store.get('a', { offset: 400, length: 200 }));
    await expectCode('already-exists', store.put('a', bytesOf(1000)));
  });

  it('does not make a vault again whose disk went away while it was open', async () => {
    const store = open();
    await store.put('a/b', text('x'));
    renameSync(root, `${root}-unmounted`);
    await expectCode('unavailable', store.put('a/c', text('x')));
    await expectCode('unavailable', store.put('d/e', text('x')));
    expect(existsSync(root)).toBe(false);
    renameSync(`${root}-unmounted`, root);
    expect(await store.put('a/c', text('x'))).toEqual({ created: true });
  });

  it('writes again after an empty folder was tidied away by hand', async () => {
    const store = open();
    await store.put('a/b', text('x'));
    rmSync(join(root, 'a'), { recursive: true });
    await expectCode('unavailable', store.put('a/c', text('x')));
    expect(await store.put('a/c', text('x'))).toEqual({ created: true });
  });
});

describe('the directory store and what others planted in it', () => {
  let root: string;
  let outside: string;
  beforeEach(async () => {
    root = join(temporaryFolder(), 'vault');
    outside = temporaryFolder();
    writeFileSync(join(outside, 'secret'), 'secret');
    await openDirectoryStore(root).put('packs/a', text('x'));
  });

  it('never reads, writes or lists through a symbolic link in place of an object', async () => {
    for (const [link, target] of [['packs/link', join(outside, 'secret')], ['packs/dangling', join(outside, 'new')]] as const) {
      symlinkSync(target, join(root, link));
      const store = openDirectoryStore(root);
      await expectCode('damaged', store.get(link));
      await expectCode('damaged', store.stat(link));
      await expectCode('damaged', store.put(link, text('secret')));
    }
    expect(await names(openDirectoryStore(root), '')).toEqual(['packs/a']);
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  it('never goes through a symbolic link in place of a folder', async () => {
    symlinkSync(outside, join(root, 'index'));
    const store = openDirectoryStore(root);
    await expectCode('damaged', store.get('index/secret'));
    await expectCode('damaged', store.stat('index/secret'));
    await expectCode('damaged', store.put('index/new', text('x')));
    await expectCode('damaged', store.remove('index/secret'));
    await expectCode('damaged', names(store, 'index/'));
    expect(await names(store, '')).toEqual(['packs/a']);
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  it('does not write its temporaries through a symbolic link', async () => {
    rmSync(join(root, 'tmp'), { recursive: true });
    symlinkSync(outside, join(root, 'tmp'));
    await expectCode('damaged', openDirectoryStore(root).put('b', text('x')));
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  it('does not wait for the other end of a FIFO', async () => {
    execFileSync('mkfifo', [join(root, 'packs/fifo')]);
    const store = openDirectoryStore(root);
    await expectCode('damaged', store.get('packs/fifo'));
    expect(await names(store, '')).toEqual(['packs/a']);
  });

  it('passes over files whose names cannot be objects', async () => {
    mkdirSync(join(root, 'lost+found'));
    chmodSync(join(root, 'lost+found'), 0);
    writeFileSync(join(root, 'packs/a~'), '');
    writeFileSync(Buffer.concat([Buffer.from(join(root, 'packs/')), Buffer.from([0xff, 0xfe])]), '');
    expect(await names(openDirectoryStore(root), '')).toEqual(['packs/a']);
  });

  it('opens a vault whose root is itself reached through a symbolic link', async () => {
    symlinkSync(root, join(outside, 'vault'));
    const store = openDirectoryStore(join(outside, 'vault'));
    await store.put('packs/b', text('y'));
    expect(asText(await store.get('packs/b'))).toBe('y');
  });
});
