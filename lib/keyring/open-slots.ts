import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { RepositoryId } from '../model/ids.ts';
import { damagedSlot, isSlotName, keyNumberOf, parseSlot, slotName } from './key-slot.ts';
import type { KeyPair, KeySlot, SlotKind, Unlocker, VaultKeys } from './key-slot.ts';
import { shownFingerprint } from './recipient/public-half.ts';
import { isRightKey, unwrapKey } from './wrapping.ts';
import type { KeyName } from './wrapping.ts';

/** The slice of a store that reading slots needs. */
export interface SlotStore {
  list(prefix: string): AsyncIterable<{ readonly name: string; readonly size: number }>;
  get(name: string): Promise<Uint8Array>;
}

export interface ListedSlots {
  readonly slots: readonly KeySlot[];
  /** One for each object below `keys/` that is not a readable slot of this vault. */
  readonly problems: readonly HoldfastError[];
}

export interface OpenedKeys extends VaultKeys {
  /** Greatest key number with a slot. Above every number of `pairs`: this key was left out of a rotation and must not write. */
  readonly newestNumber: number;
  /** The slots that opened. */
  readonly slots: readonly KeySlot[];
  /** Damaged slots that were passed by. */
  readonly problems: readonly HoldfastError[];
}

/** A slot is about 600 bytes. */
const MAX_SLOT_BYTES = 16 * 1024;
/** More is a hostile store that would keep scrypt busy. */
const MAX_SLOTS = 1000;

/** Reads and parses every slot. Damaged ones become problems; a newer format version fails as `unsupported-version`. */
export async function listSlots(store: SlotStore, repository: RepositoryId): Promise<ListedSlots> {
  const slots: KeySlot[] = [];
  const problems: HoldfastError[] = [];
  let count = 0;
  for await (const { name, size } of store.list('keys/')) {
    if (++count > MAX_SLOTS) throw new HoldfastError('damaged', `There are more than ${MAX_SLOTS} objects below keys/.`, { nextStep: 'Remove what is not a key slot of this vault.' });
    const slot = await readSlot(store, name, size, repository).catch((cause: unknown) => {
      // Taken away since it was listed.
      if (isHoldfastError(cause, 'not-found')) return;
      if (!isHoldfastError(cause, 'damaged')) throw cause;
      problems.push(cause);
    });
    if (slot) slots.push(slot);
  }
  return { slots, problems };
}

/**
 * Opens every slot that the unlocker opens and gathers all key numbers. A damaged slot is passed by and named in
 * `problems` while another one opens. Fails as `wrong-key` when none opens, as `damaged` when the key is right and the
 * slot is not, or when no slot is left at all.
 */
export async function openSlots(store: SlotStore, repository: RepositoryId, unlocker: Unlocker): Promise<OpenedKeys> {
  const listed = await listSlots(store, repository);
  const problems = [...listed.problems];
  const opened: OpenedSlot[] = [];
  for (const slot of listed.slots.filter(({ kind }) => kind === unlocker.kind)) {
    const kek = await keyOf(unlocker, slot);
    if (isHoldfastError(kek)) problems.push(kek);
    if (kek === undefined || isHoldfastError(kek) || !isRightKey(kek, slot)) continue;
    const keys = unwrapAll(kek, slot);
    if (isHoldfastError(keys)) problems.push(keys);
    else opened.push(keys);
  }
  if (opened.length === 0) throw nothingOpens(listed.slots, problems, unlocker);
  return { ...gather(opened), newestNumber: newestNumberOf(listed), slots: opened.map(({ slot }) => slot), problems };
}

/** So long does a rotation need at most to store its slots, one after another, on a slow store. */
const ROTATION_MILLISECONDS = 60_000;
const PAUSE_MILLISECONDS = 1000;
const MAX_PAUSES = 10;

/**
 * The same, for whoever is about to write. A rotation stores one slot after another, so that for a moment a number is there
 * which not all who shall have it can open: a key that seems to be left out by a number that is just being added is looked
 * for again, for ten seconds at most, before anybody is told that it is left out.
 */
export async function openSettledSlots(store: SlotStore & Pick<DatedStore, 'list'>, { repository, unlocker, clock }: { readonly repository: RepositoryId; readonly unlocker: Unlocker; readonly clock: Clock }): Promise<OpenedKeys> {
  for (let pauses = 0; ; pauses++) {
    const opened = await openSlots(store, repository, unlocker);
    const isBehind = opened.newestNumber > Math.max(...opened.pairs.map(({ number }) => number));
    if (!isBehind || pauses === MAX_PAUSES || !(await isJustAdded(store, opened.newestNumber, clock.now()))) return opened;
    await clock.sleep(PAUSE_MILLISECONDS);
  }
}

interface DatedStore {
  list(prefix: string): AsyncIterable<{ readonly name: string; readonly size: number; readonly storedAt: number }>;
}

/** By this machine's clock: when it is wrong, nobody waits, or somebody ten seconds in vain. */
async function isJustAdded(store: DatedStore, keyNumber: number, now: number): Promise<boolean> {
  for await (const { storedAt } of store.list(`keys/${keyNumber}/`)) if (Math.abs(now - storedAt) < ROTATION_MILLISECONDS) return true;
  return false;
}

