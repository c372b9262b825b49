import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeySlot, KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { slotName } from '../../lib/keyring/key-slot.ts';
import { listSlots, openSettledSlots, openSlots } from '../../lib/keyring/open-slots.ts';
import { passphraseWrapper } from '../../lib/keyring/passphrase.ts';
import { executeRotation, planRotation } from '../../lib/keyring/rotation.ts';
import type { RotationPlan } from '../../lib/keyring/rotation.ts';
import { addSlot, createSlots, writeSlots } from '../../lib/keyring/slots.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { backUp, heldBy, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const repository = '12'.repeat(16) as RepositoryId;
const CHEAP = { N: 16384, r: 8, p: 1 };

/** A vault that a key file, a passphrase and a key for metadata open. */
async function vault() {
  const store = new MemoryStore(systemClock);
  const [file, words, pruner] = [keyFile('laptop'), passphraseWrapper('long and secret words', 'safe', CHEAP), keyFile('pruner')];
  const { keys, slots } = await createSlots(repository, [file, words]);
  const meta = await addSlot(repository, keys, pruner, { isMetaOnly: true });
  await writeSlots(store, [...slots, ...meta]);
  return { store, file, words, pruner, slots: [...slots, ...meta] as [KeySlot, KeySlot, KeySlot] };
}

async function plan(store: MemoryStore, opener: KeyWrapper, others: readonly KeyWrapper[] = [], leaveOut: readonly string[] = []): Promise<RotationPlan> {
  const keys = await openSlots(store, repository, opener);
  return planRotation({ repository, keys, listed: await listSlots(store, repository), wrappers: [opener, ...others], leaveOut });
}

