import { spawn } from 'node:child_process';
import { linkSync, lstatSync, readdirSync, writeFileSync, mkdirSync, utimesSync, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isOwnerDead, systemProcesses, temporaryName, type Owner, type ProcessTable } from '../../lib/model/process-owner.ts';
import { realFileOps, type FileOps } from '../../lib/stores/directory/file-ops.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { bytesOf, text } from '../contract/store.ts';
import { fileOpsWith, withoutLinks } from '../support/file-ops.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const self: Owner = { machine: 'aa', boot: 'b2', namespace: 'n1', pid: 100, started: '5000' };
const running: Readonly<Record<number, string>> = { 100: '5000', 200: '6000', 300: 'unknown' };
const processes: ProcessTable = { self, startOf: (pid) => running[pid] };

const owners: readonly (readonly [string, Partial<Owner>, boolean])[] = [
  ['itself', {}, false],
  ['a running process', { pid: 200, started: '6000' }, false],
  ['a process that is gone', { pid: 999 }, true],
  ['a process whose number was given to another one', { pid: 200, started: '1' }, true],
  ['a running process that it may not look at', { pid: 300, started: '1' }, false],
  ['any process of an earlier boot of this machine', { boot: 'b1', pid: 200, started: '6000' }, true],
  ['a process in another container of this machine', { namespace: 'n2', pid: 999 }, false],
  ['a process on another machine', { machine: 'cc', boot: 'b9', pid: 999 }, false],
  ['a process on a machine that cannot be told', { machine: 'unknown', boot: 'b1', pid: 999 }, false],
  ['a process of a boot that cannot be told', { boot: 'unknown', pid: 999 }, false],
];

describe('the owner of a temporary', () => {
  it.each(owners)('is judged right when it is %s', (_who, owner, isDead) => {
    expect(isOwnerDead(temporaryName({ ...self, ...owner }, Buffer.alloc(8)), processes)).toBe(isDead);
  });

  it('is not judged by a name that it did not give', () => {
    for (const name of ['', 'notes.txt', 'aa.b1.n1.x.5000.00', 'aa.b1.n1.999.5000']) expect(isOwnerDead(name, processes)).toBe(false);
  });

  it.each([
    ['machine', { boot: 'b1' }],
    ['boot', { pid: 999 }],
    ['namespace', { pid: 999 }],
  ])('is not judged by what both do not know: the %s', (what, owner) => {
    const blind: Owner = { ...self, [what]: 'unknown' };
    expect(isOwnerDead(temporaryName({ ...blind, ...owner }, Buffer.alloc(8)), { ...processes, self: blind })).toBe(false);
    expect(isOwnerDead(temporaryName({ ...self, ...owner }, Buffer.alloc(8)), processes)).toBe(true);
  });

  it('is this very process, alive, when the system is asked', () => {
    const table = systemProcesses();
    expect(table.self.pid).toBe(process.pid);
    expect(table.startOf(process.pid)).toBe(table.self.started);
    expect(isOwnerDead(temporaryName(table.self, Buffer.alloc(8)), table)).toBe(false);
    expect(isOwnerDead(temporaryName({ ...table.self, started: '1' }, Buffer.alloc(8)), table)).toBe(true);
  });
});

