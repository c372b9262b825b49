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
