import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Person, describeTree, ended, filesBelow } from './program.ts';

/** Moments of a run, spread and shaken: the same for everybody who repeats a failure. `npm run test:long -- kills` tries any. */
const MOMENTS = [0.03, 0.22, 0.41, 0.66, 0.87];
const FLAGS = ['--vault', 'V', '--key-file', 'K'];

const flagsOf = (person: Person, vault: string) => FLAGS.map((word) => (word === 'V' ? vault : word === 'K' ? person.path('key') : word));

function storedBytes(vault: string): number {
  return ['packs', 'index'].flatMap((folder) => (existsSync(join(vault, folder)) ? filesBelow(join(vault, folder)) : [])).reduce((sum, file) => sum + statSync(file).size, 0);
}

function plant(folder: string, files: number, bytes: number): void {
  mkdirSync(folder, { recursive: true });
  for (let index = 0; index < files; index++) writeFileSync(join(folder, `file-${index}`), randomBytes(bytes));
}

/** Kills a run at some moment of its usual duration. */
async function killAt(person: Person, args: readonly string[], milliseconds: number): Promise<void> {
  const child = person.start(args);
  const running = ended(child);
  await sleep(milliseconds);
  child.kill('SIGKILL');
  await running;
}

async function expectEqual(person: Person, vault: string, id: string, tree: readonly string[]): Promise<void> {
  const target = person.path('check');
  rmSync(target, { recursive: true, force: true });
  await person.do(['restore', id, '--to', target, ...flagsOf(person, vault)]);
  expect(describeTree(target).slice(1)).toEqual(tree.slice(1));
}

describe('SIGKILL at five moments of a backup', () => {
  const person = new Person();
  const source = person.path('work', 'data');
  const start = person.path('start');
  let earlier: string[];
  let later: string[];
  let earlierId: string;
  let milliseconds: number;
  let whole: number;

  beforeAll(async () => {
    plant(join(source, 'old'), 2, 1_000_000);
    const flags = flagsOf(person, start);
    await person.do(['init', '--no-yaml', ...flags]);
    earlierId = (await person.json<{ backup: string }>(['backup', 'data', ...flags]))[0]?.backup ?? '';
    earlier = describeTree(source);
    cpSync(person.path('xdg', 'state'), person.path('state-at-start'), { recursive: true });
    plant(join(source, 'new'), 14, 2_000_000);
    later = describeTree(source);
    const uninterrupted = person.path('uninterrupted');
    cpSync(start, uninterrupted, { recursive: true });
    const begun = performance.now();
    await person.do(['backup', 'data', ...flagsOf(person, uninterrupted)]);
    milliseconds = performance.now() - begun;
    whole = storedBytes(uninterrupted) - storedBytes(start);
  });

  test.each(MOMENTS)('at %f of its time: verify passes, the earlier backup is whole, the next run completes and reuses', async (moment) => {
    const vault = person.path('vault-killed');
    rmSync(vault, { recursive: true, force: true });
    cpSync(start, vault, { recursive: true });
    // What this machine remembers goes back too: otherwise it says, rightly, that the vault is an old state.
    rmSync(person.path('xdg', 'state'), { recursive: true });
    cpSync(person.path('state-at-start'), person.path('xdg', 'state'), { recursive: true });
    await killAt(person, ['backup', 'data', ...flagsOf(person, vault)], moment * milliseconds);
    await person.do(['verify', '--level', 'full', ...flagsOf(person, vault)]);
    await expectEqual(person, vault, earlierId, earlier);
    await person.do(['backup', 'data', ...flagsOf(person, vault)]);
    await expectEqual(person, vault, 'latest', later);
    expect(storedBytes(vault) - storedBytes(start)).toBeLessThanOrEqual(1.1 * whole);
  });
});

