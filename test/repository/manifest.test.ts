import { openManifest, sealJson, sealManifest } from '../../lib/repository/index.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { systemClock } from '../../lib/model/clock.ts';

describe('a manifest (format §8)', () => {
  it('comes back as it was sealed', async () => {
    const { repository, manifest } = await fixture();
    const name = `snapshots/${manifest.plan}/${manifest.backup}`;
    expect(openManifest(repository.keys, name, sealManifest(repository.keys, manifest, repository.cipher))).toEqual(manifest);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a time that is none', { startedAt: 'soon' }, 'startedAt'],
    ['an end that is none', { finishedAt: '' }, 'finishedAt'],
    ['a tree chunk whose id is too long', { tree: { base: { chunks: [{ first: '', id: 'ab'.repeat(33), pack: 'cd'.repeat(16), length: 1 }], packs: [], records: 1, bytes: 1 }, delta: null } }, 'tree.base.chunks.0.id'],
    ['half a byte', { statistics: { entries: 1, files: 1, directories: 1, bytes: 0.5, newFiles: 0, changedFiles: 0, unchangedFiles: 0, removedEntries: 0, readBytes: 0, newBytes: 0, storedBytes: 0, durationMilliseconds: 0 } }, 'statistics.bytes'],
    ['a sequence of nothing', { sequence: 0 }, 'sequence'],
    ['no tree', { tree: null }, 'tree'],
    ['another backup', { backup: `x\u001b${'y'.repeat(5000)}` }, 'x\\u001b'],
  ])('with %s is damaged, whoever sealed it, in a few words', async (_what, lie, says) => {
    const { repository, manifest } = await fixture();
    const name = `snapshots/${manifest.plan}/${manifest.backup}`;
    const sealed = sealJson(repository.keys, 'snapshot', name, { ...manifest, ...lie }, repository.cipher);
    expect(() => openManifest(repository.keys, name, sealed)).toThrow(expect.objectContaining({ code: 'damaged', message: expect.stringMatching(/^[\x20-\x7e]{1,400}$/) }));
    expect(() => openManifest(repository.keys, name, sealed)).toThrow(says);
  });
});

async function fixture() {
  const snapshot = new FixtureSnapshot(new MemoryStore(systemClock));
  const { manifest } = await (await snapshot.file('x', 'content')).build();
  return { repository: snapshot.repository, manifest };
}
