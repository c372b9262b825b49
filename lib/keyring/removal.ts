import { display, fromText } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { isSlotName, keyNumberOf, slotName } from './key-slot.ts';
import type { KeySlot, VaultKeys } from './key-slot.ts';
import { listSlots, newestNumberOf } from './open-slots.ts';
import type { ListedSlots, SlotStore } from './open-slots.ts';

export interface RemovalRequest {
  /** As the key at hand opened them. */
  readonly keys: VaultKeys;
  /** The slots by which it did: what stays must be proved, and only these are. */
  readonly opened: readonly KeySlot[];
  readonly listed: ListedSlots;
  /** Ids of slots, or at least 4 digits of their beginning. */
  readonly wanted: readonly string[];
}

/** What a removal would do; nothing is done yet. */
export interface RemovalPlan {
  readonly removals: readonly RemovedSlot[];
  /** First of all of them; `executeRemoval` refuses while there is one. */
  readonly refusal?: { readonly reason: string; readonly nextStep: string };
  /** What removing does not do, and what else is to be known. */
  readonly warnings: readonly string[];
}

export interface RemovedSlot {
  /** Of its object below `keys/`. */
  readonly name: string;
  readonly keyNumber: number;
  readonly kind: string;
  readonly label: string;
  readonly opens: 'everything' | 'metadata' | 'nothing';
}

export interface RemovalStore extends SlotStore {
  put(name: string, bytes: Uint8Array): Promise<unknown>;
  remove(name: string): Promise<void>;
}

/**
 * Decides whether slots may go. Of every key number that is touched a slot must stay that the key at hand opened in full:
 * what another slot says of itself proves nothing, somebody may have planted it. Fails as `usage` for a slot that is
 * not there or not told apart.
 */
export function planRemoval({ keys, opened, listed, wanted }: RemovalRequest): RemovalPlan {
  const names = [...new Set(wanted.map((written) => named(written, listed)))];
  const slots = new Map(listed.slots.map((slot) => [slotName(slot), slot]));
  const removals = names.map((name) => removedSlot(name, slots.get(name)));
  const stays = opened.filter((slot) => !names.includes(slotName(slot)) && slot.wrapped.data !== undefined);
  const unproved = [...new Set(removals.map(({ keyNumber }) => keyNumber))].sort((left, right) => left - right).find((number) => !stays.some(({ keyNumber }) => keyNumber === number));
  return {
    removals,
    ...(unproved !== undefined && { refusal: refusalOf(unproved, { keys, listed, names }) }),
    warnings: [...warningsOf(removals, newestNumberOf(listed)), ...otherSlotsOf(names, slots)],
  };
}

/**
 * Removes the slots of a plan. Two removals at once could each take what the other leaves: so it looks again, and what was
 * the last one is put back (`busy`). Fails as `refused`, and as the store does; callable again with a new plan.
 */
export async function executeRemoval(store: RemovalStore, plan: RemovalPlan, repository: KeySlot['repository']): Promise<void> {
  if (plan.refusal) throw new HoldfastError('refused', plan.refusal.reason, { nextStep: plan.refusal.nextStep });
  for (const { name, keyNumber } of plan.removals) {
    const bytes = await store.get(name);
    await store.remove(name);
    const { slots } = await listSlots(store, repository);
    if (slots.some((slot) => slot.keyNumber === keyNumber && slot.wrapped.data !== undefined)) continue;
    await store.put(name, bytes);
    throw new HoldfastError('busy', `Somebody else removed slots of key number ${keyNumber} at the same time: ${name} would have been the last one, and was put back.`, { nextStep: 'Look with `holdfast keys list` what is there now, and begin again.' });
  }
}

/** A damaged slot has no id but in its name. */
function named(written: string, { slots, problems }: ListedSlots): string {
  const all = [...slots.map(slotName), ...problems.map(({ data }) => String(data['slot']))].filter(isSlotName);
  const found = all.filter((name) => idOf(name).startsWith(written.toLowerCase()));
  if (found.length === 1 && written.length >= 4) return found[0] as string;
  throw new HoldfastError('usage', `${JSON.stringify(written)} is ${found.length > 1 ? `the beginning of ${found.length} slots` : 'no slot of this vault'}, wanted the id of one, or at least 4 digits of its beginning.`, { nextStep: 'Run `holdfast keys list` for the ids.' });
}

function idOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1, -'.json'.length);
}

function removedSlot(name: string, slot: KeySlot | undefined): RemovedSlot {
  if (slot === undefined) return { name, keyNumber: keyNumberOf(name), kind: 'damaged', label: '', opens: 'nothing' };
  const { keyNumber, kind, label, wrapped } = slot;
  return { name, keyNumber, kind, label, opens: wrapped.data === undefined ? 'metadata' : 'everything' };
}

function refusalOf(number: number, { keys, listed, names }: { readonly keys: VaultKeys; readonly listed: ListedSlots; readonly names: readonly string[] }): NonNullable<RemovalPlan['refusal']> {
  const others = listed.slots.filter((slot) => slot.keyNumber === number && slot.wrapped.data !== undefined && !names.includes(slotName(slot)));
  if (others.length === 0) return { reason: `No slot would be left that opens key number ${number} in full: what was backed up with it would be lost for everybody.`, nextStep: 'Add another key first: `holdfast keys add`. Nothing was removed.' };
  const isOpen = keys.pairs.some((pair) => pair.number === number && pair.data !== undefined);
  const why = isOpen ? `opens key number ${number} by a slot that is to be removed` : `does not open key number ${number} in full`;
  const words = others.map(({ slot, kind, label }) => `${slot} (${kind}, ${display(fromText(label))})`).join(', ');
  return { reason: `The key in use ${why}, so nothing proves that a slot which stays can be opened.`, nextStep: `Open the vault with a key that stays (--key-file, --passphrase-file, --recipient-key-file): ${words}. Nothing was removed.` };
}

function warningsOf(removals: readonly RemovedSlot[], newest: number): string[] {
  const isCurrent = removals.some(({ keyNumber, opens }) => keyNumber === newest && opens !== 'nothing');
  return [
    'Whoever has the key of a removed slot, and a copy of the slot or of the keys in it, still opens what is stored under that key number; old backups stay open to them.',
    ...(isCurrent ? [`New backups are sealed with key number ${newest}, too: run \`holdfast keys rotate\` so that they have keys which no removed slot ever held.`] : []),
    ...(removals.some(({ kind }) => kind === 'recipient') ? ['A recipient that stands under `recipients` in holdfast.yaml gets a slot again with the next backup: take it out there first.'] : []),
  ];
}

/** A holder has a slot for each key number, and who removes one mostly means all. Of the same number it is somebody else's. */
function otherSlotsOf(names: readonly string[], slots: ReadonlyMap<string, KeySlot>): string[] {
  const gone = names.flatMap((name) => slots.get(name) ?? []);
  const others = [...slots.values()].filter((slot) => !names.includes(slotName(slot)) && gone.some(({ kind, label }) => kind === slot.kind && label === slot.label) && !gone.some(({ keyNumber }) => keyNumber === slot.keyNumber));
  return others.length === 0 ? [] : [`Slots of the same kind and label stay: ${others.map(({ slot, keyNumber }) => `${slot} (key number ${keyNumber})`).join(', ')}.`];
}
