import type { RepositoryId } from '../model/ids.ts';
import type { KeySlot, KeyWrapper, VaultKeys } from './key-slot.ts';
import { recipientWrapper } from './recipient.ts';
import type { Recipient } from './recipient/public-half.ts';
import { addSlot } from './slots.ts';

export interface HeldKeys {
  readonly repository: RepositoryId;
  readonly keys: VaultKeys;
  /** Every slot of the vault, from `listSlots`. */
  readonly slots: readonly KeySlot[];
}

/** The slots that a recipient lacks, of every key number whose data key is open here; not stored yet. */
export async function slotsLackedBy(recipient: Recipient, { repository, keys, slots }: HeldKeys): Promise<readonly KeySlot[]> {
  const wrapper = recipientWrapper(recipient);
  const has = numbersOf(wrapper, slots);
  const lacked = keys.pairs.filter(({ number, data }) => data !== undefined && !has.has(number));
  return lacked.length === 0 ? [] : addSlot(repository, { pairs: lacked, chunker: keys.chunker }, wrapper);
}

function numbersOf(wrapper: KeyWrapper, slots: readonly KeySlot[]): Set<number> {
  return new Set(slots.filter((slot) => wrapper.isFor?.(slot) && slot.wrapped.data !== undefined).map(({ keyNumber }) => keyNumber));
}
