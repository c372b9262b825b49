import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, linkSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Person, describeTree, filesBelow } from './program.ts';

const MIB = 1 << 20;
const undo: (() => void)[] = [];
afterEach(() => undo.splice(0).reverse().forEach((step) => step()));

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}${error?.message ?? ''} (scripts/servers.sh installs it on Debian as root; mounting takes root)`);
}

/** exFAT by way of FUSE: no hard links, no symbolic links, no modes, names regardless of case, times of two seconds. */
function exfat(person: Person): string {
  const image = person.path('exfat.img');
  const place = person.path('exfat');
  mkdirSync(place);
  const fd = openSync(image, 'w');
  ftruncateSync(fd, 96 * MIB);
  closeSync(fd);
  run('mkfs.exfat', [image]);
  const device = run('losetup', ['--find', '--show', image]);
  undo.push(() => run('losetup', ['--detach', device]));
  run('mount.exfat-fuse', [device, place]);
  undo.push(() => run('umount', [place]));
  return place;
}

/** The folder at its own place, read-only from now on. */
function readOnlyMount(folder: string): void {
  run('mount', ['--bind', folder, folder]);
  undo.push(() => run('umount', [folder]));
  run('mount', ['-o', 'remount,bind,ro', folder]);
}

function plant(source: string): void {
  mkdirSync(join(source, 'sub'), { recursive: true });
  for (let index = 0; index < 20; index++) writeFileSync(join(source, 'sub', `file-${index}`), randomBytes(100_000));
  symlinkSync('sub/file-1', join(source, 'link'));
}

const flagsOf = (person: Person, vault: string) => ['--vault', vault, '--key-file', person.path('key')];

test('a vault on a file system without hard links keeps every promise, and doctor finds it fit (D3)', async () => {
  const person = new Person();
  const place = exfat(person);
  writeFileSync(join(place, 'probe'), '');
  expect(() => linkSync(join(place, 'probe'), join(place, 'probe-2'))).toThrow(/EPERM|ENOSYS|EOPNOTSUPP/);
  const flags = flagsOf(person, join(place, 'vault'));
  const source = person.path('work', 'data');
  plant(source);
  await person.do(['init', '--no-yaml', ...flags]);
  await person.do(['backup', 'data', ...flags]);
  writeFileSync(join(source, 'sub', 'file-3'), 'changed');
  await person.do(['backup', 'data', ...flags]);
  expect((await person.do(['verify', '--level', 'full', ...flags])).stdout).toContain('Good: 2 of 2 backups');
  await person.do(['keys', 'add', '--new-key-file', person.path('second.key'), ...flags]);
  // Its image is small, which is told.
  const doctor = await person.run(['doctor', ...flags]);
  expect([doctor.code, [...doctor.stdout.matchAll(/^(?:warning|failed) +(\w+ [a-z ]+):/gm)].map(([, check]) => check)]).toEqual([3, ['vault has room']]);
  expect(doctor.stdout).toMatch(/one winner each[^]*once each and in byte order/);
  await person.do(['restore', 'latest', '--to', person.path('out'), ...flags]);
  expect(describeTree(person.path('out')).slice(1)).toEqual(describeTree(source).slice(1));
  await person.do(['remove', 'latest', '--yes', ...flags]);
  await person.do(['prune', ...flags]);
  expect((await person.do(['verify', '--level', 'full', ...flags])).stdout).toContain('Good: 1 of 1 backup');
}, 120_000);

test('a restore onto it names what it cannot hold, and restores the rest (R1)', async () => {
  const person = new Person();
  const place = exfat(person);
  const flags = flagsOf(person, person.vault);
  const source = person.path('work', 'data');
  plant(source);
  await person.do(['init', '--no-yaml', ...flags]);
  await person.do(['backup', 'data', ...flags]);
  const { code, stdout } = await person.run(['restore', 'latest', '--to', join(place, 'out'), ...flags]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringMatching(/Restored in part [^]*not restored link: the file system does not have it/) });
  const digests = (folder: string) => filesBelow(folder).map((file) => `${file.slice(folder.length)} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`).sort();
  expect(digests(join(place, 'out'))).toEqual(digests(source));
}, 120_000);

test('a vault on a read-only mount is listed, verified and restored; writing into it is refused with the reason (R7)', async () => {
  const person = new Person();
  const flags = flagsOf(person, person.vault);
  const source = person.path('work', 'data');
  plant(source);
  await person.do(['init', '--no-yaml', ...flags]);
  await person.do(['backup', 'data', ...flags]);
  const before = describeTree(person.vault);
  readOnlyMount(person.vault);
  expect((await person.do(['list', ...flags])).stdout).toContain('data');
  expect((await person.do(['verify', '--level', 'full', ...flags])).stdout).toMatch(/could not be kept in the vault.*read-only[^]*Good: 1 of 1/);
  await person.do(['restore', 'latest', '--to', person.path('out'), ...flags]);
  expect(describeTree(person.path('out')).slice(1)).toEqual(describeTree(source).slice(1));
  writeFileSync(join(source, 'new'), 'new');
  for (const [args, code, message] of [
    [['backup', 'data'], 1, /read-only/],
    [['remove', 'latest', '--yes', '--force'], 1, /read-only/],
    [['keys', 'add', '--new-key-file', person.path('second')], 1, /read-only/],
  ] as const) expect({ args, ...(await person.run([...args, ...flags])) }).toMatchObject({ code, stderr: expect.stringMatching(message) });
  expect(existsSync(person.path('second'))).toBe(true);
  expect(describeTree(person.vault)).toEqual(before);
}, 120_000);
