import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Person, describeTree, filesBelow } from './program.ts';

interface Listed { readonly type: string; readonly backup: string; readonly planName: string; readonly state: string }

/** A small tree with one of everything that a user has. */
function plantTree(root: string): void {
  mkdirSync(join(root, 'documents', 'empty'), { recursive: true });
  writeFileSync(join(root, 'documents', 'a-name-that-must-stay-secret.txt'), 'the launch code is swordfish-4711\n'.repeat(50));
  writeFileSync(join(root, 'documents', 'line\nbreak ü.bin'), Buffer.alloc(3_000_000, 'noise and more noise '));
  writeFileSync(join(root, 'script.sh'), '#!/bin/sh\n');
  chmodSync(join(root, 'script.sh'), 0o750);
  symlinkSync('documents/nowhere', join(root, 'dangling'));
  for (const path of ['script.sh', 'documents']) utimesSync(join(root, path), 1_600_000_000, 1_600_000_000);
}

describe('the program as a user meets it', () => {
  const person = new Person();
  const source = person.path('work', 'source');
  const flags = ['--vault', person.vault, '--key-file', person.path('key')];
  let first: string;

  beforeAll(() => plantTree(source));

  test('init makes a vault, a key file for its owner alone, and a holdfast.yaml that works', async () => {
    const { stdout } = await person.do(['init', ...flags]);
    expect(stdout).toContain('no schedules');
    expect(stdout).toContain('keep a copy away from this machine');
    expect(statSync(person.path('key')).mode & 0o777).toBe(0o600);
    expect(existsSync(join(person.vault, 'holdfast.json'))).toBe(true);
    const saved = await person.do(['backup', 'folder']);
    expect(saved.stdout).toContain('of folder');
    expect(saved.stderr.match(/no schedules/g)).toHaveLength(1);
    expect((await person.run(['init', ...flags])).stderr).toContain('A vault is at');
  });

  test('backup, list and show tell what was saved', async () => {
    expect((await person.do(['backup', source, ...flags])).stdout).toContain('3 new files');
    const listed = await person.json<Listed>(['list', ...flags]);
    expect((await person.do(['show', 'latest', ...flags])).stdout).toMatch(/type +first, number 1/);
    expect(listed.map(({ type, planName }) => [type, planName])).toEqual([['backup', source], ['backup', 'folder']]);
    first = listed[0]?.backup ?? '';
    const [shown] = await person.json<{ statistics: { files: number } }>(['show', first.slice(0, 24).toLowerCase(), ...flags]);
    expect(shown?.statistics.files).toBe(3);
  });

  test('ls shows one directory, cat writes one file', async () => {
    const { stdout } = await person.do(['ls', first, ...flags]);
    expect(stdout.trim().split('\n').map((line) => line.split('  ').at(-1))).toEqual(['dangling -> documents/nowhere', 'documents/', 'script.sh']);
    expect((await person.do(['ls', first, 'documents', ...flags])).stdout).toContain(String.raw`line\x0abreak ü.bin`);
    const entries = await person.json<{ path: string; kind: string; sha256?: string }>(['ls', first, '--recursive', ...flags]);
    expect(entries.filter(({ kind }) => kind === 'file')).toHaveLength(3);
    for (const { path, sha256 } of entries.filter(({ kind }) => kind === 'file')) {
      const content = readFileSync(join(source, path.replace(String.raw`\x0a`, '\n')));
      expect([path, sha256]).toEqual([path, createHash('sha256').update(content).digest('hex')]);
    }
    const { bytes } = await person.do(['cat', first, 'documents/line\nbreak ü.bin', ...flags]);
    expect(bytes.equals(readFileSync(join(source, 'documents', 'line\nbreak ü.bin')))).toBe(true);
    expect((await person.run(['cat', first, 'documents/other', ...flags])).code).toBe(1);
  });

  test('verify reads everything and restore brings everything back', async () => {
    expect((await person.do(['verify', '--level', 'full', ...flags])).stdout).toContain('2 of 2 backups good');
    const target = person.path('restored');
    await person.do(['restore', `latest:${source}`, '--to', target, ...flags]);
    expect(describeTree(target)).toEqual(describeTree(source));
  });

  test('a second backup stores only what changed, and both restore', async () => {
    const before = describeTree(source);
    writeFileSync(join(source, 'new.txt'), 'new');
    const [second] = await person.json<{ statistics: { newFiles: number; storedBytes: number } }>(['backup', source, ...flags]);
    expect(second?.statistics.newFiles).toBe(1);
    expect(second?.statistics.storedBytes).toBeLessThan(20_000);
    await person.do(['restore', first, '--to', person.path('old'), ...flags]);
    await person.do(['restore', 'latest', '--to', person.path('new'), ...flags]);
    expect(describeTree(person.path('old')).slice(1)).toEqual(before.slice(1));
    expect(describeTree(person.path('new'))).toEqual(describeTree(source));
  });

  test('restore takes patterns, shows a dry run, never overwrites unless told, deletes only when confirmed', async () => {
    const target = person.path('partial');
    await person.do(['restore', 'latest', '--to', target, '**/*.txt', ...flags]);
    expect(filesBelow(target).map((file) => file.slice(target.length + 1)).sort()).toEqual(['documents/a-name-that-must-stay-secret.txt', 'new.txt']);
    writeFileSync(join(target, 'new.txt'), 'mine now');
    writeFileSync(join(target, 'extra'), '');
    const { stdout } = await person.do(['restore', 'latest', '--to', target, '--overwrite', 'changed', '--delete-extra', '--dry-run', ...flags]);
    expect(stdout).toMatch(/overwrite +new\.txt/);
    expect(stdout).toMatch(/delete-extra +extra/);
    const left = await person.run(['restore', 'latest', '--to', target, ...flags]);
    expect([left.code, left.stdout]).toEqual([3, expect.stringMatching(/differs: 1 entry .*\n +new\.txt\n[^]*--overwrite changed/)]);
    expect(readFileSync(join(target, 'new.txt'), 'utf8')).toBe('mine now');
    const refused = await person.run(['restore', 'latest', '--to', target, '--overwrite', 'changed', '--delete-extra', ...flags]);
    expect(refused.code).toBe(1);
    expect(existsSync(join(target, 'extra'))).toBe(true);
    await person.do(['restore', 'latest', '--to', target, '--overwrite', 'changed', '--delete-extra', '--yes', ...flags]);
    expect(describeTree(target)).toEqual(describeTree(source));
    expect((await person.run(['restore', 'latest', '--to', target, 'no/such/*', ...flags])).code).toBe(1);
  });

  test('a damaged pack is named by verify, the rest is restored, exit code 12', async () => {
    const copy = person.path('damaged-vault');
    cpSync(person.vault, copy, { recursive: true, preserveTimestamps: true });
    const pack = filesBelow(join(copy, 'packs', 'cold')).sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? '';
    const bytes = readFileSync(pack);
    bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
    writeFileSync(pack, bytes);
    const here = ['--vault', copy, '--key-file', person.path('key')];
    const verified = await person.run(['verify', '--level', 'full', ...here]);
    expect(verified.code).toBe(12);
    expect(verified.stdout).toContain(pack.slice(copy.length + 1));
    const restored = await person.run(['restore', first, '--to', person.path('rest'), ...here]);
    expect(restored.code).toBe(12);
    expect(restored.stdout).toContain('not restored');
    expect(readdirSync(person.path('rest', 'documents'))).toContain('empty');
    expect((await person.run(['restore', 'latest', '--to', person.path('none'), ...here])).code).toBe(12);
  });

  test('a vault without its configuration: verify names it and says what to write; with that everything is whole', async () => {
    const copy = person.path('headless-vault');
    cpSync(person.vault, copy, { recursive: true });
    rmSync(join(copy, 'holdfast.json'));
    const here = ['--vault', copy, '--key-file', person.path('key')];
    expect((await person.run(['list', ...here])).code).toBe(10);
    const verified = await person.run(['verify', ...here]);
    expect(verified.code).toBe(12);
    const line = /write this line into it: (\{.*\})/.exec(verified.stderr)?.[1] ?? '';
    writeFileSync(join(copy, 'holdfast.json'), `${line}\n`);
    expect((await person.do(['verify', '--level', 'full', ...here])).stdout).toContain('3 of 3 backups good');
  });

  test('list finds a plan by a path, as latest does', async () => {
    expect(await person.json<Listed>(['list', '--plan', 'source', ...flags])).toHaveLength(2);
    expect(await person.json<Listed>(['list', '--plan', 'folder', ...flags])).toHaveLength(1);
  });

  test('keys add lets a passphrase open the vault; both open it afterwards', async () => {
    writeFileSync(person.path('passphrase'), 'correct horse battery staple\n');
    await person.do(['keys', 'add', '--new-passphrase-file', person.path('passphrase'), ...flags]);
    expect((await person.do(['keys', 'list', ...flags])).stdout.trim().split('\n')).toHaveLength(3);
    const { stdout } = await person.do(['list', '--vault', person.vault, '--passphrase-file', person.path('passphrase')]);
    expect(stdout).toContain(first);
  });

  test('a key without the data key lists and shows; cat and restore say what it lacks, and nothing is damaged', async () => {
    const { stdout } = await person.do(['keys', 'add', '--new-key-file', person.path('meta-key'), '--meta-only', ...flags]);
    expect(stdout).toContain(person.path('meta-key'));
    expect(stdout).not.toContain('Without it nothing');
    const here = ['--vault', person.vault, '--key-file', person.path('meta-key')];
    expect((await person.do(['list', ...here])).stdout).toContain(first);
    for (const args of [['cat', first, 'script.sh'], ['restore', first, '--to', person.path('meta-only')]]) {
      const ran = await person.run([...args, ...here]);
      expect([args[0], ran.code, ran.stdout]).toEqual([args[0], 11, '']);
      expect(ran.stderr).toContain('metadata only');
    }
    expect(existsSync(person.path('meta-only'))).toBe(false);
  });

  test('remove shows, asks, keeps the last good backup; prune marks what nobody needs only after two days', async () => {
    expect((await person.do(['remove', first, '--dry-run', ...flags])).stdout).toContain(`remove ${first}`);
    expect((await person.run(['remove', first, ...flags])).code).toBe(1);
    await person.do(['remove', first, '--yes', '--reason', 'a test', ...flags]);
    expect((await person.run(['show', first, ...flags])).code).toBe(1);
    const last = await person.run(['remove', 'latest', '--yes', ...flags]);
    expect(last.code).toBe(1);
    expect(last.stderr).toContain('last good backup');
    const asked = await person.run(['remove', 'latest', '--force', '--json', ...flags]);
    expect([asked.code, JSON.parse(asked.stderr)]).toMatchObject([1, { type: 'error', code: 'refused' }]);
    expect((await person.do(['prune', '--dry-run', ...flags])).stdout).toContain('Nothing was done');
    await person.do(['prune', ...flags]);
    expect((await person.do(['verify', '--level', 'full', ...flags])).code).toBe(0);
  });

  test('the catalog is a cache: gone or broken it comes back from the vault', async () => {
    const listed = (await person.do(['list', ...flags])).stdout;
    const states = person.path('xdg', 'state', 'holdfast', 'repositories');
    const catalog = join(states, readdirSync(states)[0] ?? '', 'catalog.sqlite');
    for (const suffix of ['', '-wal', '-shm']) rmSync(catalog + suffix, { force: true });
    expect((await person.do(['list', ...flags])).stdout).toBe(listed);
    for (const suffix of ['-wal', '-shm']) rmSync(catalog + suffix, { force: true });
    writeFileSync(catalog, Buffer.alloc(100_000, 'garbage'));
    const broken = await person.run(['list', ...flags]);
    expect(broken.code).toBe(3);
    expect(broken.stderr).toContain('holdfast catalog rebuild');
    expect(broken.stdout).toBe(listed);
    const saved = await person.run(['backup', source, ...flags]);
    expect(saved.code).toBe(3);
    expect(saved.stderr).toContain('holdfast catalog rebuild');
    await person.do(['catalog', 'rebuild', ...flags]);
    expect((await person.json<Listed>(['list', ...flags]))).toHaveLength(3);
  });

  test('nothing secret is in the vault or in anything that was said', () => {
    const contents = [join(source, 'documents', 'a-name-that-must-stay-secret.txt'), join(source, 'script.sh')].map((path) => readFileSync(path));
    const key = Buffer.from(/holdfast-key-1:(.*)/.exec(readFileSync(person.path('key'), 'utf8'))?.[1] ?? '', 'base64');
    expect(key).toHaveLength(32);
    const hashes = contents.map((content) => createHash('sha256').update(content).digest());
    const secrets = ['a-name-that-must-stay-secret', 'documents', 'script.sh', 'swordfish-4711', 'correct horse', source].map((text) => Buffer.from(text));
    const everything = [...secrets, key, ...[...hashes, key].flatMap((bytes) => [bytes, Buffer.from(bytes.toString('hex')), Buffer.from(bytes.toString('base64'))])];
    const files = filesBelow(person.vault);
    expect(files.length).toBeGreaterThan(15);
    for (const file of files) {
      const stored = Buffer.concat([Buffer.from(file.slice(person.vault.length)), readFileSync(file)]);
      for (const secret of everything) expect([file, stored.includes(secret)]).toEqual([file, false]);
    }
    for (const secret of [key.toString('base64'), key.toString('hex'), 'correct horse']) expect(person.said).not.toContain(secret);
    const state = filesBelow(person.path('xdg')).map((file) => readFileSync(file));
    for (const bytes of state) expect(bytes.includes(key) || bytes.includes(key.toString('base64'))).toBe(false);
  });
});

