import { FolderSync } from '../../lib/stores/directory/folder-sync.ts';

describe('flushing a folder for many at once', () => {
  let log: string[];
  let finish: ((error?: Error) => void)[];
  let sync: FolderSync;
  beforeEach(() => {
    log = [];
    finish = [];
    sync = new FolderSync({
      syncFolder: (path) => {
        log.push(path);
        return new Promise((resolve, reject) => finish.push((error) => (error === undefined ? resolve() : reject(error))));
      },
    });
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('never lets anyone share a flush that began before they asked', async () => {
    const done: string[] = [];
    void sync.sync('f').then(() => done.push('first'));
    void sync.sync('f').then(() => done.push('second'));
    void sync.sync('f').then(() => done.push('third'));
    expect(log).toEqual(['f']);
    finish[0]?.();
    await settle();
    expect(done).toEqual(['first']);
    expect(log).toEqual(['f', 'f']);
    void sync.sync('f').then(() => done.push('fourth'));
    finish[1]?.();
    await settle();
    expect(done).toEqual(['first', 'second', 'third']);
    expect(log).toEqual(['f', 'f', 'f']);
    finish[2]?.();
    await settle();
    expect(done).toHaveLength(4);
  });

  it('flushes different folders at the same time', () => {
    void sync.sync('f');
    void sync.sync('g');
    expect(log).toEqual(['f', 'g']);
  });

  it('tells a failure to those who shared it and flushes anew for the others', async () => {
    const first = sync.sync('f');
    const second = sync.sync('f');
    finish[0]?.(new Error('no'));
    await expect(first).rejects.toThrow('no');
    await settle();
    finish[1]?.();
    await expect(second).resolves.toBeUndefined();
  });
});
