import type { FileOps } from '../../lib/stores/directory/file-ops.ts';
import { text, names } from '../contract/store.ts';
import type { CrashDisk } from '../support/crash-disk.ts';
import { crashEverywhere, openCrashStore, VAULT, type Journal, type Story } from '../support/crash-store.ts';
import { withoutLinks } from '../support/file-ops.ts';

type Change = (fileOps: FileOps) => FileOps;
const asItIs: Change = (fileOps) => fileOps;

const first = { boot: 1, pid: 101 };
/** The process that comes after `first` was killed; the machine stays up. */
const second = { boot: 1, pid: 102, isAlive: (pid: number) => pid !== 101 };

/** One after the other, in new and in known folders, again, and removed. */
const sequence =
  (change: Change): Story =>
  async (disk, journal) => {
    const store = openCrashStore(disk, first, change);
    await journal.put(store, 'packs/w/00/a', text('the bytes of a'));
    await journal.put(store, 'packs/w/00/b', text('the bytes of b'));
    await journal.put(store, 'packs/w/00/a', text('the bytes of a'));
    await journal.remove(store, 'packs/w/00/b');
    await journal.put(store, 'index/w/1', text('names a'));
    await journal.put(store, 'packs/w/00/b', text('other bytes'));
  };

/** Many at once into the same folders, where flushes are shared. */
const together =
  (change: Change): Story =>
  async (disk, journal) => {
    const store = openCrashStore(disk, first, change);
    // Of different lengths, so that they are published at different times, some while the folder is being flushed.
    const puts = ['p/1', 'p/2', 'p/3', 'q/4', 'p/5'].map((name, index) => journal.put(store, name, text(`${name} `.repeat(4 ** index))));
    const failed = (await Promise.allSettled(puts)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };

/** The first process is killed after `killedAt` steps (nothing is lost by that); a second one puts the same object. */
const killedThenPutAgain =
  (change: Change, killedAt: number): Story =>
  async (disk, journal) => {
    const killed = openCrashStore(disk, first, (fileOps) => change(dyingAfter(fileOps, killedAt)));
    // When it was the power that went, the second process finds none either.
    await journal.put(killed, 'refs/p/1', text('the bytes')).catch(() => undefined);
    await journal.put(openCrashStore(disk, second, change), 'refs/p/1', text('the bytes'));
  };

/** After the reboot everything can be written, nothing strange is listed, and nothing is left over. */
async function worksAgain(disk: CrashDisk, journal: Journal): Promise<string[]> {
  const store = openCrashStore(disk, { boot: 2, pid: 1 });
  const listed = await names(store, '');
  const known = new Set(['packs/w/00/a', 'packs/w/00/b', 'index/w/1', 'refs/p/1', 'p/1', 'p/2', 'p/3', 'q/4', 'p/5']);
  const strange = listed.filter((name) => !known.has(name)).map((name) => `${name} is listed and was never put`);
  await store.put('after/reboot', text('works'));
  await store.sweepTemporaries();
  return [...strange, ...(await journal.violations(store)), ...(await leftovers(disk))];
}

/** Temporaries that are the second name of a published object stay until the object goes. */
async function leftovers(disk: CrashDisk): Promise<string[]> {
  const { fileOps } = disk;
  const entries = await fileOps.readFolder(`${VAULT}/tmp`);
  const facts = await Promise.all(entries.map(async ({ name }) => ({ name, links: (await fileOps.lstat(`${VAULT}/tmp/${name}`)).nlink })));
  return facts.filter(({ links }) => links < 2).map(({ name }) => `tmp/${name} is left over`);
}

describe('the directory store when the power goes at any operation (P4, K8)', () => {
  it.each([
    ['puts and removals one after the other', sequence(asItIs), 80],
    ['puts at the same time', together(asItIs), 60],
    ['puts and removals without hard links', sequence(withoutLinks), 120],
    ['puts at the same time without hard links', together(withoutLinks), 100],
  ])('keeps every object absent or whole, and all that was promised: %s', async (_what, story, atLeast) => {
    const { cuts, violations } = await crashEverywhere(story, { afterwards: worksAgain });
    expect(violations).toEqual([]);
    expect(cuts).toBeGreaterThan(atLeast);
  });

  it('keeps what a second process was promised, wherever the first one was killed', async () => {
    for (const change of [asItIs, withoutLinks]) {
      for (let killedAt = 0; killedAt < 40; killedAt += 1) {
        const { violations } = await crashEverywhere(killedThenPutAgain(change, killedAt), { afterwards: worksAgain, first: killedAt % 13, every: 13 });
        expect(violations).toEqual([]);
      }
    }
  });
});

describe('the crash double finds planted bugs', () => {
  const skip = async () => {};
  const noFileFlush: Change = (fileOps) => ({ ...fileOps, syncFile: skip });
  const noFolderFlush: Change = (fileOps) => ({ ...fileOps, syncFolder: skip });
  const noParentFlush: Change = (fileOps) => ({ ...fileOps, syncFolder: (path) => (path.endsWith('/00') ? fileOps.syncFolder(path) : skip()) });
  const noRootFlush: Change = (fileOps) => ({ ...fileOps, syncFolder: (path) => (path === '/disk' ? skip() : fileOps.syncFolder(path)) });
  const noRemovalFlush: Change = (fileOps) => forgettingRemovals(fileOps);
  const ownFolderFlushOnly: Change = (fileOps) => flushingOnlyOwnChanges(fileOps);

  it.each([
    ['the bytes are not flushed', noFileFlush, 'torn'],
    ['no folder is flushed', noFolderFlush, 'lost'],
    ['new parent folders are not flushed', noParentFlush, 'lost'],
    ['the parent of a new vault is not flushed', noRootFlush, 'lost'],
    ['a removal is not flushed', noRemovalFlush, 'back'],
    ['a removal is not flushed, without hard links', (fileOps: FileOps) => noRemovalFlush(withoutLinks(fileOps)), 'back'],
  ])('%s', async (_bug, change, word) => {
    const { violations } = await crashEverywhere(sequence(change));
    expect(violations.filter((violation) => violation.includes(word))).not.toEqual([]);
  });

  it('a second process trusts that the killed one flushed its folders', async () => {
    const found: string[] = [];
    for (let killedAt = 0; killedAt < 40; killedAt += 1) {
      found.push(...(await crashEverywhere(killedThenPutAgain(ownFolderFlushOnly, killedAt), { first: killedAt % 13, every: 13 })).violations);
    }
    expect(found.filter((violation) => violation.includes('lost'))).not.toEqual([]);
  });
});

/** A process that is killed: from then on none of its operations happens. */
function dyingAfter(fileOps: FileOps, operations: number): FileOps {
  let left = operations;
  const dying = Object.entries(fileOps).map(([name, operation]) => [
    name,
    async (...input: unknown[]) => {
      left -= 1;
      if (left < 0) throw new Error('killed');
      return (operation as (...input: unknown[]) => Promise<unknown>)(...input);
    },
  ]);
  return Object.fromEntries(dying) as FileOps;
}

/** The bug of a store that does not flush the folder of an object that it removed. */
function forgettingRemovals(fileOps: FileOps): FileOps {
  const removedFrom = new Set<string>();
  return {
    ...fileOps,
    unlink: async (path) => {
      await fileOps.unlink(path);
      if (!path.startsWith(`${VAULT}/tmp/`)) removedFrom.add(path.slice(0, path.lastIndexOf('/')));
    },
    syncFolder: async (path) => {
      if (!removedFrom.delete(path)) await fileOps.syncFolder(path);
    },
  };
}

/** The bug of a store that flushes a folder only when it changed something in it itself. */
function flushingOnlyOwnChanges(fileOps: FileOps): FileOps {
  const changed = new Set<string>();
  const parent = (path: string) => path.slice(0, path.lastIndexOf('/'));
  return {
    ...fileOps,
    makeFolder: async (path) => {
      await fileOps.makeFolder(path);
      changed.add(parent(path));
    },
    link: async (existing, path) => {
      await fileOps.link(existing, path);
      changed.add(parent(path));
    },
    syncFolder: async (path) => {
      if (changed.delete(path)) await fileOps.syncFolder(path);
    },
  };
}