/** The greatest key number that any slot names, a damaged one as well. */
export function newestNumberOf({ slots, problems }: ListedSlots): number {
  return Math.max(...slots.map(({ keyNumber }) => keyNumber), ...problems.map(({ data }) => keyNumberOf(String(data['slot']))));
}

/** What is damaged in one slot does not keep another from opening. */
async function keyOf(unlocker: Unlocker, slot: KeySlot): Promise<Uint8Array | HoldfastError | undefined> {
  return unlocker.keyEncryptionKey(slot).catch((error: unknown) => {
    if (isHoldfastError(error, 'damaged')) return damagedSlot(slotName(slot), error.message.replace(/\.$/, ''), error);
    throw error;
  });
}

interface OpenedSlot extends KeyPair {
  readonly slot: KeySlot;
  readonly chunker: Uint8Array;
}

async function readSlot(store: SlotStore, name: string, size: number, repository: RepositoryId): Promise<KeySlot> {
  if (!isSlotName(name)) throw damagedSlot(name, 'its name is not that of a key slot');
  if (size > MAX_SLOT_BYTES) throw damagedSlot(name, `it has ${size} bytes, at most ${MAX_SLOT_BYTES} are allowed`);
  return parseSlot(name, await store.get(name), repository);
}

function unwrapAll(kek: Uint8Array, slot: KeySlot): OpenedSlot | HoldfastError {
  const unwrapped = (name: KeyName, wrapped: Uint8Array) => unwrapKey(kek, slot, name, wrapped);
  const meta = unwrapped('meta', slot.wrapped.meta);
  const chunker = unwrapped('chunker', slot.wrapped.chunker);
  const data = slot.wrapped.data && unwrapped('data', slot.wrapped.data);
  if (!meta || !chunker || (slot.wrapped.data && !data)) return damagedSlot(slotName(slot), 'the key that was given is right, but the keys in the slot are not what was wrapped there');
  return { slot, number: slot.keyNumber, meta, chunker, ...(data && { data }) };
}

/** Several slots of one number hold the same keys; one of them may leave out the data key. */
function gather(opened: readonly OpenedSlot[]): VaultKeys {
  const pairs = new Map<number, OpenedSlot>();
  const chunker = (opened[0] as OpenedSlot).chunker;
  for (const slot of opened) {
    const known = pairs.get(slot.number);
    const isSame = isEqual(slot.chunker, chunker) && (!known || isEqual(known.meta, slot.meta)) && (!known?.data || !slot.data || isEqual(known.data, slot.data));
    if (!isSame) throw damagedSlot(slotName(slot.slot), 'its keys are not those of the other slots of this vault');
    if (!known?.data) pairs.set(slot.number, slot);
  }
  const ordered = [...pairs.values()].sort((left, right) => left.number - right.number);
  return { pairs: ordered.map(({ number, meta, data }) => ({ number, meta, ...(data && { data }) })), chunker };
}

function nothingOpens(slots: readonly KeySlot[], problems: readonly HoldfastError[], { kind }: Unlocker): HoldfastError {
  const broken = problems.map(({ message }) => message).join(' ');
  if (slots.some((slot) => problems.some(({ data }) => data['slot'] === slotName(slot)))) return problems.at(-1) as HoldfastError;
  if (slots.length === 0) {
    return new HoldfastError('damaged', `This vault has no readable key slot, so nothing in it can be opened. ${broken}`.trim(), {
      nextStep: 'Put the folder keys/ back from a copy of the vault: without one of its slots the backups are lost.',
    });
  }
  return new HoldfastError('wrong-key', `The ${words(kind)} that was given opens none of the ${describe(slots)}. ${broken}`.trim(), {
    nextStep: NEXT_STEPS[kind](slots),
  });
}

const withItsKey = () => 'Give the key file (--key-file) or the passphrase (--passphrase-file) that this vault was made with.';
const NEXT_STEPS: Readonly<Record<SlotKind, (slots: readonly KeySlot[]) => string>> = {
  'key-file': withItsKey,
  passphrase: withItsKey,
  kms: () => 'Open it with the KMS key and in the account and region that this vault was made with.',
  recipient: (slots) => {
    const known = new Set(slots.flatMap(({ kdf }) => (kdf?.name === 'x-wing' ? [shownFingerprint(kdf.recipient)] : [])));
    return known.size === 0 ? 'This vault has no recipient: no paper opens it. Use its key file, passphrase or KMS key.' : `Look for the paper with the fingerprint ${[...known].join(' or ')}.`;
  },
};

function describe(slots: readonly KeySlot[]): string {
  const counts = new Map<string, number>();
  for (const kind of slots.map((slot) => slot.kind).sort()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts].map(([kind, count]) => `${count} ${words(kind)}`).join(', ');
  return `${slots.length} key ${slots.length === 1 ? 'slot' : 'slots'} of this vault (${kinds})`;
}

function words(kind: string): string {
  return kind === 'kms' ? 'KMS key' : kind === 'recipient' ? 'recipient key' : kind.replaceAll('-', ' ');
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.from(left.buffer, left.byteOffset, left.byteLength).equals(right);
}
