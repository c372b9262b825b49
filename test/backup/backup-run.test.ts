import { createHash } from 'node:crypto';
import { BackupRun } from '../../lib/backup/backup-run.ts';
import { MetaPacks } from '../../lib/backup/meta-packs.ts';
import { ChunkTables } from '../../lib/engine/chunk-table.ts';
import type { CrunchPool } from '../../lib/engine/crunch-pool.ts';
import { PackIds } from '../../lib/engine/pack-ids.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { RunId } from '../../lib/model/ids.ts';
import { BackupSession, names, packIdOf } from '../../lib/repository/index.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { TEST_PLAN, TEST_WRITER, objectNames, testRepository } from '../support/run-backup.ts';

async function runIn(repository = testRepository(), clock = systemClock) {
  const session = await BackupSession.open(repository, { plan: TEST_PLAN.id, run: 'RUN2' as RunId, writer: TEST_WRITER });
  const [tables, packIds] = [ChunkTables.create(), PackIds.create()];
  const run = new BackupRun({ session, pool: {} as CrunchPool, previous: undefined, meta: new MetaPacks(session), signal: new AbortController().signal, clock, tables, packIds, onProgress: () => undefined });
  return { repository, session, run, tables, packIds };
}

describe('what a run knows (K3)', () => {
  it('all chunks of earlier runs, also where one pack of tiny files holds more than a table has room for', async () => {
    const { repository, session } = await runIn();
    const count = 70_000;
    const ids = Buffer.concat(Array.from({ length: count }, (_, index) => createHash('sha256').update(String(index)).digest()));
    const pack = names.pack('hot', TEST_WRITER.id, 'a1'.repeat(16));
    await session.storePack(pack, Buffer.from('its bytes are not read'), 'ab'.repeat(32), ids);
    await session.checkpoint();
    const { run, tables, packIds } = await runIn(repository);
    await Promise.all([run.loadKnownChunks(), run.loadKnownChunks()]);
    expect(tables.size).toBe(count);
    for (const at of [0, 12_345, count - 1]) {
      const number = tables.find(ids.subarray(at * 32, at * 32 + 32));
      expect(Buffer.from(packIds.bytes(number)).toString('hex')).toBe(packIdOf(pack));
    }
  });

  it('every ten minutes what is stored is made to live, not sooner', async () => {
    const clock = new LeapingClock();
    const { repository, session, run } = await runIn(testRepository(), clock);
    await session.storePack(names.pack('hot', TEST_WRITER.id, 'a1'.repeat(16)), Buffer.from('pack'), 'ab'.repeat(32), Buffer.alloc(32));
    const told: number[] = [];
    for (let minute = 1; minute <= 21; minute++) {
      clock.advance(60_000);
      await run.checkpointIfDue();
      told.push((await objectNames(repository.store, 'partial/')).length);
    }
    expect([told[8], told[9], told[18], told[19]]).toEqual([0, 1, 1, 2]);
  });
});
