import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, ftruncateSync, linkSync, mkdirSync, openSync, closeSync, readFileSync, readdirSync, statSync, symlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareTrees } from '../../lib/recovery/compare-trees.ts';
import { INCOMPLETE_NAME } from '../../lib/recovery/export/perform-export.ts';
import { PROGRAM, Person, ended, filesBelow } from './program.ts';

interface Exported {
  readonly type: string;
  readonly isComplete: boolean;
  readonly exports: readonly { readonly path: string; readonly name: string; readonly bytes: number; readonly sha256: string }[];
  readonly leftOut: readonly { readonly path: string; readonly kind: string; readonly reason: string }[];
}

const isRoot = process.getuid?.() === 0;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The native module does not load inside of jest. */
function attribute(path: string, name: string, value?: Buffer): Buffer {
  const code = "import { getAttributeSync, setAttributeSync } from 'fs-xattr'; const [path, name, value] = process.argv.slice(1); if (value) setAttributeSync(path, name, Buffer.from(value, 'hex')); else process.stdout.write(getAttributeSync(path, name));";
  return execFileSync(process.execPath, ['--input-type=module', '-e', code, path, name, ...(value ? [value.toString('hex')] : [])], { cwd: __dirname });
}

/** One of everything that an archive must carry. */
function plant(root: string): void {
  const long = join('l'.repeat(140), 'm'.repeat(140));
  for (const folder of ['empty', 'd', long]) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'd', 'note.txt'), 'noted\n');
  writeFileSync(join(root, 'd', 'big.bin'), randomBytes(5_000_000));
  writeFileSync(join(root, 'empty-file'), '');
  writeFileSync(join(root, long, 'f'.repeat(140)), 'deep');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/odd \xff`, 'latin1'), Buffer.from('\n\\ "name"')]), 'odd');
  writeFileSync(join(root, 'ünïcode ✓'), 'u');
  linkSync(join(root, 'd', 'note.txt'), join(root, 'another-name'));
  linkSync(join(root, 'd', 'note.txt'), join(root, 'z-name'));
  symlinkSync('d/note.txt', join(root, 'link'));
  symlinkSync(`${'t'.repeat(130)}`, join(root, 'dangling'));
  chmodSync(join(root, 'd', 'note.txt'), 0o4751);
  sparse(join(root, 'sparse.img'));
  utimesSync(join(root, 'empty-file'), 1_600_000_000, 1_600_000_000.123456);
  attribute(join(root, 'd', 'note.txt'), 'user.holdfast=%', Buffer.from([0, 1, 255]));
  if (isRoot) execFileSync('mkfifo', ['-m', '640', join(root, 'pipe')]);
  if (isRoot) execFileSync('mknod', [join(root, 'device'), 'c', '5', '300']);
}

/** 40 MiB, of which a little in the middle and at the end is data. */
function sparse(path: string): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, 40 << 20);
  writeSync(fd, 'island', 20 << 20);
  writeSync(fd, 'end', (40 << 20) - 3);
  closeSync(fd);
}

describe('exports of directory trees as archives that every system reads (K9)', () => {
  const person = new Person();
  const source = person.path('work', 'source');
  const out = person.path('out');
  const extracted = (archive: string) => {
    const folder = join(person.folder, `x-${archive.replaceAll(/\W/g, '-')}`);
    mkdirSync(folder);
    execFileSync('tar', ['-C', folder, '--xattrs', '--xattrs-include=*', '-xf', join(out, archive)], { stdio: ['ignore', 'pipe', 'ignore'] });
    return folder;
  };

  beforeAll(async () => {
    Object.assign(person.environment, { HOLDFAST_VAULT: person.vault, HOLDFAST_KEY_FILE: person.path('key') });
    plant(source);
    mkdirSync(out);
    await person.do(['init', '--no-yaml']);
    await person.do(['backup', source]);
  });

  test.each(['a.tar.zst', 'a.tgz', 'a.tar'])('what GNU tar extracts from %s is the source', async (name) => {
    await person.do(['export', 'latest', '--to', join(out, name)]);
    const folder = extracted(name);
    expect(compareTrees(source, folder, { owners: isRoot, top: true }).differences).toEqual([]);
    expect(statSync(join(folder, 'd', 'note.txt')).ino).toBe(statSync(join(folder, 'z-name')).ino);
    expect(statSync(join(folder, 'empty-file')).mtimeMs % 1000).toBeGreaterThan(123);
    expect(attribute(join(folder, 'another-name'), 'user.holdfast=%')).toEqual(Buffer.from([0, 1, 255]));
    expect(statSync(join(folder, 'sparse.img')).blocks * 512).toBeLessThan(20 << 20);
  });

  test('the archive stands beside its metadata and a checksum that sha256sum accepts, for its owner alone', async () => {
    const [report] = await person.json<Exported>(['export', 'latest', '--to', `${person.path('made', 'here')}/`]);
    const [made] = report?.exports ?? [];
    expect(made?.name).toMatch(/^.*work-source-\d{8}T\d{6}Z\.tar\.zst$/);
    const folder = person.path('made', 'here');
    expect(readdirSync(folder).sort()).toEqual(['', '.json', '.sha256'].map((end) => `${made?.name}${end}`));
    expect(execFileSync('sha256sum', ['-c', `${made?.name}.sha256`], { cwd: folder, encoding: 'utf8' })).toBe(`${made?.name}: OK\n`);
    const metadata = JSON.parse(readFileSync(join(folder, `${made?.name}.json`), 'utf8')) as Record<string, unknown> & { backup: Record<string, unknown> };
    expect(metadata).toMatchObject({ type: 'holdfast-export', version: 1, isComplete: true, format: 'tar.zst', sha256: made?.sha256, bytes: made?.bytes, program: expect.stringMatching(/^holdfast \d/), backup: { plan: source, source: { type: 'files' } } });
    expect(sha256(readFileSync(join(folder, made?.name ?? '')))).toBe(made?.sha256);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  test('the same backup gives the same bytes, to a file and to standard output', async () => {
    await person.do(['export', 'latest', '--to', join(out, 'again.tar.zst')]);
    const { bytes, stderr } = await person.do(['export', 'latest', '--to', '-']);
    expect(sha256(bytes)).toBe(sha256(readFileSync(join(out, 'a.tar.zst'))));
    expect(sha256(readFileSync(join(out, 'again.tar.zst')))).toBe(sha256(bytes));
    expect(stderr).toContain(sha256(bytes));
  });

  test('nothing is overwritten, neither the export nor what stands beside it; a dry run writes nothing', async () => {
    const before = readFileSync(join(out, 'a.tar'));
    expect((await person.run(['export', 'latest', '--to', join(out, 'a.tar')])).stderr).toContain('is there already');
    writeFileSync(join(out, 'b.tar.sha256'), 'mine');
    const ran = await person.run(['export', 'latest', '--to', join(out, 'b.tar')]);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('b.tar.sha256 is there already')]);
    expect((await person.do(['export', 'latest', '--to', join(out, 'c.tar'), '--dry-run'])).stdout).toMatch(/would write .*c\.tar.*[^]*Nothing was done\. As tar: \d+ entries/);
    expect(readFileSync(join(out, 'a.tar')).equals(before)).toBe(true);
    expect(readdirSync(out).filter((name) => /^(?:b|c)\.|^\.holdfast/.test(name))).toEqual(['b.tar.sha256']);
  });

  test('patterns choose, with the directories above; one file goes out as it is', async () => {
    await person.do(['export', 'latest', '--to', join(out, 'part.tar'), '**/*.txt']);
    expect(execFileSync('tar', ['-tf', join(out, 'part.tar')], { encoding: 'utf8' })).toBe('./\nd/\nd/note.txt\n');
    await person.do(['export', 'latest', 'd/big.bin', '--to', out, '--format', 'raw']);
    expect(readFileSync(join(out, 'big.bin')).equals(readFileSync(join(source, 'd', 'big.bin')))).toBe(true);
    const refusals: readonly (readonly [args: string[], code: number, says: string])[] = [
      [['--to', join(out, 'x.tar'), '--format', 'tar.gz'], 2, 'says tar, and --format says tar.gz'],
      [['--to', join(out, 'x'), '--format', 'raw'], 2, 'one file as it is'],
      [['no/such/thing', '--to', join(out, 'x.tar')], 1, 'Nothing in the backup'],
      [['--to', join(out, 'not-there', 'x.tar')], 1, 'is no directory in which it can be made'],
      [['--to', ''], 2, '--to is empty'],
      [[], 2, 'No target was given'],
    ];
    for (const [args, code, says] of refusals) {
      const ran = await person.run(['export', 'latest', ...args]);
      expect([args, ran.code, ran.stderr]).toEqual([args, code, expect.stringContaining(says)]);
    }
  });

  test('with --no-sparse holes are zeros, for readers that know no sparse files', async () => {
    await person.do(['export', 'latest', 'sparse.img', '--to', join(out, 'zeros.tar'), '--no-sparse']);
    expect(statSync(join(out, 'zeros.tar')).size).toBeGreaterThan(40 << 20);
    const bytes = execFileSync('tar', ['-xOf', join(out, 'zeros.tar'), 'sparse.img'], { maxBuffer: 64 << 20 });
    expect(sha256(bytes)).toBe(sha256(readFileSync(join(source, 'sparse.img'))));
  });

  test.each<[NodeJS.Signals, number]>([['SIGKILL', 1], ['SIGTERM', 0]])('ended by %s while it writes, nothing looks like an export', async (signal, partials) => {
    const folder = person.path(`ended-by-${signal}`);
    mkdirSync(folder);
    const child = person.start(['export', 'latest', '--to', `${folder}/`, '--no-sparse', '--format', 'tar.gz']);
    const end = ended(child);
    const isWriting = () => readdirSync(folder).some((name) => name.startsWith('.holdfast-export-') && statSync(join(folder, name)).size > 0);
    while (!isWriting() && child.exitCode === null) await sleep(2);
    child.kill(signal);
    const ran = await end;
    expect([ran.signal ?? ran.code, readdirSync(folder).map((name) => name.replace(/(?<=^\.holdfast-export-).*/, ''))]).toEqual([signal === 'SIGKILL' ? signal : 130, Array<string>(partials).fill('.holdfast-export-')]);
    const left = signal === 'SIGKILL' ? [expect.stringContaining('/.holdfast-export-')] : [];
    const [planned] = await person.json<{ leftovers: { path: string }[] }>(['export', 'latest', '--to', `${folder}/`, '--dry-run']);
    expect(planned?.leftovers.map(({ path }) => path)).toEqual(left);
    const { stdout: told } = await person.do(['export', 'latest', '--to', `${folder}/`]);
    expect(told.includes('which an export that was killed left')).toBe(signal === 'SIGKILL');
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
    const [made] = readdirSync(folder).filter((name) => name.endsWith('.sha256'));
    expect(spawnSync('sha256sum', ['-c', made ?? ''], { cwd: folder }).status).toBe(0);
  });

  (isRoot ? test : test.skip)('a file system that fills leaves nothing and says what to do', async () => {
    const small = person.path('small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'holdfast-test', small]);
    try {
      const ran = await person.run(['export', 'latest', '--to', `${small}/`]);
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/Writing .*small.*tar\.zst failed: the file system is full[^]*Make room/)]);
      expect(readdirSync(small)).toEqual([]);
      execFileSync('mount', ['-o', 'remount,size=64m', small]);
      await person.do(['export', 'latest', '--to', `${small}/`]);
    } finally {
      execFileSync('umount', ['--lazy', small]);
    }
  });

  test('a standard output that takes no more fails the export', async () => {
    const { status, stderr } = spawnSync('sh', ['-c', `exec "$0" "$@" >/dev/full`, process.execPath, PROGRAM, 'export', 'latest', '--to', '-'], { env: person.environment, encoding: 'utf8' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('Writing to standard output failed')]);
    const gone = spawnSync('bash', ['-c', `"$0" "$@" | head -c 10 >/dev/null; exit "\${PIPESTATUS[0]}"`, process.execPath, PROGRAM, 'export', 'latest', '--to', '-'], { env: person.environment, encoding: 'utf8' });
    expect([gone.status, gone.stderr]).toEqual([1, expect.stringContaining('not a whole export')]);
  });
});

describe('exports of a damaged backup (K9)', () => {
  const person = new Person();
  const source = person.path('work', 'source');
  const out = person.path('out');

  beforeAll(async () => {
    Object.assign(person.environment, { HOLDFAST_VAULT: person.vault, HOLDFAST_KEY_FILE: person.path('key') });
    mkdirSync(source);
    mkdirSync(out);
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(source, name), randomBytes(3_000_000));
    linkSync(join(source, 'a'), join(source, 'also-a'));
    await person.do(['init', '--no-yaml']);
    await person.do(['backup', source, '--threads', '1']);
    // The first frame holds the beginning of the first file.
    const [pack] = filesBelow(join(person.vault, 'packs', 'hot')).sort((left, right) => statSync(right).size - statSync(left).size);
    const fd = openSync(pack ?? '', 'r+');
    writeSync(fd, 'damage', 1000);
    closeSync(fd);
  });

  test('fail with what is damaged and leave no file', async () => {
    const ran = await person.run(['export', 'latest', '--to', `${out}/`]);
    expect([ran.code, ran.stderr]).toEqual([12, expect.stringMatching(/^holdfast: a is damaged: [^]*Nothing was exported\.\n.*--keep-going/)]);
    expect(readdirSync(out)).toEqual([]);
  });

  test('go on when told to: what is damaged is not in the archive, which says so, as does the metadata', async () => {
    const ran = await person.run(['export', 'latest', '--to', join(out, 'rest.tar'), '--keep-going', '--json']);
    expect(ran.code).toBe(12);
    const report = JSON.parse(ran.stdout) as Exported;
    expect([report.isComplete, report.leftOut.map(({ path, kind }) => [path, kind])]).toEqual([false, [['a', 'damaged'], ['also-a', 'damaged']]]);
    const members = execFileSync('tar', ['-tf', join(out, 'rest.tar')], { encoding: 'utf8' }).trim().split('\n');
    expect(members).toEqual([INCOMPLETE_NAME, './', 'b', 'c', 'd']);
    expect(execFileSync('tar', ['-xOf', join(out, 'rest.tar'), INCOMPLETE_NAME], { encoding: 'utf8' })).toMatch(/is not complete[^]*\na: [^]*\nalso-a: /);
    for (const name of ['b', 'c', 'd']) expect(execFileSync('tar', ['-xOf', join(out, 'rest.tar'), name], { maxBuffer: 8 << 20 }).equals(readFileSync(join(source, name)))).toBe(true);
    const metadata = JSON.parse(readFileSync(join(out, 'rest.tar.json'), 'utf8')) as { isComplete: boolean; leftOut: { path: string }[] };
    expect([metadata.isComplete, metadata.leftOut.map(({ path }) => path)]).toEqual([false, ['a', 'also-a']]);
  });

  test('a damaged file alone cannot be exported, whatever was told', async () => {
    const ran = await person.run(['export', 'latest', 'a', '--to', join(out, 'a'), '--format', 'raw', '--keep-going']);
    expect([ran.code, readdirSync(out).includes('a')]).toEqual([12, false]);
  });
});

describe('exports of dumps, databases and streams under their own names (K9)', () => {
  const person = new Person();
  const out = person.path('out');

  beforeAll(async () => {
    Object.assign(person.environment, { HOLDFAST_VAULT: person.vault, HOLDFAST_KEY_FILE: person.path('key') });
    mkdirSync(out);
    await person.do(['init', '--no-yaml']);
  });

  test('a SQLite database comes out as a database that SQLite finds whole', async () => {
    const file = person.path('work', 'shop');
    const database = new DatabaseSync(file);
    database.exec('CREATE TABLE t (n, x); BEGIN');
    const insert = database.prepare('INSERT INTO t VALUES (?, ?)');
    for (let n = 0; n < 5000; n++) insert.run(n, 'x'.repeat(100));
    database.exec('COMMIT');
    database.close();
    writeFileSync(person.path('work', 'holdfast.yaml'), `vaults:\n  v:\n    directory: ${person.vault}\n    key-file: ${person.path('key')}\nplans:\n  shop:\n    vault: v\n    source:\n      type: sqlite\n      path: ${file}\n`);
    await person.do(['backup', 'shop']);
    await person.do(['export', 'latest:shop', '--to', `${out}/`]);
    const copy = new DatabaseSync(join(out, 'shop.db'), { readOnly: true });
    expect(copy.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    expect(copy.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 5000 });
    copy.close();
    expect(execFileSync('sha256sum', ['-c', 'shop.db.sha256'], { cwd: out, encoding: 'utf8' })).toBe('shop.db: OK\n');
  });

  test('what a command printed comes out byte for byte, with the digest that the backup has', async () => {
    await person.do(['backup', '--command', 'seq 1 300000', '--stdin-name', 'numbers.sql']);
    await person.do(['export', 'latest:numbers.sql', '--to', out]);
    const bytes = readFileSync(join(out, 'numbers.sql'));
    expect(bytes.equals(execFileSync('seq', ['1', '300000'], { maxBuffer: 8 << 20 }))).toBe(true);
    const metadata = JSON.parse(readFileSync(join(out, 'numbers.sql.json'), 'utf8')) as { streams: object[]; backup: object };
    expect(metadata).toMatchObject({ format: 'raw', streams: [{ path: 'numbers.sql', bytes: bytes.length, sha256: sha256(bytes) }], backup: { source: { type: 'command' } } });
  });

  test('a stream whose list of chunks is cut into pieces goes out under its odd name and is accepted by sha256sum', async () => {
    // Above 512 chunks of about 256 KiB; most are the same, so that little is stored.
    const input = Buffer.concat(Array<Buffer>(24).fill(randomBytes(7 << 20)));
    const name = 'back\\slash\nline';
    await person.do(['backup', '-', '--stdin-name', name], input);
    await person.do(['export', 'latest', '--to', out]);
    expect(sha256(readFileSync(join(out, name)))).toBe(sha256(input));
    expect(spawnSync('sha256sum', ['--status', '-c', `${name}.sha256`], { cwd: out }).status).toBe(0);
  });

  test('a stream may go into an archive, too', async () => {
    await person.do(['export', 'latest:numbers.sql', '--to', join(out, 'numbers.tar.gz')]);
    expect(execFileSync('tar', ['-tf', join(out, 'numbers.tar.gz')], { encoding: 'utf8' })).toBe('numbers.sql\n');
  });
});
