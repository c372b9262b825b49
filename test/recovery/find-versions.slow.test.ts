import { rmSync, utimesSync, writeFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findVersions } from '../../lib/recovery/find-versions.ts';
import type { SearchResult, SearchedBackup } from '../../lib/recovery/find-versions.ts';
import { selectEntries, selectNames } from '../../lib/recovery/selection.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { backUp, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const never = new AbortController().signal;

/** Backups of one directory that changes between them, in real trees of base and delta. */
class Story {
  readonly root = temporaryFolder();
  readonly repository: Repository = testRepository();
  readonly backups: SearchedBackup[] = [];
  readonly deltas: boolean[] = [];

  constructor() {
    for (let n = 0; n < 60; n++) writeFileSync(join(this.root, `filler-${n}`), String(n));
  }

  async backUp(): Promise<void> {
    const { manifest } = await backUp(this.repository, this.root);
    this.deltas.push(manifest.tree.delta !== null);
    this.backups.push({ backupId: manifest.backup, planId: manifest.plan, planName: manifest.planName, sequence: manifest.sequence, finishedAt: Date.parse(manifest.finishedAt) });
  }

  find(...patterns: string[]): Promise<SearchResult> {
    return findVersions(this.repository, this.backups, { selection: selectNames(patterns), accepts: () => true, signal: never, onProgress: () => undefined });
  }

  /** `first-last count` of each version by the numbers of its backups. */
  async versions(...patterns: string[]): Promise<string[]> {
    const number = ({ backupId }: SearchedBackup) => this.backups.findIndex((backup) => backup.backupId === backupId);
    return (await this.find(...patterns)).versions.map(({ path, first, last, backups }) => `${path} ${number(first)}-${number(last)} ${backups}`);
  }
}

describe('finding a file in all backups (R7)', () => {
  const story = new Story();
  const note = join(story.root, 'note.txt');

  beforeAll(async () => {
    writeFileSync(note, 'one');
    symlinkSync('here', join(story.root, 'link'));
    await story.backUp();
    // Its time alone is no other version.
    utimesSync(note, 1, 1);
    await story.backUp();
    writeFileSync(note, 'two');
    rmSync(join(story.root, 'link'));
    symlinkSync('there', join(story.root, 'link'));
    await story.backUp();
    rmSync(note);
    await story.backUp();
    writeFileSync(note, 'two');
    await story.backUp();
    writeFileSync(note, 'one');
    await story.backUp();
  });

  it('tells versions by content, newest first, and the backups in a row that have each', async () => {
    expect(await story.versions('note.txt')).toEqual(['note.txt 5-5 1', 'note.txt 4-4 1', 'note.txt 2-2 1', 'note.txt 0-1 2']);
    // The story is told by trees with a delta as well as by bases.
    expect(new Set(story.deltas)).toEqual(new Set([true, false]));
  });

  it('tells versions of links by their targets', async () => {
    expect(await story.versions('link')).toEqual(['link 2-5 4', 'link 0-1 2']);
  });

  it('shows what has not changed once, with all its backups', async () => {
    expect(await story.versions('filler-1?')).toEqual(Array.from({ length: 10 }, (_, n) => `filler-1${n} 0-5 6`));
  });

  it('has the entry as in the newest backup of each version', async () => {
    const { versions } = await story.find('note.txt');
    expect(versions.at(-1)?.entry.mtimeSeconds).toBe(1);
  });

  it('reads a base that backups share once', async () => {
    const get = story.repository.store.get.bind(story.repository.store);
    let reads = 0;
    story.repository.store.get = async (name, range) => {
      if (name.includes('/meta/') && range !== undefined) reads++;
      return get(name, range);
    };
    await story.find('note.txt');
    story.repository.store.get = get;
    const bases = story.deltas.filter((isDelta) => !isDelta).length;
    // Directory and chunk of each base, directory and chunk of each delta.
    expect(reads).toBe(2 * bases + 2 * (story.backups.length - bases));
  });

  it('opens several backups at once and no more than eight, and finds the same whichever answers first', async () => {
    const get = story.repository.store.get.bind(story.repository.store);
    const expected = await story.versions('note.txt', 'link');
    let open = 0;
    let most = 0;
    let turn = 0;
    story.repository.store.get = async (name, range) => {
      most = Math.max(most, ++open);
      // The later one asks the sooner it has its answer.
      await sleep(Math.max(0, 20 - turn++));
      open--;
      return get(name, range);
    };
    const found = await story.versions('note.txt', 'link').finally(() => (story.repository.store.get = get));
    expect(found).toEqual(expected);
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('names backups that cannot be searched, and finds in the others', async () => {
    const { store } = story.repository;
    const get = store.get.bind(store);
    const broken = story.backups[2] as SearchedBackup;
    store.get = async (name, range) => (name.endsWith(broken.backupId) ? Buffer.from('rubbish') : get(name, range));
    const { versions, unsearched } = await story.find('note.txt');
    store.get = get;
    expect(unsearched.map(({ backupId }) => backupId)).toEqual([broken.backupId]);
    expect(versions).toHaveLength(3);
  });
});

describe('an empty pattern, as of a variable that was not set (R1)', () => {
  it.each([['restoring', selectEntries], ['finding', selectNames]] as const)('is refused in %s, and does not mean everything', (_what, select) => {
    expect(() => select(['a', ''])).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining('One of the patterns is empty') }));
  });
});

describe('patterns that look for names', () => {
  it.each<[string, string[], string[]]>([
    ['x', ['x', 'a/x', 'a/b/x'], ['x/y', 'xx']],
    ['*.txt', ['a.txt', 'd/a.txt', '.txt'], ['a.txt/b', 'a.txtx']],
    ['a/x', ['a/x'], ['x', 'b/a/x', 'a/x/y']],
    ['/x', ['x'], ['a/x']],
    ['a/*', ['a/x'], ['a', 'a/x/y']],
    ['a/**', ['a/x', 'a/x/y'], ['a']],
    ['*', ['x', 'a/x'], ['']],
  ])('%s', (pattern, hits, misses) => {
    const { matches } = selectNames([pattern]);
    expect([...hits, ...misses].filter((path) => matches(path as never))).toEqual(hits);
  });
});
