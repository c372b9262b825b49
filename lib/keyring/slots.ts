import { createHash, randomBytes } from 'node:crypto';
import { invariant } from '../model/errors.ts';
import { newHexId } from '../model/ids.ts';
import type { RepositoryId, SlotId } from '../model/ids.ts';
import { encodeSlot, slotName } from './key-slot.ts';
import type { KeyPair, KeySlot, KeyWrapper, VaultKeys } from './key-slot.ts';
import { checkValue, wrapKey } from './wrapping.ts';

type Random = (size: number) => Uint8Array;

/** Keys with the slots that have to be stored before anything is sealed with them. */
export interface NewKeys {
  readonly keys: VaultKeys;
  readonly slots: readonly KeySlot[];
}

/** Fresh keys of number 1 and a fresh chunker secret, wrapped once for each wrapper; without the data key for those that are meta-only. */
export async function createSlots(repository: RepositoryId, wrappers: readonly KeyWrapper[], random: Random = randomBytes): Promise<NewKeys> {
  const keys = { pairs: [newPair(1, random)], chunker: random(32) };
  return { keys, slots: await wrapAll(repository, keys, keys.pairs, wrappers, random) };
}

export interface SlotOptions {
  /** Leaves the data key out: the holder lists, prunes and verifies structure, and reads no content. */
  readonly isMetaOnly?: boolean;
  readonly random?: Random;
}

/** Slots for one more wrapper: one for each key number that `keys` holds. */
export async function addSlot(repository: RepositoryId, keys: VaultKeys, wrapper: KeyWrapper, { isMetaOnly = wrapper.isMetaOnly ?? false, random = randomBytes }: SlotOptions = {}): Promise<readonly KeySlot[]> {
  const pairs = keys.pairs.map(({ number, meta, data }) => ({ number, meta, ...(data && !isMetaOnly && { data }) }));
  return wrapAll(repository, keys, pairs, [wrapper], random);
}

/**
 * Adds the next key number for `wrappers` alone; the chunker secret stays. Nothing stored is rewritten: whoever held
 * the earlier keys still opens what was sealed with them. `keys` must hold the vault's greatest number. The id of the
 * first slot follows from the number: of two rotations at once only one can store it (format §3).
 */
export async function rotate(repository: RepositoryId, keys: VaultKeys, wrappers: readonly KeyWrapper[], random: Random = randomBytes): Promise<NewKeys> {
  const pair = newPair(Math.max(...keys.pairs.map(({ number }) => number)) + 1, random);
  const rotated = { pairs: [...keys.pairs, pair], chunker: keys.chunker };
  const [first, ...others] = wrappers;
  invariant(first, 'Keys were made that nothing wraps');
  const claim = await wrapOne({ repository, slot: firstSlotId(repository, pair.number) }, { chunker: rotated.chunker, pair, wrapper: first }, random);
  return { keys: rotated, slots: [claim, ...(others.length > 0 ? await wrapAll(repository, rotated, [pair], others, random) : [])] };
}

/** Two keys of one number would make a vault that nobody can trust: the first slot of a number is written once. */
function firstSlotId(repository: RepositoryId, number: number): SlotId {
  return createHash('sha256').update(`holdfast/1 first slot\0${repository}\0${number}`).digest('hex').slice(0, 32) as SlotId;
}

/** Stores slots. Callable again: a slot that is there already is success. */
export async function writeSlots(store: { put(name: string, bytes: Uint8Array): Promise<unknown> }, slots: readonly KeySlot[]): Promise<void> {
  for (const slot of slots) await store.put(slotName(slot), encodeSlot(slot));
}

function newPair(number: number, random: Random): KeyPair {
  return { number, meta: random(32), data: random(32) };
}

async function wrapAll(repository: RepositoryId, { chunker }: VaultKeys, pairs: readonly KeyPair[], wrappers: readonly KeyWrapper[], random: Random): Promise<readonly KeySlot[]> {
  invariant(wrappers.length > 0, 'Keys were made that nothing wraps');
  const slots: KeySlot[] = [];
  for (const pair of pairs) for (const wrapper of wrappers) slots.push(await wrapOne({ repository, slot: newHexId<SlotId>(random) }, { chunker, pair, wrapper }, random));
  return slots;
}

interface Wrapping {
  readonly chunker: Uint8Array;
  readonly pair: KeyPair;
  readonly wrapper: KeyWrapper;
}

async function wrapOne({ repository, slot }: Pick<KeySlot, 'repository' | 'slot'>, { chunker, pair, wrapper }: Wrapping, random: Random): Promise<KeySlot> {
  const data = wrapper.isMetaOnly ? undefined : pair.data;
  invariant(wrapper.kdf?.name !== 'kms' || (wrapper.kdf.scope === 'all') === (data !== undefined), 'A slot under KMS would hold other keys than its scope says');
  const place = { repository, keyNumber: pair.number, slot, salt: random(32) };
  const kek = await wrapper.keyEncryptionKey({ ...place, kdf: wrapper.kdf });
  const wrapped = {
    meta: wrapKey(kek, place, 'meta', pair.meta),
    ...(data && { data: wrapKey(kek, place, 'data', data) }),
    chunker: wrapKey(kek, place, 'chunker', chunker),
  };
  const { kind, label, kdf } = wrapper;
  return { format: 1, ...place, kind, label, kdf, wrapped, check: checkValue(kek, place) } as KeySlot;
}