describe('a rotation of keys (K1)', () => {
  it('gives the new number to those that are named, of each kind, and nobody more than before', async () => {
    const { store, file, words, pruner } = await vault();
    const made = await plan(store, file, [words, pruner]);
    expect(made.access.map(({ label, opens, upTo, getsNew }) => [label, opens, upTo, getsNew])).toEqual([['laptop', 'everything', 1, true], ['safe', 'everything', 1, true], ['pruner', 'metadata', 1, true]]);
    await executeRotation(store, made);
    const opened = await Promise.all([file, words, pruner].map((wrapper) => openSlots(store, repository, wrapper)));
    expect(opened.map(({ pairs }) => pairs.map(({ number, data }) => [number, data !== undefined]))).toEqual([[[1, true], [2, true]], [[1, true], [2, true]], [[1, false], [2, false]]]);
    const [one, other] = opened.map(({ slots: _, ...keys }) => keys);
    expect(one).toEqual(other);
  });

  it('is refused while it would drop a slot that nobody decided on, and names each; nothing is stored', async () => {
    const { store, file, slots } = await vault();
    const made = await plan(store, file);
    expect(new Set(made.undecided.map(({ slot }) => slot))).toEqual(new Set([slots[1].slot, slots[2].slot]));
    await expect(executeRotation(store, made)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining(`${slots[1].slot} (passphrase, safe)`) });
    expect((await listSlots(store, repository)).slots).toHaveLength(3);
  });

  it('shows no label that would steer a terminal', async () => {
    const { store, file } = await vault();
    await writeSlots(store, await addSlot(repository, await openSlots(store, repository, file), keyFile('\u001b[2Jevil')));
    await expect(plan(store, file).then((made) => executeRotation(store, made))).rejects.toMatchObject({ message: expect.stringContaining('(key-file, \\x1b[2Jevil)') });
  });

  it('leaves out who is left out on purpose: that key opens old numbers only, and is told that it may not write', async () => {
    const { store, file, words, pruner, slots } = await vault();
    const made = await plan(store, file, [pruner], [slots[1].slot.slice(0, 8)]);
    expect(made.undecided).toEqual([]);
    expect(made.access.filter(({ getsNew }) => !getsNew)).toEqual([{ slot: slots[1].slot, kind: 'passphrase', label: 'safe', opens: 'everything', upTo: 1, getsNew: false }]);
    await executeRotation(store, made);
    const old = await openSlots(store, repository, words);
    expect([old.pairs.map(({ number }) => number), old.newestNumber]).toEqual([[1], 2]);
  });

  it('can leave out the key that it was started with, for one that it names', async () => {
    const { store, file, words, slots } = await vault();
    const made = await plan(store, file, [words], [slots[0].slot, slots[2].slot]);
    await executeRotation(store, made);
    expect((await openSlots(store, repository, file)).pairs.map(({ number }) => number)).toEqual([1]);
    expect((await openSlots(store, repository, words)).pairs.map(({ number }) => number)).toEqual([1, 2]);
  });

  it('lets a key in that is new, and one that an earlier rotation left out, which it shows until then', async () => {
    const { store, file, words, slots } = await vault();
    await executeRotation(store, await plan(store, file, [], [slots[1].slot, slots[2].slot]));
    const seen = await plan(store, file);
    expect(seen.access.map(({ label, upTo, getsNew }) => [label, upTo, getsNew])).toEqual([['laptop', 2, true], ['pruner', 1, false], ['safe', 1, false]]);
    const again = await plan(store, file, [words, keyFile('new')]);
    expect(again.access.map(({ label, upTo, getsNew }) => [label, upTo, getsNew])).toEqual([['laptop', 2, true], ['safe', 1, true], ['new', 0, true], ['pruner', 1, false]]);
    await executeRotation(store, again);
    expect((await openSlots(store, repository, words)).pairs.map(({ number }) => number)).toEqual([1, 3]);
  });

  it.each([
    ['with a key for metadata', async ({ store, pruner }: Awaited<ReturnType<typeof vault>>) => plan(store, pruner), 'wrong-key', 'opens metadata only'],
    ['that names no slot of the current number', async ({ store, file }: Awaited<ReturnType<typeof vault>>) => plan(store, file, [], ['ffff0000']), 'usage', '--leave-out is "ffff0000"'],
    ['after which nobody would open new data', async ({ store, file, pruner, slots }: Awaited<ReturnType<typeof vault>>) => plan(store, file, [pruner], [slots[0].slot, slots[1].slot]), 'refused', 'nobody would open new data'],
  ])('%s is refused', async (_, rotating, code, message) => {
    await expect(rotating(await vault())).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('with a key that was left out is refused', async () => {
    const { store, file, words, slots } = await vault();
    await executeRotation(store, await plan(store, file, [], [slots[1].slot, slots[2].slot]));
    await expect(plan(store, words)).rejects.toMatchObject({ code: 'wrong-key', message: expect.stringContaining('left out of the rotation to key number 2') });
  });

  it('that meets another one at the same time stores nothing: a number never has two keys', async () => {
    const { store, file, words, pruner } = await vault();
    const [one, other] = [await plan(store, file, [words, pruner]), await plan(store, words, [file, pruner])];
    const ends = await Promise.allSettled([executeRotation(store, one), executeRotation(store, other)]);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(ends[1]).toMatchObject({ reason: { code: 'busy', message: expect.stringContaining('Key number 2 was added by somebody else') } });
    expect((await listSlots(store, repository)).slots.filter(({ keyNumber }) => keyNumber === 2)).toHaveLength(3);
    expect((await openSlots(store, repository, words)).pairs).toHaveLength(2);
  });

  it('that slept while another one added its number stores nothing, though the slot that decides was removed since', async () => {
    const { store, file, words, pruner } = await vault();
    const [slept, other] = [await plan(store, file, [words, pruner]), await plan(store, words, [file, pruner])];
    await executeRotation(store, other);
    await store.remove(slotName(other.made.slots[0]!));
    await expect(executeRotation(store, slept)).rejects.toMatchObject({ code: 'busy' });
    expect((await listSlots(store, repository)).slots.filter(({ keyNumber }) => keyNumber === 2)).toHaveLength(2);
  });

  it('can be stored again after a lost answer', async () => {
    const { store, file, words, pruner } = await vault();
    const made = await plan(store, file, [words, pruner]);
    await executeRotation(store, made);
    await executeRotation(store, made);
    expect((await listSlots(store, repository)).slots).toHaveLength(6);
  });

  it('seals what is backed up afterwards with the new number; old backups open with new and old keys, new ones not with a key left out', async () => {
    const { store, file, words, slots } = await vault();
    const folder = temporaryFolder();
    const open = async (wrapper: KeyWrapper) => testRepository(store, undefined, await openSlots(store, repository, wrapper));
    writeFileSync(join(folder, 'a'), randomBytes(10_000));
    const before = await backUp(await open(file), folder);
    await executeRotation(store, await plan(store, file, [], [slots[1].slot, slots[2].slot]));
    writeFileSync(join(folder, 'b'), randomBytes(10_000));
    const after = await backUp(await open(file), folder);
    expect(await Promise.all([before, after].map(async ({ manifest }) => Buffer.from(await store.get(`snapshots/${manifest.plan}/${manifest.backup}`)).readUInt32BE(8)))).toEqual([1, 2]);
    expect([...(await heldBy(await open(file), before)).keys(), ...(await heldBy(await open(file), after)).keys()]).toEqual(['', 'a', '', 'a', 'b']);
    expect([...(await heldBy(await open(words), before)).keys()]).toEqual(['', 'a']);
    await expect(heldBy(await open(words), after)).rejects.toMatchObject({ code: 'wrong-key' });
  });
});

describe('opening a vault in the middle of a rotation (K1)', () => {
  /** Rotates for all three, and stops after the first slot until it is told to go on. */
  async function begun() {
    const made = await vault();
    const { first, rest } = await plan(made.store, made.file, [made.words, made.pruner]).then(({ made: { slots } }) => ({ first: slots.slice(0, 1), rest: slots.slice(1) }));
    await writeSlots(made.store, first);
    return { ...made, goOn: () => writeSlots(made.store, rest) };
  }

  it('waits for the slots that are still to come: nobody is told that he was left out who is not', async () => {
    const { store, words, goOn } = await begun();
    expect((await openSlots(store, repository, words)).newestNumber).toBe(2);
    const clock = { now: systemClock.now, sleep: async () => void (await goOn()) };
    const opened = await openSettledSlots(store, { repository, unlocker: words, clock });
    expect(opened.pairs.map(({ number }) => number)).toEqual([1, 2]);
  });

  it('ends when nothing comes, and at once when the rotation was long ago', async () => {
    const { store, words } = await begun();
    const clock = new LeapingClock(systemClock.now());
    const open = () => openSettledSlots(store, { repository, unlocker: words, clock });
    expect(await open()).toMatchObject({ newestNumber: 2, pairs: [{ number: 1 }] });
    expect(clock.sleeps).toEqual(Array.from({ length: 10 }, () => 1000));
    clock.advance(120_000);
    await open();
    expect(clock.sleeps).toHaveLength(10);
  });

  it('passes over a slot that is taken away while slots are read', async () => {
    const { store, file, slots } = await vault();
    const leaving: MemoryStore = Object.assign(Object.create(store) as MemoryStore, { list: (prefix: string) => store.list(prefix), get: async (name: string) => (await store.remove(slotName(slots[2])), store.get(name)) });
    expect((await openSlots(leaving, repository, file)).pairs).toHaveLength(1);
    expect((await listSlots(leaving, repository)).problems).toEqual([]);
  });
});

describe('the first slot of a number', () => {
  it('has an id that follows from repository and number, so that it can be stored once', async () => {
    const { store, file, words, pruner } = await vault();
    const [one, other] = [await plan(store, file, [words, pruner]), await plan(store, words, [file, pruner])];
    const names = [one, other].map(({ made }) => made.slots.map(slotName));
    expect(names[0]?.[0]).toBe(names[1]?.[0]);
    expect(new Set(names.flat()).size).toBe(5);
  });
});

function keyFile(label: string, key: Uint8Array = randomBytes(32)): KeyWrapper {
  return { kind: 'key-file', label, kdf: null, keyEncryptionKey: async () => key };
}