describe('SIGKILL while each kind of object is being written', () => {
  const kinds = ['packs/hot', 'index', 'refs', 'snapshots'] as const;

  test.each(kinds)('after the first object in %s and before the kind that follows', async (kind) => {
    const person = new Person();
    const flags = flagsOf(person, person.vault);
    plant(person.path('work', 'data'), 5, 4_000);
    await person.do(['init', '--no-yaml', ...flags]);
    // Every kilobyte takes a twentieth of a second, so that the kinds are far apart.
    const child = person.start(['backup', 'data', '--limit-upload', '20 kB', ...flags]);
    const running = ended(child);
    const has = (folder: string) => existsSync(join(person.vault, folder)) && filesBelow(join(person.vault, folder)).length > 0;
    while (!has(kind)) await sleep(1);
    child.kill('SIGKILL');
    expect((await running).signal).toBe('SIGKILL');
    const following = kinds[kinds.indexOf(kind) + 1];
    if (following !== undefined) expect([following, has(following)]).toEqual([following, false]);
    const killed = storedBytes(person.vault);
    const verified = await person.run(['verify', '--level', 'full', ...flags]);
    expect([verified.code, verified.stderr]).toEqual([0, '']);
    await person.do(['backup', 'data', ...flags]);
    await expectEqual(person, person.vault, 'latest', describeTree(person.path('work', 'data')));
    // What the killed run stored of the contents is not stored again.
    expect(storedBytes(person.vault) - killed).toBeLessThan(5_000);
    expect((await person.do(['verify', '--level', 'full', ...flags])).stdout).toContain(kind === 'snapshots' ? '2 of 2 backups good' : '1 of 1 backup good');
  });
});

describe('SIGKILL at five moments of a restore', () => {
  test('leaves the vault as it was; the same restore afterwards completes and is equal', async () => {
    const person = new Person();
    const source = person.path('work', 'data');
    const flags = flagsOf(person, person.vault);
    plant(source, 8, 2_000_000);
    plant(join(source, 'small'), 300, 500);
    await person.do(['init', '--no-yaml', ...flags]);
    await person.do(['backup', 'data', ...flags]);
    const args = ['restore', 'latest', '--to', person.path('out'), '--overwrite', 'changed', ...flags];
    const begun = performance.now();
    await person.do(args);
    const milliseconds = performance.now() - begun;
    for (const moment of MOMENTS) {
      rmSync(person.path('out'), { recursive: true, force: true });
      await killAt(person, args, moment * milliseconds);
      await person.do(args);
      expect([moment, describeTree(person.path('out'))]).toEqual([moment, describeTree(source)]);
    }
    await person.do(['verify', '--level', 'full', ...flags]);
  });
});

describe('SIGKILL at five moments of prune', () => {
  const DELAY = '8';
  const prune = (vault: string, hoursAhead: number) => spawn(process.execPath, ['--no-warnings', join(__dirname, 'aged-prune.ts'), vault, String(hoursAhead), DELAY], { stdio: ['ignore', 'pipe', 'inherit'] });

  test('verify passes, every backup that stays restores equal, and the next prune frees the rest', async () => {
    const person = new Person();
    const flags = flagsOf(person, person.vault);
    await person.do(['init', '--no-yaml', ...flags]);
    const names = Array.from({ length: 12 }, (_, index) => `data-${index}`);
    for (const name of names) plant(person.path('work', name), 2, 20_000);
    for (let index = 0; index < names.length; index += 2) await Promise.all(names.slice(index, index + 2).map((name) => person.do(['backup', name, ...flags])));
    const ids = await Promise.all(names.map(async (name) => (await person.json<{ backup: string }>(['show', `latest:${name}`, ...flags]))[0]?.backup ?? ''));
    await person.do(['remove', ...ids.slice(0, 9), '--yes', '--force', ...flags]);
    const trees = names.slice(9).map((name) => describeTree(person.path('work', name)));
    for (const [index, moment] of MOMENTS.entries()) {
      // Marks first; later rounds look a second time and delete.
      const child = prune(person.vault, index < 3 ? 72 : 100);
      const running = ended(child);
      await new Promise((resolve) => child.stdout?.once('data', resolve));
      await sleep(moment * 30 * Number(DELAY));
      child.kill('SIGKILL');
      await running;
      const verified = await person.run(['verify', '--level', 'full', ...flags]);
      expect([moment, verified.code, verified.stderr]).toEqual([moment, 0, '']);
    }
    const last = await ended(prune(person.vault, 100));
    expect(last.code).toBe(0);
    expect((await ended(prune(person.vault, 130))).code).toBe(0);
    expect(filesBelow(join(person.vault, 'packs'))).toHaveLength(6);
    for (const [index, tree] of trees.entries()) await expectEqual(person, person.vault, ids[9 + index] ?? '', tree);
    await person.do(['verify', '--level', 'full', ...flags]);
    await person.do(['backup', 'data-0', ...flags]);
    await expectEqual(person, person.vault, 'latest', describeTree(person.path('work', 'data-0')));
  });
});