describe('sweeping temporaries', () => {
  let root: string;
  let folder: string;
  beforeEach(async () => {
    root = join(temporaryFolder(), 'vault');
    folder = join(root, 'tmp');
    await openDirectoryStore(root).put('a', text('x'));
  });
  const plant = (owner: Partial<Owner>, id: number): string => {
    const name = temporaryName({ ...self, ...owner }, Buffer.alloc(8, id));
    writeFileSync(join(folder, name), 'unfinished');
    return name;
  };
  /** File times cannot be set back (ctime), so the store's time is set forward. */
  const later = (days: number): FileOps =>
    fileOpsWith({ facts: async (file) => ({ ...plain(await realFileOps.facts(file)), ctimeMs: Date.now() + days * DAY_MS }) });

  it('removes at once what provably dead processes left, and nothing else before 7 days', async () => {
    const planted = owners.map(([, owner, isDead], index) => ({ name: plant(owner, index), isDead }));
    const living = planted.filter(({ isDead }) => !isDead).map(({ name }) => name);
    const dead = planted.length - living.length;
    expect(await openDirectoryStore(root, { processes }).sweepTemporaries()).toEqual({ removed: dead, kept: living.length });
    expect(readdirSync(folder).sort()).toEqual(living.sort());
    await openDirectoryStore(root, { processes, fileOps: later(6.9) }).sweepTemporaries();
    expect(readdirSync(folder).sort()).toEqual(living.sort());
    await openDirectoryStore(root, { processes, fileOps: later(7.1) }).sweepTemporaries();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not believe the mtime, which anybody can set', async () => {
    const name = plant({ machine: 'cc' }, 1);
    utimesSync(join(folder, name), 0, 0);
    await openDirectoryStore(root, { processes }).sweepTemporaries();
    expect(readdirSync(folder)).toEqual([name]);
  });

  it('leaves the second name of a published object, whose ctime it would move, until the object is removed', async () => {
    const name = plant({ pid: 999 }, 1);
    linkSync(join(folder, name), join(root, 'published'));
    const { ctimeMs } = lstatSync(join(root, 'published'));
    const store = openDirectoryStore(root, { processes });
    expect(await store.sweepTemporaries()).toEqual({ removed: 0, kept: 1 });
    expect(lstatSync(join(root, 'published')).ctimeMs).toBe(ctimeMs);
    await store.remove('published');
    expect(await store.sweepTemporaries()).toEqual({ removed: 1, kept: 0 });
  });

  it('frees claims of dead processes, which a put does as well, and respects those of living ones', async () => {
    const claimOf = (id: number, owner: Partial<Owner>) => {
      mkdirSync(join(folder, `claim-${id}`));
      writeFileSync(join(folder, `claim-${id}`, temporaryName({ ...self, ...owner }, Buffer.alloc(8, id))), '');
    };
    claimOf(1, { pid: 999 });
    claimOf(2, { pid: 200, started: '6000' });
    mkdirSync(join(folder, 'claim-3'));
    expect(await openDirectoryStore(root, { processes }).sweepTemporaries()).toEqual({ removed: 2, kept: 1 });
    expect(readdirSync(folder)).toEqual(['claim-2']);
  });

  it('does nothing in a store that has none', async () => {
    expect(await openDirectoryStore(join(temporaryFolder(), 'new')).sweepTemporaries()).toEqual({ removed: 0, kept: 0 });
  });

  it.each([
    ['with hard links', undefined],
    ['without hard links', withoutLinks()],
  ])('cleans up after a process that was killed while it wrote, %s', async (_how, fileOps) => {
    const killed = await killedWriter(root);
    expect(readdirSync(folder).some((name) => name.includes(`.${killed}.`))).toBe(true);
    const store = openDirectoryStore(root, fileOps && { fileOps });
    const { removed } = await store.sweepTemporaries();
    expect(removed).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync(join(root, 'packs/never'))).toBe(false);
    expect(await store.put('packs/never', bytesOf(10))).toEqual({ created: true });
  });
});

/** A real process that hangs in the middle of a put, then SIGKILL; returns its process id. */
async function killedWriter(root: string): Promise<number> {
  const source = `
    import { openDirectoryStore } from ${JSON.stringify(resolve('lib/stores/directory-store.ts'))};
    import { realFileOps } from ${JSON.stringify(resolve('lib/stores/directory/file-ops.ts'))};
    const syncFile = () => { process.stdout.write('writing'); return new Promise(() => setInterval(() => {}, 1000)); };
    await openDirectoryStore(${JSON.stringify(root)}, { fileOps: { ...realFileOps, syncFile } }).put('packs/never', new Uint8Array(100));
  `;
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.once('exit', done));
  await new Promise((done) => {
    child.stdout.once('data', done);
    child.once('exit', done);
  });
  child.kill('SIGKILL');
  await ended;
  return child.pid as number;
}

function plain(facts: Awaited<ReturnType<FileOps['facts']>>): Awaited<ReturnType<FileOps['facts']>> {
  const { size, nlink, ctimeMs } = facts;
  return { size, nlink, ctimeMs, isFile: () => facts.isFile(), isDirectory: () => facts.isDirectory(), isSymbolicLink: () => facts.isSymbolicLink() };
}