describe('what stands in the way is said in one line, with the right exit code, and nothing is written', () => {
  const person = new Person();
  const flags = ['--vault', person.vault, '--key-file', person.path('key')];

  beforeAll(async () => {
    mkdirSync(person.path('work', 'source'));
    writeFileSync(person.path('work', 'source', 'file'), 'content');
    await person.do(['init', '--no-yaml', ...flags]);
    await person.do(['backup', 'source', ...flags]);
  });

  const withVault = (change: (vault: string) => void): string => {
    const copy = join(person.folder, `copy-${readdirSync(person.folder).length}`);
    cpSync(person.vault, copy, { recursive: true });
    change(copy);
    return copy;
  };

  const stories: readonly (readonly [title: string, code: number, says: string, prepare: () => string[]])[] = [
    ['the wrong key', 11, 'opens none of the 1 key slot', () => {
      writeFileSync(person.path('wrong'), `holdfast-key-1:${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 });
      return ['--vault', person.vault, '--key-file', person.path('wrong')];
    }],
    ['the wrong key by the place that named it', 11, `${person.path('wrong')}, named by --key-file`, () => ['--vault', person.vault, '--key-file', person.path('wrong')]],
    ['a missing key', 11, 'is not there', () => ['--vault', person.vault, '--key-file', person.path('no-key')]],
    ['a key that others may read', 1, 'chmod 600', () => {
      cpSync(person.path('key'), person.path('open-key'));
      chmodSync(person.path('open-key'), 0o644);
      return ['--vault', person.vault, '--key-file', person.path('open-key')];
    }],
    ['no vault', 10, 'No vault is at', () => ['--vault', person.path('nowhere'), '--key-file', person.path('key')]],
    ['a directory that is no vault', 10, 'No vault is at', () => ['--vault', person.path('work'), '--key-file', person.path('key')]],
    ['a vault of a newer version', 1, 'format version 2', () => {
      const copy = withVault((vault) => writeFileSync(join(vault, 'holdfast.json'), readFileSync(join(vault, 'holdfast.json'), 'utf8').replace('"format":1', '"format":2')));
      return ['--vault', copy, '--key-file', person.path('key')];
    }],
    ['a configuration that is no JSON', 12, 'holdfast.json', () => ['--vault', withVault((vault) => writeFileSync(join(vault, 'holdfast.json'), '{')), '--key-file', person.path('key')]],
    ['a vault without key slots', 12, 'no readable key slot', () => ['--vault', withVault((vault) => rmSync(join(vault, 'keys'), { recursive: true })), '--key-file', person.path('key')]],
    ['an object under another name', 12, 'snapshots/', () => {
      const copy = withVault((vault) => {
        const [snapshot] = filesBelow(join(vault, 'snapshots'));
        cpSync(snapshot as string, `${(snapshot as string).slice(0, -1)}X`);
        rmSync(snapshot as string);
      });
      return ['--vault', copy, '--key-file', person.path('key')];
    }],
  ];

  test.each(stories)('%s ends with exit code %i', async (title, code, says, prepare) => {
    const given = prepare();
    const vault = given[1] as string;
    const before = existsSync(vault) ? describeTree(vault) : [];
    const command = title === 'an object under another name' ? ['restore', 'latest', '--to', person.path('never')] : ['backup', 'source'];
    const ran = await person.run([...command, ...given]);
    expect([ran.code, ran.stdout]).toEqual([code, '']);
    expect(ran.stderr).toContain(says);
    expect(ran.stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
    expect(ran.stderr).toMatch(/^holdfast: /);
    expect(existsSync(vault) ? describeTree(vault) : []).toEqual(before);
  });

  test('an old state of the vault served as the newest is noticed', async () => {
    const old = withVault(() => undefined);
    await person.do(['backup', 'source', ...flags]);
    const here = ['--vault', old, '--key-file', person.path('key')];
    const verified = await person.run(['verify', ...here]);
    expect(verified.code).toBe(3);
    expect(verified.stdout).toContain('old state of the vault');
    const listed = await person.run(['list', ...here]);
    expect(listed.code).toBe(3);
    expect(listed.stderr).toContain('old state of the vault');
    const saved = await person.run(['backup', 'source', ...here]);
    expect([saved.code, saved.stderr.includes('old state of the vault')]).toEqual([3, true]);
  });

  test('a mistyped command, a missing option, an unknown plan are usage', async () => {
    for (const args of [['bakup'], ['backup', ''], ['restore', 'latest'], ['backup', '-'], ['backup'], ['verify', '--level', 'deep'], ['backup', 'x', '--level', 'many']]) {
      const { code, stderr } = await person.run([...args, ...(args[0] === 'bakup' ? [] : flags)]);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toMatch(/^holdfast: /);
    }
  });

  test('errors are one line of JSON for programs, and a stack only when asked for', async () => {
    const { stderr } = await person.run(['list', '--vault', person.path('nowhere'), '--json']);
    expect(JSON.parse(stderr)).toMatchObject({ type: 'error', code: 'vault-not-found', exitCode: 10 });
    expect((await person.run(['list', '--vault', person.path('nowhere')])).stderr).not.toContain('    at ');
  });
});

test('prune right after remove says which packs wait, and until when', async () => {
  const person = new Person();
  writeFileSync(person.path('work', 'thing'), 'x');
  await person.do(['backup', 'thing']);
  await person.do(['remove', 'latest', '--force', '--yes']);
  for (const args of [['prune', '--dry-run'], ['prune']]) expect((await person.do(args)).stdout).toMatch(/\d packs? that no backup needs, .*younger than 48 h: run `holdfast prune` again after \d{4}-/);
});

const mayReadAll = process.getuid?.() === 0;
(mayReadAll ? test.skip : test)('a file that may not be read is named in the warning of backup and in show', async () => {
  const person = new Person();
  mkdirSync(person.path('work', 'things'));
  writeFileSync(person.path('work', 'things', 'closed'), 'x', { mode: 0 });
  const saved = await person.run(['backup', 'things']);
  expect([saved.code, saved.stderr.includes('warning: closed: this user may not read it')]).toEqual([3, true]);
  expect((await person.do(['show', 'latest'])).stdout).toContain('unreadable closed: this user may not read it');
});

describe('without any configuration', () => {
  test('backup PATH makes the default vault and its key, says where, and list, restore find them again', async () => {
    const person = new Person();
    mkdirSync(person.path('work', 'things'));
    writeFileSync(person.path('work', 'things', 'one'), '1');
    const { stderr } = await person.do(['backup', 'things']);
    expect(stderr).toContain(person.path('xdg', 'data', 'holdfast', 'vault'));
    expect(stderr).toContain(person.path('xdg', 'config', 'holdfast', 'key'));
    expect(stderr).toContain('keep a copy away from this machine');
    expect(statSync(person.path('xdg', 'config', 'holdfast', 'key')).mode & 0o777).toBe(0o600);
    expect((await person.do(['backup', './things/'])).stderr).toBe('');
    expect((await person.json<Listed>(['list'])).map(({ planName }) => planName)).toEqual([person.path('work', 'things'), person.path('work', 'things')]);
    await person.do(['restore', 'latest:things', '--to', 'back']);
    expect(readFileSync(person.path('work', 'back', 'one'), 'utf8')).toBe('1');
  });

  test('several paths restore below their base names, and a vault inside of its source is left out', async () => {
    const person = new Person();
    for (const name of ['a', 'b']) mkdirSync(person.path('work', name));
    writeFileSync(person.path('work', 'a', 'file'), 'a');
    writeFileSync(person.path('work', 'b', 'file'), 'b');
    const flags = ['--vault', person.path('work', 'b', 'vault'), '--key-file', person.path('key')];
    await person.do(['init', '--no-yaml', ...flags]);
    await person.do(['backup', 'a', 'b', ...flags]);
    await person.do(['restore', 'latest', '--to', 'back', ...flags]);
    expect(filesBelow(person.path('work', 'back')).map((file) => file.slice(person.path('work', 'back').length)).sort()).toEqual(['/a/file', '/b/file']);
  });

  test('a backup whose promised verification did not come is not the latest good one', async () => {
    const person = new Person();
    mkdirSync(person.path('work', 'data'));
    writeFileSync(person.path('work', 'data', 'file'), 'one');
    writeFileSync(person.path('work', 'holdfast.yaml'), `vaults: { main: { directory: ${person.vault}, key-file: ${person.path('key')} } }\nplans: { data: { source: { type: files, paths: [data] }, policy: { verification: full } } }\n`);
    await person.do(['init']);
    const [first] = await person.json<{ backup: string; verification: string }>(['backup', 'data']);
    expect(first?.verification).toBe('good');
    await person.do(['backup', 'data']);
    const newest = filesBelow(join(person.vault, 'verdicts')).sort().filter((file) => !file.includes(`/${first?.backup}/`));
    expect(newest.length).toBeGreaterThan(0);
    for (const file of newest) rmSync(file);
    expect((await person.json<{ backup: string }>(['show', 'latest:data']))[0]?.backup).toBe(first?.backup);
    // Whoever restores must not believe to have the newest.
    expect((await person.do(['restore', 'latest:data', '--to', 'back'])).stderr).toMatch(new RegExp(`warning: 01[0-9A-Z]+ is newer and not good: the verification .* has not passed\\. ${first?.backup} is taken instead`));
  });
});
