import { listAllKeptNotes, listKeptNotes, parseKeptNote, putKeptNote } from '../../../lib/repository/index.ts';
import { SMALL_PLAN } from '../../support/small-backup.ts';
import { memoryVault } from '../../support/vault.ts';

const MINUTE = 60_000;
const NOTE = { plan: SMALL_PLAN, systemId: '7400000000000000001', timeline: 2, lsn: 0x1_0300_0060n };

describe('notes that all WAL of a server is kept (R4)', () => {
  it('are empty objects that say everything in their names', async () => {
    const { store, clock } = memoryVault();
    const name = await putKeptNote(store, NOTE, clock.now());
    expect(name).toMatch(new RegExp(`^wal-kept/${SMALL_PLAN}/[0-9A-Z]{26}\\.7400000000000000001\\.00000002\\.0000000103000060$`));
    expect(await listKeptNotes(store, SMALL_PLAN)).toEqual([{ ...NOTE, name, storedAt: clock.now() }]);
    expect((await store.get(name)).length).toBe(0);
  });

  it('are listed from a time on by the clock of the store, also where a writer is up to an hour slow', async () => {
    const { store, clock } = memoryVault();
    const times: number[] = [];
    for (const slowMs of [0, 59 * MINUTE, 0]) {
      times.push(clock.now());
      await putKeptNote(store, NOTE, clock.now() - slowMs);
      clock.advance(10 * MINUTE);
    }
    const since = async (time: number) => (await listKeptNotes(store, SMALL_PLAN, time)).map(({ storedAt }) => storedAt).sort((left, right) => left - right);
    expect(await since(times[1] as number)).toEqual(times.slice(1));
    expect(await since((times[1] as number) + 1)).toEqual(times.slice(2));
  });

  it('of a short time are asked for without those before it: a listing begins behind them', async () => {
    const { store, clock } = memoryVault();
    const old = await putKeptNote(store, NOTE, clock.now());
    clock.advance(120 * MINUTE);
    const asked: string[] = [];
    const counting = { list: (prefix: string, after?: string) => (asked.push(`${prefix} ${after ?? ''}`), store.list(prefix, after)) };
    expect(await listKeptNotes(counting, SMALL_PLAN, clock.now() - 15 * MINUTE)).toEqual([]);
    expect(asked).toHaveLength(1);
    expect((asked[0] as string).split(' ')[1]! > old).toBe(true);
    expect(await listAllKeptNotes(store)).toHaveLength(1);
  });

  it.each(['wal-kept/x/01ARZ3NDEKTSV4RRFFQ69G5FAV.7.00000001.0000000000000001', `wal/${SMALL_PLAN}/01ARZ3NDEKTSV4RRFFQ69G5FAV.7.00000001.0000000000000001`, `wal-kept/${SMALL_PLAN}/01ARZ3NDEKTSV4RRFFQ69G5FAV.0.00000001.0000000000000001`, `wal-kept/${SMALL_PLAN}/01ARZ3NDEKTSV4RRFFQ69G5FAV.7.1.1`, `wal-kept/${SMALL_PLAN}/01ARZ3NDEKTSV4RRFFQ69G5FAV.7.00000001.0000000000000001/x`])('are no objects of another name: %s', (name) => {
    expect(parseKeptNote(name)).toBeUndefined();
  });

  it('are refused for what is no id of a plan', async () => {
    const { store } = memoryVault();
    await expect(putKeptNote(store, { ...NOTE, plan: '../x' }, 1)).rejects.toMatchObject({ code: 'broken-invariant' });
  });
});
