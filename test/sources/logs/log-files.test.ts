import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { LogsSource } from '../../../lib/sources/logs.ts';
import type { LogsOptions } from '../../../lib/sources/logs.ts';
import type { ObjectSource, SourceObject } from '../../../lib/sources/source.ts';
import { backUp, heldBy, testRepository } from '../../support/run-backup.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { threadInProcess } from '../../support/thread-in-process.ts';
import { DAY, HOUR } from './desk.ts';

const QUICK = { ports: { startThread: threadInProcess as never } };
const noGroups = { list: () => { throw new Error('nobody asks'); }, events: () => { throw new Error('nobody asks'); } };

function sourceOf(paths: readonly string[], more: Partial<LogsOptions> = {}): LogsSource {
  return new LogsSource({ paths, groups: noGroups as never, wanted: [], rangeMs: 7 * DAY, windowMs: HOUR, lateMs: HOUR, parallel: 1, clock: systemClock, ...more });
}

/** As the source, and `meanwhile` happens between the listing and the reading of the first. */
function withMeanwhile(source: LogsSource, meanwhile: () => void): ObjectSource {
  const { shape, type, description, parallel } = source;
  async function* objects(signal: AbortSignal) {
    const found: SourceObject[] = [];
    const list = source.objects(signal);
    for (let next = await list.next(); ; next = await list.next()) {
      if (next.done) {
        meanwhile();
        yield* found;
        return next.value;
      }
      found.push(next.value);
    }
  }
  return { shape, type, description, parallel, check: () => source.check(), objects };
}

async function kept(source: ObjectSource, folder: string, repository = testRepository()) {
  const outcome = await backUp(repository, source, QUICK);
  const files = [...(await heldBy(repository, outcome))].flatMap(([path, { content }]) => (content ? [[path.slice(`files${folder}/`.length), content.toString()] as const] : []));
  return { files: Object.fromEntries(files), warnings: outcome.manifest.warnings, statistics: outcome.manifest.statistics, evidence: outcome.manifest.evidence };
}

describe('directories of logs (S9)', () => {
  let folder: string;
  const path = (name: string) => join(folder, name);
  const aged = (name: string, days: number, content = name) => {
    writeFileSync(path(name), content);
    utimesSync(path(name), (Date.now() - days * DAY) / 1000, (Date.now() - days * DAY) / 1000);
  };
  beforeEach(() => {
    folder = temporaryFolder();
    mkdirSync(path('nginx'));
  });

  (process.geteuid?.() === 0 ? it : it.skip)('name every file of a folder that may be read and not entered: it is no folder without logs', async () => {
    aged('nginx/access.log', 1);
    aged('app.log', 1);
    chmodSync(folder, 0o755);
    chmodSync(path('nginx'), 0o744);
    process.seteuid?.(65_534);
    try {
      const list = sourceOf([folder]).objects(new AbortController().signal);
      let next = await list.next();
      while (!next.done) next = await list.next();
      expect(next.value).toMatchObject({ warnings: [{ code: 'unreadable', path: expect.stringMatching(/nginx\/access\.log$/), message: 'it cannot be looked into (EACCES)' }] });
    } finally {
      process.seteuid?.(0);
    }
  });

  it('are kept by the time at which files were written, by pattern, without links; older ones are counted', async () => {
    for (const [name, days] of [['app.log', 0], ['app.log.1', 1], ['app.log.2.gz', 6], ['app.log.3.gz', 8], ['nginx/access.log', 2], ['nginx/debug.log', 2], ['nginx/notes.txt', 1]] as const) aged(name, days);
    symlinkSync('app.log', path('current'));
    const { files, evidence } = await kept(sourceOf([folder], { include: ['*.log', '*.log.*'], exclude: ['debug*'] }), folder);
    expect(Object.keys(files).sort()).toEqual(['app.log', 'app.log.1', 'app.log.2.gz', 'nginx/access.log']);
    expect(evidence?.[0]?.facts[0]).toMatch(/^6 files that were written since 20.*, 1 older ones left out$/);
    expect(Object.keys((await kept(sourceOf([path('*/access.log'), path('app.log')]), folder)).files).sort()).toEqual(['app.log', 'nginx/access.log']);
  });

  it('what did not change is taken over', async () => {
    for (const name of ['a.log', 'b.log']) aged(name, 1);
    const repository = testRepository();
    await kept(sourceOf([folder]), folder, repository);
    appendFileSync(path('b.log'), ' more');
    const { files, statistics } = await kept(sourceOf([folder]), folder, repository);
    expect([files, statistics]).toMatchObject([{ 'a.log': 'a.log', 'b.log': 'b.log more' }, { unchangedFiles: 1, changedFiles: 1 }]);
  });

  it('a file that grows is kept up to where it was when it was opened, and no byte is torn out of the middle', async () => {
    const source = sourceOf([folder]);
    writeFileSync(path('app.log'), 'x'.repeat(700_000));
    for await (const object of source.objects(new AbortController().signal)) {
      const opened = await object.open();
      if ('missed' in opened) throw new Error(opened.reason);
      appendFileSync(path('app.log'), 'y'.repeat(10_000));
      expect(Buffer.concat(await Array.fromAsync(opened.body)).toString()).toBe('x'.repeat(700_000));
      expect(opened.isRacy).toBe(true);
    }
  });

  it('rotation between listing and reading loses nothing and keeps nothing twice', async () => {
    aged('app.log', 0, 'newest');
    aged('app.log.1', 1, 'older');
    aged('app.log.2', 2, 'oldest');
    const rotating = withMeanwhile(sourceOf([folder]), () => {
      for (const [from, to] of [['app.log.2', 'app.log.3'], ['app.log.1', 'app.log.2'], ['app.log', 'app.log.1']] as const) renameSync(path(from), path(to));
      writeFileSync(path('app.log'), 'after the rotation');
    });
    expect((await kept(rotating, folder)).files).toEqual({ 'app.log': 'newest', 'app.log.1': 'older', 'app.log.2': 'oldest' });
  });

  it('what is deleted meanwhile is a warning, what cannot be read as well, and a path that is not there fails', async () => {
    for (const name of ['gone.log', 'stays.log']) aged(name, 0);
    const vanishing = withMeanwhile(sourceOf([folder]), () => rmSync(path('gone.log')));
    expect(await kept(vanishing, folder)).toMatchObject({ files: { 'stays.log': 'stays.log' }, warnings: [{ code: 'vanished', message: expect.stringContaining('deleted or packed') }] });
    await expect(kept(sourceOf([path('none')]), folder)).rejects.toMatchObject({ code: 'source-failed', message: expect.stringContaining('is not there (ENOENT)') });
    await expect(kept(sourceOf([path('*.none')]), folder)).rejects.toMatchObject({ message: `Nothing matches ${path('*.none')}.` });
  });

  it('one that is cut while it is read is opened again, and never kept with a hole', async () => {
    writeFileSync(path('app.log'), 'x'.repeat(700_000));
    for await (const object of sourceOf([folder]).objects(new AbortController().signal)) {
      const opened = await object.open();
      if ('missed' in opened) throw new Error(opened.reason);
      truncateSync(path('app.log'), 10);
      await expect(Array.fromAsync(opened.body)).rejects.toMatchObject({ code: 'stale' });
    }
    chmodSync(path('app.log'), 0o600);
    expect(readFileSync(path('app.log'), 'utf8')).toBe('x'.repeat(10));
  });
});
