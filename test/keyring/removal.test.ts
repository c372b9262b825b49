import { randomBytes } from 'node:crypto';
import type { KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { listSlots, openSlots } from '../../lib/keyring/open-slots.ts';
import { executeRemoval, planRemoval } from '../../lib/keyring/removal.ts';
import { addSlot, createSlots, rotate, writeSlots } from '../../lib/keyring/slots.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';

const repository = newHexId<RepositoryId>();

/** Two key numbers, each open to two key files; the second one has left out a third. */
async function vault() {
  const [mine, other, leftOut] = [keyFile('mine'), keyFile('other'), keyFile('left-out')];
  const first = await createSlots(repository, [mine, other, leftOut]);
  const second = await rotate(repository, first.keys, [mine, other]);
  const store = new MemoryStore({ now: () => 0 });
  const slots = [...first.slots, ...second.slots];
  await writeSlots(store, slots);
  const id = (label: string, number: number) => slots.find((slot) => slot.label === label && slot.keyNumber === number)?.slot ?? '';
  const plan = async (wrapper: KeyWrapper, ...wanted: string[]) => {
    const { slots: opened, ...keys } = await openSlots(store, repository, wrapper);
    return planRemoval({ keys, opened, listed: await listSlots(store, repository), wanted });
  };
  return { mine, other, leftOut, store, id, plan, first };
}

describe('removing key slots (K1)', () => {
  it('takes away what is named, and the key that stays opens all as before', async () => {
    const { mine, other, store, id, plan } = await vault();
    const planned = await plan(mine, id('other', 1), id('other', 2).slice(0, 12));
    expect(planned.removals.map(({ keyNumber, label, opens }) => [keyNumber, label, opens])).toEqual([[1, 'other', 'everything'], [2, 'other', 'everything']]);
    expect(planned.refusal).toBeUndefined();
    await executeRemoval(store, planned, repository);
    await expect(openSlots(store, repository, other)).rejects.toMatchObject({ code: 'wrong-key' });
    expect((await openSlots(store, repository, mine)).pairs.map(({ number, data }) => [number, data !== undefined])).toEqual([[1, true], [2, true]]);
  });

  it('says what it does not do, when new keys are wanted, and which slots of the same holder stay', async () => {
    const { mine, store, id, plan, first } = await vault();
    const current = (await plan(mine, id('other', 2))).warnings.join(' ');
    expect(current).toContain('old backups stay open to them');
    expect(current).toContain('New backups are sealed with key number 2, too: run `holdfast keys rotate`');
    expect(current).toContain(`Slots of the same kind and label stay: ${id('other', 1)} (key number 1).`);
    expect((await plan(mine, id('left-out', 1))).warnings.join(' ')).not.toContain('keys rotate');
    await writeSlots(store, await addSlot(repository, first.keys, keyFile('left-out')));
    expect((await plan(mine, id('left-out', 1))).warnings.join(' ')).not.toContain('Slots of the same kind');
  });

  it('is refused for the last slot that opens a number in full, whatever else opens its metadata', async () => {
    const { mine, store, id, plan, first } = await vault();
    await writeSlots(store, await addSlot(repository, first.keys, keyFile('pruner'), { isMetaOnly: true }));
    const planned = await plan(mine, id('mine', 1), id('other', 1), id('left-out', 1));
    expect(planned.refusal).toMatchObject({ reason: expect.stringContaining('No slot would be left that opens key number 1 in full'), nextStep: expect.stringContaining('keys add') });
    await expect(executeRemoval(store, planned, repository)).rejects.toMatchObject({ code: 'refused' });
    expect((await listSlots(store, repository)).slots).toHaveLength(6);
  });

  it('is refused where the key in use would not open what stays: another slot proves nothing by itself, it may be planted', async () => {
    const { mine, leftOut, store, id, plan } = await vault();
    expect((await plan(mine, id('mine', 2))).refusal).toMatchObject({ reason: expect.stringContaining('The key in use opens key number 2 by a slot that is to be removed'), nextStep: expect.stringContaining(`${id('other', 2)} (key-file, other)`) });
    expect((await plan(leftOut, id('mine', 2))).refusal).toMatchObject({ reason: expect.stringContaining('The key in use does not open key number 2 in full') });
    const metaOnly = keyFile('pruner');
    await writeSlots(store, await addSlot(repository, (await openSlots(store, repository, mine)), metaOnly, { isMetaOnly: true }));
    expect((await plan(metaOnly, id('other', 1))).refusal).toMatchObject({ reason: expect.stringContaining('does not open key number 1 in full') });
  });

  it('wants a slot that is there, by enough of its id', async () => {
    const { mine, id, plan } = await vault();
    await expect(plan(mine, 'ffffffff')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('is no slot of this vault') });
    await expect(plan(mine, id('other', 1).slice(0, 3))).rejects.toMatchObject({ code: 'usage' });
  });

  it('takes a damaged slot away by the id in its name', async () => {
    const { mine, store, plan } = await vault();
    const name = `keys/1/${'d'.repeat(32)}.json`;
    await store.put(name, Buffer.from('not json'));
    const planned = await plan(mine, 'dddd');
    expect(planned).toMatchObject({ removals: [{ name, kind: 'damaged', opens: 'nothing' }] });
    await executeRemoval(store, planned, repository);
    expect((await listSlots(store, repository)).problems).toEqual([]);
  });

  it('of two that each take what the other leaves, none leaves the vault closed', async () => {
    const { mine, other, store, id, plan } = await vault();
    await executeRemoval(store, await plan(mine, id('left-out', 1)), repository);
    const [one, two] = [await plan(mine, id('other', 1)), await plan(other, id('mine', 1))];
    expect([one.refusal, two.refusal]).toEqual([undefined, undefined]);
    await executeRemoval(store, one, repository);
    await expect(executeRemoval(store, two, repository)).rejects.toMatchObject({ code: 'busy', message: expect.stringContaining('would have been the last one, and was put back') });
    expect((await openSlots(store, repository, mine)).pairs.map(({ number }) => number)).toEqual([1, 2]);
  });
});

function keyFile(label: string): KeyWrapper {
  const key = randomBytes(32);
  return { kind: 'key-file', label, kdf: null, keyEncryptionKey: async () => key };
}
