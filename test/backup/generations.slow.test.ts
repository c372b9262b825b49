import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { BackupOutcome } from '../../lib/backup/run-backup.ts';
import { comparePaths } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { stateHeld, stateOnDisk } from '../support/disk-state.ts';
import { TINY_CHUNKS, backUp, heldBy, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

/** Names whose order as text differs from their order as paths, and bytes that are no UTF-8. */
const name = fc.constantFrom('a', 'a.b', 'a-', 'ab', 'b', '\x01', '\xe9', '\xff', 'n\nl');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const size = fc.constantFrom(0, 1, 300, 4096, 4097, 20_000, 70_000);
const fill = fc.integer({ min: 0, max: 5 });

const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), path, size, fill }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('folder' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crowd' as const), path, count: fc.integer({ min: 1, max: 130 }), fill }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('link' as const), path, target: path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hard-link' as const), path, target: path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), path, target: path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('mode' as const), path, mode: fc.constantFrom(0o600, 0o755, 0o4711) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('time' as const), path, seconds: fc.integer({ min: 0, max: 2_000_000_000 }) }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const bytes = (text: string) => Buffer.from(text, 'latin1');
const contentOf = (length: number, seed: number) => Buffer.alloc(length, `${seed} what a file may hold ${seed * 7919} `);

function look(full: Buffer): Stats | undefined {
  try {
    return lstatSync(full);
  } catch {
    return undefined;
  }
}

