import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../lib/model/clock.ts';
import { compareTrees } from '../../lib/recovery/compare-trees.ts';
import { flushFileSystem } from '../../lib/recovery/flush.ts';
import { executeRestore, outcomeOf, planRestore } from '../../lib/recovery/restore.ts';
import type { RestoreReport } from '../../lib/recovery/restore.ts';
import type { SnapshotReader } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const LARGE_BYTES = 60 << 20;

/** Kills when `killWhen` says so, else waits for its end. Tells the outcome that it printed, or undefined. */
function restoreInChild(target: string, killWhen?: () => boolean): Promise<string | undefined> {
  const child = spawn(process.execPath, ['--no-warnings', join(__dirname, '../support/restore-child.ts'), target], { stdio: ['ignore', 'pipe', 'inherit'] });
  let words = '';
  child.stdout.on('data', (data: Buffer) => (words += data.toString()));
  const watch = setInterval(() => words !== '' && killWhen?.() && child.kill('SIGKILL'), 1);
  return new Promise((resolve) => child.on('close', () => {
    clearInterval(watch);
    resolve(words.split('\n')[1] || undefined);
  }));
}

function held(target: string): number {
  if (!existsSync(target)) return 0;
  const name = readdirSync(target).find((entry) => entry.startsWith('.holdfast-'));
  return name === undefined ? 0 : (statSync(join(target, name), { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}

function countIn(folder: string): number {
  return existsSync(folder) ? readdirSync(folder).length : 0;
}

describe('a restore that is killed (SIGKILL)', () => {
  const folder = temporaryFolder();
  const whole = join(folder, 'whole');
  beforeAll(async () => expect(await restoreInChild(whole)).toBe('done'));

  it.each([
    ['among the small files', (target: string) => countIn(join(target, 'open')) > 20],
    ['when the large file begins', (target: string) => held(target) > 0],
    ['in the middle of the large file', (target: string) => held(target) > LARGE_BYTES / 3],
    ['near the end of the large file', (target: string) => held(target) > LARGE_BYTES * 0.8],
  ])('%s leaves no torso of the large file; the same restore again completes it, and nothing is left over', async (_when, killWhen) => {
    const target = join(folder, 'target');
    expect(await restoreInChild(target, () => killWhen(target))).toBeUndefined();
    expect(compareTrees(whole, target, { top: true }).differences).not.toEqual([]);
    expect([0, LARGE_BYTES]).toContain(existsSync(join(target, 'large')) ? statSync(join(target, 'large')).size : 0);
    expect(await restoreInChild(target)).toBe('done');
    expect(compareTrees(whole, target, { top: true }).differences).toEqual([]);
    rmSync(target, { recursive: true });
  });
});

describe('what a killed restore left', () => {
  async function sample(): Promise<SnapshotReader> {
    const snapshot = new FixtureSnapshot(new MemoryStore(systemClock)).directory('', { mode: 0o755 }).directory('d', { mode: 0o755 });
    await snapshot.file('d/small', 'whole content', { mode: 0o644 });
    return snapshot.build();
  }

  async function again(target: string): Promise<RestoreReport> {
    const reader = await sample();
    return executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none' });
  }

  function torso(mode: number): string {
    const target = temporaryFolder();
    mkdirSync(join(target, 'd'));
    writeFileSync(join(target, 'd/small'), 'whole');
    chmodSync(join(target, 'd/small'), mode);
    writeFileSync(join(target, `d/.holdfast-${'0'.repeat(24)}`), 'who');
    writeFileSync(join(target, 'd/.holdfast-mine'), 'mine');
    chmodSync(join(target, 'd'), 0o1700);
    return target;
  }

  it('a small file and a directory that bear the mark are finished without --overwrite, temporary files go', async () => {
    const target = torso(0o1600);
    const report = await again(target);
    expect([outcomeOf(report), report.leftovers]).toEqual([undefined, 1]);
    expect(statSync(join(target, 'd/small')).size).toBe(13);
    expect([statSync(join(target, 'd')).mode & 0o7777, statSync(join(target, 'd')).mtimeMs]).toEqual([0o755, 1_700_000_000_123.456]);
    expect(readdirSync(join(target, 'd')).sort()).toEqual(['.holdfast-mine', 'small']);
  });

  it('a file without the mark may be the user\'s: it stays, is named, and is no success', async () => {
    const target = torso(0o600);
    const report = await again(target);
    expect([outcomeOf(report), report.skipped.map(({ path, left }) => `${left} ${path}`)]).toEqual(['target-exists', ['different d/small']]);
    expect(statSync(join(target, 'd/small')).size).toBe(5);
  });

  it('a whole restore leaves no mark, also on directories that the backup has no record of', async () => {
    const target = join(temporaryFolder(), 'new');
    const snapshot = await new FixtureSnapshot(new MemoryStore(systemClock)).file('a/b/f', 'x');
    const reader = await snapshot.build();
    const report = await executeRestore(reader, await planRestore(reader, { target }), { clock: systemClock, fsync: 'none' });
    expect(report.refused).toEqual([]);
    for (const path of ['', 'a', 'a/b', 'a/b/f']) expect(statSync(join(target, path)).mode & 0o1000).toBe(0);
  });
});

describe('the flush at the end', () => {
  it('is ended as interrupted by a signal, at once', async () => {
    const folder = temporaryFolder();
    const command = join(folder, 'slow-sync');
    writeFileSync(command, '#!/bin/sh\nexec sleep 30\n', { mode: 0o755 });
    const controller = new AbortController();
    const begun = performance.now();
    setTimeout(() => controller.abort(), 100);
    await expect(flushFileSystem(openSync(folder, 'r'), controller.signal, command)).rejects.toMatchObject({ code: 'interrupted', nextStep: expect.not.stringContaining('--') });
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('runs in a process group of its own, which a terminal\'s Ctrl-C does not reach', async () => {
    const folder = temporaryFolder();
    const command = join(folder, 'group-sync');
    writeFileSync(command, '#!/bin/sh\nread -r pid name state parent group rest < /proc/self/stat\necho "$pid $group" >&2\nexit 1\n', { mode: 0o755 });
    const error = await flushFileSystem(openSync(folder, 'r'), undefined, command).catch((thrown: Error) => thrown);
    expect(String(error)).toMatch(/failed: (\d+) \1\./);
  });
});
