import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Person, describeTree } from './program.ts';

const PAGE_BYTES = 4096;
const MIB = 1 << 20;

/** A file system of its own in memory, that really fills; mounting one takes root. */
class SmallDisk {
  readonly place: string;

  constructor(place: string, bytes: number) {
    this.place = place;
    mkdirSync(place, { recursive: true });
    mount(['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'holdfast-test', place]);
    disks.push(this);
  }

  resize(bytes: number): void {
    mount(['-o', `remount,size=${bytes}`, this.place]);
  }

  get usedBytes(): number {
    const { blocks, bfree, bsize } = statfsSync(this.place);
    return (blocks - bfree) * bsize;
  }

  /** Leaves no page free. */
  fill(): void {
    this.resize(Math.max(PAGE_BYTES, this.usedBytes));
  }

  remove(): void {
    spawnSync('umount', ['--lazy', this.place]);
  }
}

const disks: SmallDisk[] = [];
afterEach(() => disks.splice(0).forEach((disk) => disk.remove()));

function mount(args: readonly string[]): void {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr}`);
}

interface Desk {
  readonly person: Person;
  readonly disk: SmallDisk;
  readonly source: string;
  readonly flags: readonly string[];
}

/** A vault that is alone on its disk, with one good backup of ten small files in it. */
async function desk(diskBytes: number): Promise<Desk> {
  const person = new Person();
  const disk = new SmallDisk(person.path('disk'), diskBytes);
  const flags = ['--vault', join(disk.place, 'vault'), '--key-file', person.path('key')];
  const source = person.path('work', 'data');
  mkdirSync(source);
  for (let index = 0; index < 10; index++) writeFileSync(join(source, `small-${index}`), randomBytes(3000));
  await person.do(['init', '--no-yaml', ...flags]);
  await person.do(['backup', 'data', ...flags]);
  return { person, disk, source, flags };
}

async function backupsIn({ person, flags }: Desk): Promise<string[]> {
  return (await person.json<{ backup: string }>(['list', ...flags])).map(({ backup }) => backup);
}

async function expectWhole({ person, source, flags }: Desk, backups: number): Promise<void> {
  expect((await person.do(['verify', '--level', 'full', ...flags])).stdout).toMatch(new RegExp(`Good: ${backups} of ${backups} backup`));
  const target = person.path('check');
  rmSync(target, { recursive: true, force: true });
  await person.do(['restore', 'latest', '--to', target, ...flags]);
  expect(describeTree(target).slice(1)).toEqual(describeTree(source).slice(1));
}

const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

asRoot('on a file system that fills (a mount of its own, as root)', () => {
  test('a backup ends with 1, the object, the place and the bytes it needed; with room the same command stores only the rest', async () => {
    const at = await desk(8 * MIB);
    const { person, disk, source, flags } = at;
    const [earlier] = await backupsIn(at);
    for (let index = 0; index < 30; index++) writeFileSync(join(source, `large-${index}`), randomBytes(MIB));
    const full = await person.run(['backup', 'data', ...flags]);
    expect(full).toMatchObject({ code: 1, stderr: expect.stringMatching(/cannot write packs\/hot\/.* to .*disk\/vault: the disk or the quota is full, \d+ bytes are needed \(ENOSPC\)\nFree space or raise the quota, then run the same command again/) });
    expect(await backupsIn(at)).toEqual([earlier]);
    expect((await person.do(['verify', '--level', 'full', ...flags])).stdout).toContain('Good: 1 of 1 backup');
    disk.resize(64 * MIB);
    await person.do(['backup', 'data', ...flags]);
    await expectWhole(at, 2);
    // All that the first attempt had stored counts: 30 MiB of noise cannot be stored twice in this.
    expect(disk.usedBytes).toBeLessThan(34 * MIB);
  });

  test('whichever object of a backup finds no room, the earlier backup stays, and the next run completes', async () => {
    const at = await desk(8 * MIB);
    const { person, disk, source, flags } = at;
    const [earlier] = await backupsIn(at);
    const kinds = new Set<string>();
    // Room for one page more each time, from none on: packs, index, refs and snapshot find no room in turn.
    for (let pages = 0; ; pages++) {
      for (let index = 0; index < 10; index++) writeFileSync(join(source, `small-${index}`), randomBytes(500));
      disk.resize(disk.usedBytes + pages * PAGE_BYTES);
      const { code, stderr } = await person.run(['backup', 'data', ...flags]);
      if (code === 0) break;
      const kind = /cannot write ([a-z]+)\//.exec(stderr)?.[1];
      expect({ pages, code, stderr, kind }).toEqual({ pages, code: 1, stderr: expect.stringContaining('ENOSPC'), kind: expect.any(String) });
      kinds.add(kind as string);
      expect(await backupsIn(at)).toEqual([earlier]);
    }
    expect([...kinds].sort()).toEqual(['index', 'packs', 'refs', 'snapshots']);
    disk.resize(8 * MIB);
    await expectWhole(at, 2);
  }, 120_000);

  test('a restore says where, and how many bytes are missing; with room the same command completes it', async () => {
    const at = await desk(64 * MIB);
    const { person, source, flags } = at;
    for (let index = 0; index < 12; index++) writeFileSync(join(source, `large-${index}`), randomBytes(MIB));
    await person.do(['backup', 'data', ...flags]);
    const target = new SmallDisk(person.path('target'), 5 * MIB);
    const restore = ['restore', 'latest', '--to', target.place, ...flags];
    const { code, stderr } = await person.run(restore);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/warning: 1261\d{4} bytes are to be written to .*target, and 52\d{5} are free there[^]*Restoring .* failed: the file system is full\. .* \d+ bytes are still to be written to .*target, \d+ are free there\./) });
    // What stands under its name is whole.
    const wanted = new Set(describeTree(source).slice(1));
    expect(describeTree(target.place).slice(1).filter((line) => !wanted.has(line))).toEqual([]);
    target.resize(64 * MIB);
    await person.do(restore);
    expect(describeTree(target.place).slice(1)).toEqual(describeTree(source).slice(1));
    expect((await person.do(['verify', '--level', 'full', ...flags])).stdout).toContain('Good: 2 of 2');
  });

  test('remove and prune change nothing that they could not record first', async () => {
    const at = await desk(8 * MIB);
    const { person, disk, flags } = at;
    const [earlier] = await backupsIn(at);
    disk.fill();
    expect(await person.run(['remove', 'latest', '--yes', '--force', ...flags])).toMatchObject({ code: 1, stderr: expect.stringMatching(/cannot write removed\/.*ENOSPC/) });
    expect(await backupsIn(at)).toEqual([earlier]);
    disk.resize(8 * MIB);
    await person.do(['remove', 'latest', '--yes', '--force', ...flags]);
    disk.fill();
    const prune = (hours: number) => spawnSync(process.execPath, ['--no-warnings', join(__dirname, 'aged-prune.ts'), join(disk.place, 'vault'), String(hours), '0'], { encoding: 'utf8' });
    expect(prune(72)).toMatchObject({ status: 1, stderr: expect.stringMatching(/cannot write condemned\/.*ENOSPC/) });
    disk.resize(8 * MIB);
    const used = disk.usedBytes;
    for (const hours of [72, 100, 100]) expect(prune(hours).status).toBe(0);
    expect(disk.usedBytes).toBeLessThan(used);
  });

  test('a full state directory costs the records of this machine, never the backup: it says so and ends with 3', async () => {
    const at = await desk(8 * MIB);
    const { person, source, flags } = at;
    const state = new SmallDisk(person.path('xdg', 'full'), 64 * PAGE_BYTES);
    person.environment['XDG_STATE_HOME'] = state.place;
    state.fill();
    writeFileSync(join(source, 'new'), randomBytes(5000));
    const { code, stderr } = await person.run(['backup', 'data', ...flags]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringMatching(/The catalog could not be written: .*catalog\.sqlite.*disk is full.*`holdfast catalog rebuild`/s) });
    state.resize(8 * MIB);
    await expectWhole(at, 2);
  });

  test('an export leaves nothing that looks like one, says what it needed, and works when there is room (K9)', async () => {
    const at = await desk(64 * MIB);
    const { person, source, flags } = at;
    for (let index = 0; index < 12; index++) writeFileSync(join(source, `large-${index}`), randomBytes(MIB));
    await person.do(['backup', 'data', ...flags]);
    const target = new SmallDisk(person.path('target'), 5 * MIB);
    const args = ['export', 'latest', '--to', join(target.place, 'data.tar'), ...flags];
    const { code, stderr } = await person.run(args);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/target.*(full|space)/) });
    expect(readdirSync(target.place)).toEqual([]);
    target.resize(64 * MIB);
    await person.do(args);
    const made = spawnSync('sha256sum', ['-c', 'data.tar.sha256'], { cwd: target.place, encoding: 'utf8' });
    expect(made).toMatchObject({ status: 0, stdout: 'data.tar: OK\n' });
  });

  test('init leaves no half of a vault, and works when there is room', async () => {
    const person = new Person();
    const disk = new SmallDisk(person.path('disk'), PAGE_BYTES);
    const init = ['init', '--no-yaml', '--vault', join(disk.place, 'vault'), '--key-file', person.path('key')];
    expect(await person.run(init)).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOSPC') });
    expect(existsSync(join(disk.place, 'vault', 'holdfast.json'))).toBe(false);
    disk.resize(8 * MIB);
    await person.do(init);
    await person.do(['list', ...init.slice(2)]);
  });

  test('a key that finds no room leaves no file, and is added with the same command when there is (K1)', async () => {
    const { person, disk, flags } = await desk(8 * MIB);
    const keys = new SmallDisk(person.path('keys'), MIB);
    writeFileSync(join(keys.place, 'other'), randomBytes(100));
    keys.fill();
    const add = ['keys', 'add', '--new-key-file', join(keys.place, 'second'), ...flags];
    expect(await person.run(add)).toMatchObject({ code: 1, stderr: expect.stringContaining('keys/second cannot be made (ENOSPC)') });
    expect(readdirSync(keys.place)).toEqual(['other']);
    keys.resize(MIB);
    await person.do(add);
    await person.do(['list', '--vault', join(disk.place, 'vault'), '--key-file', join(keys.place, 'second')]);
  });

  test('verify tells what it found also where nothing can be recorded', async () => {
    const at = await desk(8 * MIB);
    const { person, disk, flags } = at;
    disk.fill();
    const { code, stdout, stderr } = await person.run(['verify', '--level', 'full', ...flags]);
    expect({ code, stdout, stderr }).toEqual({ code: 3, stdout: expect.stringMatching(/note: The verdict could not be kept in the vault, .*ENOSPC[^]*Good: 1 of 1 backup/), stderr: '' });
  });
});