/** Whatever is in the way of a folder gives way to it. */
function makeFolder(root: string, path: string): void {
  let made = root;
  for (const part of path.split('/').filter(Boolean)) {
    made += `/${part}`;
    const stats = look(bytes(made));
    if (stats && !stats.isDirectory()) rmSync(bytes(made));
    mkdirSync(bytes(made), { recursive: true });
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function apply(root: string, change: Change): void {
  const full = bytes(`${root}/${change.path}`);
  const stats = look(full);
  const clear = () => {
    makeFolder(root, parentOf(change.path));
    rmSync(full, { recursive: true, force: true });
  };
  switch (change.do) {
    case 'write':
      clear();
      return writeFileSync(full, contentOf(change.size, change.fill));
    case 'remove':
      return void (stats && rmSync(full, { recursive: true, force: true }));
    case 'folder':
      return makeFolder(root, change.path);
    case 'crowd':
      makeFolder(root, change.path);
      for (let index = 0; index < change.count; index++) writeCrowd(`${root}/${change.path}/${index}`, `${index} ${'x'.repeat(change.fill)}`);
      return;
    case 'link':
      clear();
      return symlinkSync(bytes(change.target), full);
    case 'hard-link': {
      const target = bytes(`${root}/${change.target}`);
      if (!look(target)?.isFile() || stats) return;
      makeFolder(root, parentOf(change.path));
      // Making the folder may have put one in the place of the target.
      if (look(target)?.isFile()) linkSync(target, full);
      return;
    }
    case 'rename':
      if (!stats || `${change.target}/`.startsWith(`${change.path}/`) || `${change.path}/`.startsWith(`${change.target}/`)) return;
      makeFolder(root, parentOf(change.target));
      rmSync(bytes(`${root}/${change.target}`), { recursive: true, force: true });
      if (look(full)) renameSync(full, bytes(`${root}/${change.target}`));
      return;
    case 'mode':
      if (stats?.isFile() || stats?.isDirectory()) chmodSync(full, change.mode);
      return;
    case 'time':
      if (stats?.isFile() || stats?.isDirectory()) utimesSync(full, change.seconds, change.seconds);
  }
}

/** Every other one is a link so long that a tree of a few dozen takes several tree chunks. */
function writeCrowd(file: string, text: string): void {
  const [stats, path] = [look(bytes(file)), bytes(file)];
  if (stats?.isDirectory()) return;
  if (stats && !stats.isFile()) rmSync(path);
  if (text.length % 2 === 0) return writeFileSync(path, text);
  rmSync(path, { force: true });
  symlinkSync(`${text} `.padEnd(3000, 'target '), path);
}

interface Generation {
  readonly outcome: BackupOutcome;
  readonly state: Map<string, string>;
}

async function nextGeneration(repository: Repository, root: string, previous: Generation | undefined): Promise<Generation> {
  // Later than every change of this generation by more than the racy margin: what is unchanged is recognised by its metadata.
  const now = () => Date.now() + 60_000;
  const outcome = await backUp(repository, root, { ports: { startThread: (settings) => threadInProcess(settings, now) } });
  const state = stateOnDisk(root);
  const { statistics, tree } = outcome.manifest;
  const texts = [...state.values()];
  const sizeOf = (text: string) => Number(text.split(' ')[4]);
  const removed = [...(previous?.state.keys() ?? [])].filter((key) => !state.has(key)).length;
  expect(statistics).toMatchObject({
    entries: state.size,
    files: texts.filter((text) => text.startsWith('file')).length,
    directories: texts.filter((text) => text.startsWith('directory')).length,
    bytes: texts.filter((text) => text.startsWith('file')).reduce((sum, text) => sum + sizeOf(text), 0),
    removedEntries: removed,
  });
  expect(statistics.newFiles + statistics.changedFiles + statistics.unchangedFiles).toBe(statistics.files);
  expect(tree.delta?.records ?? 0).toBeLessThanOrEqual(Math.max(100, tree.base.records / 10));
  expect(outcome.manifest.warnings).toEqual([]);
  // Longer than the tick of the file system's clock.
  await sleep(12);
  return { outcome, state };
}

async function tell(repository: Repository, root: string, story: readonly (readonly Change[])[]): Promise<Generation[]> {
  const told: Generation[] = [];
  for (const changes of story) {
    for (const each of changes) apply(root, each);
    told.push(await nextGeneration(repository, root, told.at(-1)));
  }
  return told;
}

async function expectAllHeld(repository: Repository, told: readonly Generation[]): Promise<void> {
  for (const { outcome, state } of told) {
    const held = await heldBy(repository, outcome);
    expect(stateHeld(held)).toEqual(state);
    expect([...held.keys()]).toEqual([...held.keys()].sort(comparePaths));
  }
}

describe('generations of backups (S6, K2)', () => {
  it('each holds exactly what the file system held, whatever changed in between', async () => {
    let newBases = 0;
    let deltas = 0;
    let longTrees = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { maxLength: 12 }), { minLength: 2, maxLength: 6 }), async (story) => {
        const root = temporaryFolder();
        const repository = testRepository(undefined, { files: TINY_CHUNKS, streams: TINY_CHUNKS });
        const told = await tell(repository, root, story);
        await expectAllHeld(repository, told);
        deltas += told.filter(({ outcome }) => outcome.manifest.tree.delta).length;
        newBases += told.slice(1).filter(({ outcome }) => !outcome.manifest.tree.delta).length;
        longTrees += told.filter(({ outcome }) => outcome.manifest.tree.base.chunks.length > 2).length;
        rmSync(root, { recursive: true, force: true });
      }),
      { numRuns: 20 },
    );
    // Otherwise this has proved less than it says.
    expect(newBases).toBeGreaterThan(3);
    expect(deltas).toBeGreaterThan(3);
    expect(longTrees).toBeGreaterThan(3);
  });

  it('a crowd that shrinks little by little becomes a new base before its tombstones outgrow a tenth', async () => {
    const root = temporaryFolder();
    const repository = testRepository();
    const folders = Array.from({ length: 10 }, (_, index) => String(index));
    for (const folder of folders) apply(root, { do: 'crowd', path: folder, count: 130, fill: 1 });
    const told = await tell(repository, root, [[], ...folders.map((folder): Change[] => Array.from({ length: 60 }, (_, index) => ({ do: 'remove', path: `${folder}/${index}` })))]);
    await expectAllHeld(repository, told);
    const bases = new Set(told.map(({ outcome }) => outcome.manifest.tree.base.chunks.map(({ id }) => id).join()));
    expect(bases.size).toBeGreaterThan(3);
  });
});
