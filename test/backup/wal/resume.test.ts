import { firstLacking } from '../../../lib/backup/wal/resume.ts';
import { putWal } from '../../../lib/repository/index.ts';
import { segmentName, segmentStart } from '../../../lib/sources/postgres/wal/lsn.ts';
import { MADE_SYSTEM } from '../../../scripts/vectors/made-wal.ts';
import { SMALL_PLAN } from '../../support/small-backup.ts';
import { memoryVault } from '../../support/vault.ts';

const MIB = 1 << 20;

describe('where receiving begins when the spool is gone (R4)', () => {
  it.each<[string, { readonly whole: readonly number[]; readonly partial?: readonly number[]; readonly slotIn: number }, number | undefined]>([
    ['behind the newest segment of the vault, where the slot is further', { whole: [3, 4, 5], slotIn: 9 }, 6],
    ['also when the vault has the beginning of it', { whole: [3, 4], partial: [5], slotIn: 9 }, 5],
    ['also when the vault has something behind the slot', { whole: [3, 4, 9, 10], slotIn: 9 }, 5],
    ['where the slot stands, when the vault has all before it', { whole: [3, 4, 5], slotIn: 6 }, undefined],
    ['where the slot stands, when the vault has nothing of the timeline', { whole: [], partial: [5], slotIn: 9 }, undefined],
    ['where the slot stands, when the vault ended too long ago', { whole: [3], slotIn: 3 + 1026 }, undefined],
    ['long ago, up to a thousand segments', { whole: [3], slotIn: 3 + 1024 }, 4],
    ['where the slot stands, at the beginning of WAL', { whole: [], slotIn: 1 }, undefined],
  ])('is %s', async (_where, { whole, partial = [], slotIn }, wanted) => {
    const { repository, store } = memoryVault();
    const put = (number: number, timeline: number, beginning?: { readonly bytes: number; readonly id: string }) =>
      putWal(repository, { plan: SMALL_PLAN, systemId: MADE_SYSTEM, kind: beginning ? 'partial' : 'segment', name: segmentName(timeline, number, MIB), timeline, segmentBytes: MIB, ...(beginning && { partial: beginning }) }, { sizeBytes: beginning?.bytes ?? MIB, read: async (_, length) => new Uint8Array(length) });
    for (const number of whole) await put(number, 1);
    for (const number of partial) await put(number, 1, { bytes: 8192, id: '01ARZ3NDEKTSV4RRFFQ69G5FAV' });
    await put(slotIn - 1, 2);
    const found = await firstLacking({ store, plan: SMALL_PLAN, systemId: MADE_SYSTEM, timeline: 1, segmentBytes: MIB, confirmed: segmentStart(slotIn, MIB) + 100n });
    expect(found).toBe(wanted === undefined ? undefined : segmentName(1, wanted, MIB));
  });
});
