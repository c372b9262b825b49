import { createDecipheriv, createHmac, hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import type { HoldfastError } from '../../lib/model/errors.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import type { KeySlot, KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { encodeSlot, slotName } from '../../lib/keyring/key-slot.ts';
import { listSlots, openSlots } from '../../lib/keyring/open-slots.ts';
import { passphraseWrapper } from '../../lib/keyring/passphrase.ts';
import { checkValue } from '../../lib/keyring/wrapping.ts';
import { addSlot, createSlots, rotate, writeSlots } from '../../lib/keyring/slots.ts';

const CHEAP = { N: 16384, r: 8, p: 1 };
const PASSPHRASE = 'Zwölf Boxkämpfer jagen Viktor';
const repository = newHexId<RepositoryId>();

describe('key slots', () => {
  it('open again with the key file or the passphrase that they were made for (K1)', async () => {
    const store = memoryStore();
    const file = keyFile();
    const { keys, slots } = await createSlots(repository, [file, passphraseWrapper(PASSPHRASE, 'desk', CHEAP)]);
    await writeSlots(store, slots);
    expect(plain(await openSlots(store, repository, file))).toEqual(plain(keys));
    expect(plain(await openSlots(store, repository, passphraseWrapper(PASSPHRASE)))).toEqual(plain(keys));
  });

  it('with a key that nobody knows are told in a few words that steer no terminal, however long it is', async () => {
    const [slot] = (await createSlots(repository, [keyFile()])).slots as [KeySlot];
    const json = JSON.parse(Buffer.from(encodeSlot(slot)).toString()) as { wrapped: object };
    const altered = Buffer.from(JSON.stringify({ ...json, wrapped: { ...json.wrapped, [`\u001b[2J${'x'.repeat(5000)}`]: '' } }));
    const problems = (await listSlots({ list: async function* () { yield { name: slotName(slot), size: altered.length }; }, get: async () => altered }, repository)).problems;
    expect(problems.map(({ message }) => message)).toEqual([expect.stringMatching(/^[\x20-\x7e]{1,400}$/)]);
  });

  it('take a passphrase in whatever Unicode form it is typed', async () => {
    const store = memoryStore();
    const { keys, slots } = await createSlots(repository, [passphraseWrapper(PASSPHRASE.normalize('NFD'), 'desk', CHEAP)]);
    await writeSlots(store, slots);
    expect(plain(await openSlots(store, repository, passphraseWrapper(PASSPHRASE.normalize('NFC'))))).toEqual(plain(keys));
  });

  it.each([
    ['key file', keyFile()],
    ['passphrase', passphraseWrapper('Zwölf Boxkämpfer jagen Viktoria')],
  ])('refuse another %s in one line that counts the slots, and show no secret', async (kind, wrong) => {
    const store = memoryStore();
    await writeSlots(store, (await createSlots(repository, [keyFile(), keyFile(), passphraseWrapper(PASSPHRASE, 'desk', CHEAP)])).slots);
    const error = await failure(openSlots(store, repository, wrong));
    expect(error.code).toBe('wrong-key');
    expect(error.message).toBe(`The ${kind} that was given opens none of the 3 key slots of this vault (2 key file, 1 passphrase).`);
    expect(`${error.message}${error.nextStep}${JSON.stringify(error.data)}`).not.toMatch(/Boxk|\n/);
  });

  it('give every key number after a rotation, and to the wrapper left out only the old ones', async () => {
    const store = memoryStore();
    const [stays, leaves] = [keyFile(), keyFile()];
    const first = await createSlots(repository, [stays, leaves]);
    const second = await rotate(repository, first.keys, [stays]);
    await writeSlots(store, [...first.slots, ...second.slots]);
    const opened = await openSlots(store, repository, stays);
    expect(plain(opened)).toEqual(plain(second.keys));
    expect(opened.pairs.map(({ number }) => number)).toEqual([1, 2]);
    expect(opened.chunker).toEqual(first.keys.chunker);
    expect(opened.pairs[1]?.meta).not.toEqual(opened.pairs[0]?.meta);
    const old = await openSlots(store, repository, leaves);
    expect(old.pairs.map(({ number }) => number)).toEqual([1]);
    expect(old.newestNumber).toBe(2);
  });

  it('are added for a new wrapper at every number, also without the data key', async () => {
    const store = memoryStore();
    const owner = keyFile();
    const first = await createSlots(repository, [owner]);
    const { keys } = await rotate(repository, first.keys, [owner]);
    const [reader, pruner] = [keyFile(), keyFile()];
    await writeSlots(store, [...(await addSlot(repository, keys, reader)), ...(await addSlot(repository, keys, pruner, { isMetaOnly: true }))]);
    expect(plain(await openSlots(store, repository, reader))).toEqual(plain(keys));
    const opened = await openSlots(store, repository, pruner);
    expect(opened.pairs.map(({ number, data }) => [number, data])).toEqual([[1, undefined], [2, undefined]]);
    expect(opened.pairs.map(({ meta }) => hex(meta))).toEqual(keys.pairs.map(({ meta }) => hex(meta)));
  });

  it('of one wrapper use no salt, no id and no ciphertext twice', async () => {
    const file = keyFile();
    const { keys, slots } = await createSlots(repository, [file, file]);
    const all = [...slots, ...(await addSlot(repository, keys, file))];
    for (const pick of [(slot: KeySlot) => hex(slot.salt), (slot: KeySlot) => slot.slot, (slot: KeySlot) => hex(slot.wrapped.meta), (slot: KeySlot) => hex(slot.check)]) {
      expect(new Set(all.map(pick)).size).toBe(3);
    }
  });

  it('hold no key in plain bytes', async () => {
    const store = memoryStore();
    const file = keyFile();
    const { keys, slots } = await createSlots(repository, [file]);
    await writeSlots(store, slots);
    const stored = Buffer.from(await store.get(slotName(slots[0] as KeySlot))).toString('latin1');
    const kek = await file.keyEncryptionKey({ repository, keyNumber: 1, salt: new Uint8Array(32), kdf: null });
    for (const key of [kek, keys.chunker, ...keys.pairs.flatMap(({ meta, data }) => [meta, data as Uint8Array])]) {
      for (const encoding of ['latin1', 'base64', 'hex'] as const) expect(stored).not.toContain(Buffer.from(key).toString(encoding).slice(0, 30));
    }
  });
});

describe('a damaged key slot', () => {
  it('of another vault is refused, also when its text is made to name this one', async () => {
    const file = keyFile();
    const other = newHexId<RepositoryId>();
    const [slot] = (await createSlots(other, [file])).slots as [KeySlot];
    const store = memoryStore();
    await writeSlots(store, [slot]);
    expect(await failure(openSlots(store, repository, file))).toMatchObject({ code: 'damaged', message: expect.stringContaining(`belongs to repository ${other}`) });
    const forged = memoryStore();
    await writeSlots(forged, [{ ...slot, repository }]);
    expect((await failure(openSlots(forged, repository, file))).code).toBe('wrong-key');
    const checked = memoryStore();
    const kek = await file.keyEncryptionKey(slot);
    await writeSlots(checked, [{ ...slot, repository, check: checkValue(kek, { ...slot, repository }) }]);
    expect((await failure(openSlots(checked, repository, file))).code).toBe('damaged');
  });

  it('under another name, number or id opens nothing', async () => {
    const file = keyFile();
    const [slot] = (await createSlots(repository, [file])).slots as [KeySlot];
    const renamed = memoryStore();
    await renamed.put('keys/2/' + slot.slot + '.json', encodeSlot(slot));
    expect(await failure(openSlots(renamed, repository, file))).toMatchObject({ code: 'damaged', message: expect.stringContaining(`it says that it is ${slotName(slot)}`) });
    const renumbered = memoryStore();
    await writeSlots(renumbered, [{ ...slot, keyNumber: 2 }]);
    expect((await failure(openSlots(renumbered, repository, file))).code).toBe('damaged');
  });

  it('with its wrappings exchanged opens nothing', async () => {
    const file = keyFile();
    const [slot] = (await createSlots(repository, [file])).slots as [KeySlot];
    const store = memoryStore();
    await writeSlots(store, [{ ...slot, wrapped: { ...slot.wrapped, meta: slot.wrapped.chunker, chunker: slot.wrapped.meta } }]);
    expect((await failure(openSlots(store, repository, file))).code).toBe('damaged');
  });

  it('with any one byte flipped never yields other keys', async () => {
    const file = keyFile();
    const { keys, slots } = await createSlots(repository, [file]);
    const bytes = encodeSlot(slots[0] as KeySlot);
    const codes = new Map<string, number>();
    for (let index = 0; index < bytes.length; index++) {
      const store = memoryStore();
      await store.put(slotName(slots[0] as KeySlot), Buffer.from(bytes).fill((bytes[index] as number) ^ 1, index, index + 1));
      const outcome = await openSlots(store, repository, file).catch((error: unknown) => error);
      if (isHoldfastError(outcome)) codes.set(outcome.code, (codes.get(outcome.code) ?? 0) + 1);
      else expect(plain(outcome as typeof keys)).toEqual(plain(keys)); // the label alone is not bound
    }
    expect([...codes.keys()].sort()).toEqual(['damaged', 'wrong-key']);
  });

  it('is named while the others open', async () => {
    const file = keyFile();
    const { keys, slots } = await createSlots(repository, [file, file]);
    const [bad, good] = slots as [KeySlot, KeySlot];
    const store = memoryStore();
    await writeSlots(store, [good]);
    await store.put(slotName(bad), Buffer.from('{"format":1'));
    await store.put('keys/notes.txt', Buffer.from('x'));
    const opened = await openSlots(store, repository, file);
    expect(plain(opened)).toEqual(plain(keys));
    expect(opened.problems.map(({ message }) => message)).toEqual(expect.arrayContaining([expect.stringContaining(slotName(bad)), expect.stringContaining('keys/notes.txt')]));
    expect((await listSlots(store, repository)).slots).toHaveLength(1);
  });

  it.each([
    ['memory beyond all bounds', { N: 2 ** 30, r: 8, p: 1 }],
    ['2 GiB', { N: 2 ** 20, r: 16, p: 1 }],
    ['hours', { N: 65536, r: 8, p: 4096 }],
    ['wide blocks', { N: 65536, r: 4096, p: 1 }],
    ['a weak key', { N: 2, r: 8, p: 1 }],
    ['no power of two', { N: 65537, r: 8, p: 1 }],
    ['a negative', { N: -65536, r: -8, p: 1 }],
    ['a fraction', { N: 65536, r: 8.5, p: 1 }],
  ])('whose scrypt parameters ask for %s is refused before any work', async (_what, cost) => {
    const wrapper = passphraseWrapper(PASSPHRASE, 'desk', CHEAP);
    const [slot] = (await createSlots(repository, [wrapper])).slots as [KeySlot];
    const store = memoryStore();
    await writeSlots(store, [{ ...slot, kdf: { name: 'scrypt', ...cost } } as KeySlot]);
    let calls = 0;
    const counting: KeyWrapper = { ...wrapper, keyEncryptionKey: (wanted) => (calls++, wrapper.keyEncryptionKey(wanted)) };
    expect(await failure(openSlots(store, repository, counting))).toMatchObject({ code: 'damaged', message: expect.stringContaining('out of bounds') });
    expect(calls).toBe(0);
  });

  it('of a newer format version stops everything', async () => {
    const file = keyFile();
    const store = memoryStore();
    await writeSlots(store, (await createSlots(repository, [file])).slots);
    await store.put(`keys/2/${newHexId()}.json`, Buffer.from('{"format":2,"anything":true}'));
    expect((await failure(openSlots(store, repository, file))).code).toBe('unsupported-version');
  });

  it('that was the last one is told apart from a wrong key', async () => {
    expect(await failure(openSlots(memoryStore(), repository, keyFile()))).toMatchObject({ code: 'damaged', message: expect.stringContaining('no readable key slot') });
  });
});

describe('the JSON of a key slot', () => {
  it('opens by the words of format §3 alone', async () => {
    const kek = randomBytes(32);
    const { keys, slots } = await createSlots(repository, [keyFile(kek)]);
    const [slot] = slots as [KeySlot];
    const json = JSON.parse(Buffer.from(encodeSlot(slot)).toString()) as { slot: string; salt: string; wrapped: Record<string, string>; check: string };
    expect(Object.keys(json)).toEqual(['format', 'repository', 'keyNumber', 'slot', 'kind', 'label', 'kdf', 'salt', 'wrapped', 'check']);
    const derive = (info: string) => Buffer.from(hkdfSync('sha256', kek, Buffer.from(json.salt, 'base64'), info, 32));
    const unwrap = (name: string) => {
      const wrapped = Buffer.from(json.wrapped[name] as string, 'base64');
      const opener = createDecipheriv('aes-256-gcm', derive(`holdfast wrap ${name}`), Buffer.alloc(12));
      opener.setAAD(Buffer.from(`holdfast/1/wrap/${repository}/1/${json.slot}/${name}`)).setAuthTag(wrapped.subarray(32));
      return hex(Buffer.concat([opener.update(wrapped.subarray(0, 32)), opener.final()]));
    };
    expect([unwrap('meta'), unwrap('data'), unwrap('chunker')]).toEqual([keys.pairs[0]?.meta, keys.pairs[0]?.data, keys.chunker].map((key) => hex(key as Uint8Array)));
    expect(json.check).toBe(createHmac('sha256', derive('holdfast check')).update('check').update(repository).digest().subarray(0, 16).toString('base64'));
  });

  it('of a passphrase opens with scrypt over the NFC of the passphrase', async () => {
    const { slots } = await createSlots(repository, [passphraseWrapper(PASSPHRASE.normalize('NFD'), 'desk', CHEAP)]);
    const [slot] = slots as [KeySlot];
    const kek = scryptSync(PASSPHRASE.normalize('NFC'), slot.salt, 32, { ...CHEAP, maxmem: 2 ** 26 });
    const key = Buffer.from(hkdfSync('sha256', kek, slot.salt, 'holdfast check', 32));
    expect(hex(slot.check)).toBe(createHmac('sha256', key).update(`check${repository}`).digest('hex').slice(0, 32));
  });
});

function memoryStore(): MemoryStore {
  return new MemoryStore({ now: () => 0 });
}

function keyFile(key: Uint8Array = randomBytes(32)): KeyWrapper {
  return { kind: 'key-file', label: 'test', kdf: null, keyEncryptionKey: async () => key };
}

function plain({ pairs, chunker }: { pairs: readonly { number: number; meta: Uint8Array; data?: Uint8Array }[]; chunker: Uint8Array }): unknown {
  return { chunker: hex(chunker), pairs: pairs.map(({ number, meta, data }) => [number, hex(meta), data && hex(data)]) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

async function failure(work: Promise<unknown>): Promise<HoldfastError> {
  const outcome = await work.then(() => 'it succeeded', (error: unknown) => error);
  if (isHoldfastError(outcome)) return outcome;
  throw new Error(`wanted a HoldfastError, saw ${String(outcome)}`);
}
