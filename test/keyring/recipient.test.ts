import { randomBytes } from 'node:crypto';
import type { KeySlot, KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { encodeSlot, parseSlot, slotName } from '../../lib/keyring/key-slot.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { distinctWrappers, recipientUnlocker, recipientWrapper } from '../../lib/keyring/recipient.ts';
import { encodeRecipient, fingerprintOf, parseRecipient, shownFingerprint } from '../../lib/keyring/recipient/public-half.ts';
import { xWingKey } from '../../lib/keyring/recipient/x-wing.ts';
import { addSlot, createSlots, rotate, writeSlots } from '../../lib/keyring/slots.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';

const repository = newHexId<RepositoryId>();
const seed = randomBytes(32);
const { publicKey } = xWingKey(seed);
const recipient = { label: 'safe.recipient', publicKey };

describe('an offline recipient (K11)', () => {
  it('opens with its private half every number that was wrapped for its public half, and nobody needed that half for it', async () => {
    const first = await createSlots(repository, [keyFile(), recipientWrapper(recipient)]);
    const second = await rotate(repository, first.keys, [keyFile(), recipientWrapper(recipient)]);
    const store = await storeWith([...first.slots, ...second.slots]);
    const opened = await openSlots(store, repository, recipientUnlocker(seed));
    expect(plain(opened)).toEqual(plain(second.keys));
    expect(opened.slots.map(({ kind, keyNumber }) => `${kind} ${keyNumber}`)).toEqual(['recipient 1', 'recipient 2']);
  });

  it('is stored by its fingerprint, a ciphertext of 1120 bytes and nothing else', async () => {
    const [slot] = (await createSlots(repository, [recipientWrapper(recipient)])).slots as [KeySlot];
    const json = JSON.parse(Buffer.from(encodeSlot(slot)).toString()) as { kdf: { name: string; recipient: string; ciphertext: string } };
    expect(Object.keys(json.kdf)).toEqual(['name', 'recipient', 'ciphertext']);
    expect(json.kdf).toMatchObject({ name: 'x-wing', recipient: Buffer.from(fingerprintOf(publicKey)).toString('base64') });
    expect(Buffer.from(json.kdf.ciphertext, 'base64')).toHaveLength(1120);
    expect(encodeSlot(parseSlot(slotName(slot), encodeSlot(slot), repository))).toEqual(encodeSlot(slot));
  });

  it('whose paper is another one is told so, with the fingerprint that is wanted', async () => {
    const store = await storeWith((await createSlots(repository, [keyFile(), recipientWrapper(recipient)])).slots);
    await expect(openSlots(store, repository, recipientUnlocker(randomBytes(32)))).rejects.toMatchObject({
      code: 'wrong-key', message: 'The recipient key that was given opens none of the 2 key slots of this vault (1 key file, 1 recipient key).', nextStep: `Look for the paper with the fingerprint ${shownFingerprint(fingerprintOf(publicKey))}.`,
    });
    const without = await storeWith((await createSlots(repository, [keyFile()])).slots);
    await expect(openSlots(without, repository, recipientUnlocker(seed))).rejects.toMatchObject({ code: 'wrong-key', nextStep: expect.stringContaining('This vault has no recipient') });
  });

  it('is not misled by a slot that somebody made for it with keys of his own: the chunker secret tells (threat model)', async () => {
    const honest = await createSlots(repository, [keyFile(), recipientWrapper(recipient)]);
    const forged = await rotate(repository, (await createSlots(repository, [keyFile()])).keys, [recipientWrapper(recipient)]);
    const store = await storeWith([...honest.slots, ...forged.slots]);
    await expect(openSlots(store, repository, recipientUnlocker(seed))).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining('its keys are not those of the other slots of this vault') });
  });

  it('opens nothing with its public half, and knows its slots', async () => {
    const made = await createSlots(repository, [recipientWrapper(recipient)]);
    const wrapper = recipientWrapper(recipient);
    expect(wrapper.isFor?.(made.slots[0]!)).toBe(true);
    expect(recipientWrapper({ label: 'other', publicKey: xWingKey(randomBytes(32)).publicKey }).isFor?.(made.slots[0]!)).toBe(false);
    await expect(openSlots(await storeWith(made.slots), repository, wrapper)).rejects.toMatchObject({ code: 'wrong-key', nextStep: expect.stringContaining('read-paper') });
  });

  it('gets keys of every number when it is added later, each with a salt of its own', async () => {
    const first = await createSlots(repository, [keyFile()]);
    const second = await rotate(repository, first.keys, [keyFile()]);
    const added = await addSlot(repository, second.keys, recipientWrapper(recipient));
    expect(plain(await openSlots(await storeWith(added), repository, recipientUnlocker(seed)))).toEqual(plain(second.keys));
    expect(new Set(added.map(({ salt }) => Buffer.from(salt).toString('hex'))).size).toBe(2);
  });

  it('that is named twice is one', () => {
    const wrappers = [keyFile(), keyFile(), recipientWrapper(recipient), recipientWrapper({ ...recipient, label: 'again' })];
    expect(distinctWrappers(wrappers).map(({ label }) => label)).toEqual(['key', 'key', 'safe.recipient']);
  });
});

describe('the public half in a file (K11)', () => {
  const text = encodeRecipient(publicKey);

  it('comes back as it was', () => {
    expect(Buffer.from(parseRecipient(text, 'f', 'l').publicKey)).toEqual(Buffer.from(publicKey));
  });

  it('with any letter altered is refused: what is wrapped for it would be lost', () => {
    const line = text.indexOf('holdfast-recipient-1:');
    const letters = Array.from(text);
    for (let at = line; at < text.length - 1; at += 7) {
      const altered = letters.with(at, letters[at] === 'A' ? 'B' : 'A').join('');
      expect(() => parseRecipient(altered, 'f', 'l')).toThrow(expect.objectContaining({ code: expect.stringMatching(/missing-key|unsupported-version/) }));
    }
  });

  it.each([
    ['cut off', (whole: string) => whole.slice(0, -400), 'wanted 1216 bytes in base64'],
    ['empty', () => '', 'saw 0 lines'],
    ['twice', (whole: string) => whole + whole, 'saw 2 lines'],
    ['of a later version', (whole: string) => whole.replace('recipient-1:', 'recipient-2:'), 'has version 2'],
  ])('%s is refused, saying so', (_, spoil, complaint) => {
    expect(() => parseRecipient(spoil(text), 'safe.recipient', 'l')).toThrow(complaint);
  });

  it('whose curve point is of low order is refused, though its fingerprint fits', () => {
    const low = Buffer.concat([publicKey.subarray(0, 1184), Buffer.alloc(32)]);
    expect(() => parseRecipient(encodeRecipient(low), 'f', 'l')).toThrow('its bytes are no public key of X-Wing');
  });
});

function keyFile(): KeyWrapper {
  const key = randomBytes(32);
  return { kind: 'key-file', label: 'key', kdf: null, keyEncryptionKey: async () => key };
}

async function storeWith(slots: readonly KeySlot[]): Promise<MemoryStore> {
  const store = new MemoryStore({ now: () => 0 });
  await writeSlots(store, slots);
  return store;
}

function plain({ pairs, chunker }: { pairs: readonly { number: number; meta: Uint8Array; data?: Uint8Array }[]; chunker: Uint8Array }) {
  const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
  return { chunker: hex(chunker), pairs: pairs.map(({ number, meta, data }) => [number, hex(meta), hex(data)]) };
}
