import type { RestoreRecord } from '../../lib/catalog/records.ts';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { BackupId } from '../../lib/model/ids.ts';
import { performOrderedRestore } from '../../lib/recovery/ordered-restore.ts';
import type { OrderedRestorePorts, RestoreStep } from '../../lib/recovery/ordered-restore.ts';
import { systemClock } from '../../lib/model/clock.ts';

const BACKUP = '01K00000000000000000BACKUP' as BackupId;
const ORDER = { restoreId: 'R1', backupId: BACKUP };
const BEGUN: RestoreRecord = { restoreId: 'R1', backupId: BACKUP, target: 'scratch', state: 'running', startedAt: 1, files: 0, bytes: 0, stages: [{ name: 'checked', state: 'done', startedAt: 1, finishedAt: 2 }] };

async function prepared(over: Partial<OrderedRestorePorts> = {}): Promise<{ catalog: SqliteCatalog; troubles: string[]; ports: OrderedRestorePorts; stages: () => Promise<string[]> }> {
  const catalog = new SqliteCatalog(':memory:');
  await catalog.recordRestore(BEGUN);
  const troubles: string[] = [];
  const ports = { catalog, clock: systemClock, signal: new AbortController().signal, heartbeat: async () => undefined, heartbeatMs: 5, onTrouble: (error: HoldfastError) => void troubles.push(error.message), ...over };
  const stages = async () => ((await catalog.listRestores())[0]?.stages ?? []).map(({ name, state }) => `${name} ${state}`);
  return { catalog, troubles, ports, stages };
}

const untilAborted: RestoreStep = {
  name: 'restored',
  perform: (_report, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new HoldfastError('interrupted', 'aborted')), { once: true })),
};

describe('a restore that a workflow ordered (R3)', () => {
  it('writes each stage into the record as it goes, behind those of the workflow', async () => {
    const { ports, stages } = await prepared();
    const seen: string[][] = [];
    await performOrderedRestore(ORDER, [{ name: 'restored', perform: async (report) => { report(5, 10); seen.push(await stages()); } }, { name: 'validated', perform: async () => void seen.push(await stages()) }], ports);
    expect(seen).toEqual([['checked done', 'restored running'], ['checked done', 'restored done', 'validated running']]);
    expect(await stages()).toEqual(['checked done', 'restored done', 'validated done']);
  });

  it('shows how far it is with every heartbeat', async () => {
    let beats = 0;
    const { ports, catalog } = await prepared({ heartbeat: async () => void beats++ });
    await performOrderedRestore(ORDER, [{ name: 'restored', perform: async (report) => { report(700, 1000); while (beats < 2) await systemClock.sleep(2); } }], ports);
    expect((await catalog.listRestores())[0]?.stages?.[1]).toMatchObject({ doneBytes: 700, totalBytes: 1000 });
  });

  it('ends its work when nobody waits for it any more, with that reason', async () => {
    const gone = new HoldfastError('stale', 'The execution has ended.');
    let beats = 0;
    const { ports, stages } = await prepared({ heartbeat: () => (beats++ === 0 ? Promise.resolve() : Promise.reject(gone)) });
    await expect(performOrderedRestore(ORDER, [untilAborted], ports)).rejects.toBe(gone);
    expect(await stages()).toEqual(['checked done', 'restored failed']);
  });

  it('touches nothing when nobody waits any more as it begins', async () => {
    const gone = new HoldfastError('stale', 'The execution has ended.');
    const { ports, stages } = await prepared({ heartbeat: () => Promise.reject(gone), heartbeatMs: 60_000 });
    let isBegun = false;
    await expect(performOrderedRestore(ORDER, [{ name: 'restored', perform: async () => void (isBegun = true) }], ports)).rejects.toBe(gone);
    expect([isBegun, await stages()]).toEqual([false, ['checked done']]);
  });

  it('ends its work when it could tell nobody for as long as the workflow waits', async () => {
    const { ports } = await prepared({ heartbeat: () => Promise.reject(new HoldfastError('unavailable', 'no answer')), patienceMs: 40 });
    await expect(performOrderedRestore(ORDER, [untilAborted], ports)).rejects.toMatchObject({ code: 'stale' });
  });

  it('a heartbeat that fails otherwise is told and tried again', async () => {
    let beats = 0;
    const { ports, troubles } = await prepared({ heartbeat: () => (beats++ === 0 ? Promise.reject(new HoldfastError('unavailable', 'no answer')) : Promise.resolve()) });
    await performOrderedRestore(ORDER, [{ name: 'restored', perform: async () => { while (beats < 2) await systemClock.sleep(2); } }], ports);
    expect(troubles).toEqual(['no answer']);
  });

  it('a signal to stop is its reason, and no later stage begins', async () => {
    const stopping = new AbortController();
    const { ports, stages } = await prepared({ signal: stopping.signal });
    const stopped = new HoldfastError('interrupted', 'Stopped by SIGTERM.');
    setTimeout(() => stopping.abort(stopped), 20);
    await expect(performOrderedRestore(ORDER, [untilAborted, { name: 'validated', perform: () => Promise.reject(new Error('must not begin')) }], ports)).rejects.toBe(stopped);
    expect(await stages()).toEqual(['checked done', 'restored failed']);
  });

  it('a catalog that cannot be written does not stop it', async () => {
    const broken = { listRestores: () => Promise.reject(new HoldfastError('unavailable', 'throttled')), recordRestore: () => Promise.reject(new HoldfastError('unavailable', 'throttled')) };
    const { ports, troubles } = await prepared({ catalog: broken });
    let isDone = false;
    await performOrderedRestore(ORDER, [{ name: 'restored', perform: async () => void (isDone = true) }], ports);
    expect([isDone, troubles]).toEqual([true, ['throttled']]);
  });
});
