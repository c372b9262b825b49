import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CrunchSettings } from '../../lib/engine/crunch-settings.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { StreamSource } from '../../lib/sources/source.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { backUp, objectNames, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

const startThread = (settings: CrunchSettings) => threadInProcess(settings);

function folderOf(content: string): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'folder'));
  writeFileSync(join(root, 'folder', 'file'), content);
  return root;
}

describe('a run under a lease (design, Life of a run)', () => {
  it('is asked once, when everything but the snapshot is stored, and told the id of the backup to be', async () => {
    const repository = testRepository();
    const asked: { backup: string; snapshots: string[]; refs: string[] }[] = [];
    const { manifest } = await backUp(repository, folderOf('content'), {
      ports: { startThread, beforeCommit: async (backup) => void asked.push({ backup, snapshots: await objectNames(repository.store, 'snapshots/'), refs: await objectNames(repository.store, 'refs/') }) },
    });
    expect(asked).toEqual([{ backup: manifest.backup, snapshots: [], refs: [`refs/${manifest.plan}/${manifest.backup}.0`] }]);
  });

  it('that has lost it stores no snapshot, and the next one builds on what it stored', async () => {
    const repository = testRepository();
    const root = folderOf('the same content');
    const lost = new HoldfastError('stale', 'The lease of this run is lost.');
    await expect(backUp(repository, root, { ports: { startThread, beforeCommit: () => Promise.reject(lost) } })).rejects.toBe(lost);
    expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
    const { statistics } = await backUp(repository, root, { ports: { startThread } });
    expect(statistics.newBytes).toBe(0);
  });

  it('whose role may not read data packs goes on without those that a killed run left (C6)', async () => {
    const repository = testRepository();
    const root = folderOf('content of a killed run');
    await expect(backUp({ ...repository, store: wrapStore(repository.store, { call: (call, run) => (call.operation === 'put' && call.name.startsWith('index/') ? Promise.reject(new HoldfastError('interrupted', 'killed')) : run()) }) }, root, { ports: { startThread } })).rejects.toThrow('killed');
    const blind = wrapStore(repository.store, { call: (call, run) => (call.operation === 'get' && call.name.startsWith('packs/hot/') ? Promise.reject(new HoldfastError('permission', 'denied')) : run()) });
    const { statistics } = await backUp({ ...repository, store: blind }, root, { ports: { startThread } });
    expect(statistics.newBytes).toBeGreaterThan(0);
  });

  it('leaves a checkpoint of a stream every ten minutes, for the next run to reuse', async () => {
    const repository = testRepository();
    const root = temporaryFolder();
    writeFileSync(join(root, 'dump'), randomBytes(24 << 20));
    const packSizes = { frameBytes: 64 << 10, targetBytes: 1 << 20, limitBytes: 4 << 20 };
    const clock = new LeapingClock(systemClock.now());
    const outcome = await backUp(repository, streamOf(join(root, 'dump')), { packSizes, ports: { clock, onProgress: () => clock.advance(4 * 60_000) } });
    expect((await objectNames(repository.store, 'partial/')).length).toBeGreaterThan(0);
    expect(outcome.statistics.files).toBe(1);
  });
});

function streamOf(path: string): StreamSource {
  return {
    type: 'command', description: 'a dump', shape: 'streams',
    check: async () => undefined,
    async *streams() {
      yield {
        name: fromText('dump'), attributes: { mode: 0o600, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0 },
        open: async () => {
          const fd = openSync(path, 'r');
          let isOpen = true;
          return { fd, finish: async ({ bytes }) => ({ bytes, evidence: ['read'] }), close: async () => { if (isOpen) closeSync(fd); isOpen = false; } };
        },
      };
    },
  };
}
