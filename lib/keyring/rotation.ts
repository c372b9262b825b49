import { display, fromText } from '../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { RepositoryId, SlotId } from '../model/ids.ts';
import type { KeySlot, KeyWrapper, SlotKind, VaultKeys } from './key-slot.ts';
import { listSlots, newestNumberOf } from './open-slots.ts';
import type { ListedSlots, SlotStore } from './open-slots.ts';
import type { NewKeys } from './slots.ts';
import { rotate, writeSlots } from './slots.ts';
import { isRightKey } from './wrapping.ts';

export interface RotationRequest {
  readonly repository: RepositoryId;
  /** Opened with a key of the current number that holds the data key. */
  readonly keys: VaultKeys;
  /** Every slot of the vault, from `listSlots`. */
  readonly listed: ListedSlots;
  /** Who gets the new number; never taken from the vault. */
  readonly wrappers: readonly KeyWrapper[];
  /** Slots of the current number whose holders shall not get it. */
  readonly leaveOut: readonly string[];
}

/** What a rotation would do; nothing is stored yet. */
export interface RotationPlan {
  readonly repository: RepositoryId;
  /** The number that is added. */
  readonly keyNumber: number;
  readonly access: readonly Access[];
  /** Slots that would lose access to new data and that nobody decided on: `executeRotation` refuses while there are any. */
  readonly undecided: readonly Access[];
  readonly made: NewKeys;
}

/** One holder of keys. All of them keep access to what they could open until now: nothing stored is rewritten. */
export interface Access {
  /** Absent for a holder that is new. */
  readonly slot?: SlotId;
  readonly kind: SlotKind;
  readonly label: string;
  readonly opens: 'everything' | 'metadata';
  /** Greatest key number that this holder opens now; 0 for a new one. */
  readonly upTo: number;
  /** True when it opens what is stored from now on. */
  readonly getsNew: boolean;
}

/**
 * Decides who opens what after the next key number is added, and makes its keys in memory. A wrapper whose present slots
 * hold metadata alone gets no more than that. Fails as `wrong-key` when `keys` may not decide this, as `usage` when
 * `leaveOut` names no slot of the current number, as `refused` when nobody would open new data.
 */
export async function planRotation(request: RotationRequest): Promise<RotationPlan> {
  const { repository, keys, listed, leaveOut } = request;
  const { slots } = listed;
  const newest = newestNumberOf(listed);
  refuseUnfit(keys, newest);
  const current = slots.filter(({ keyNumber }) => keyNumber === newest);
  const out = leaveOut.map((written) => slotNamed(current, written));
  const holders = await Promise.all(request.wrappers.map((wrapper) => holderOf(wrapper, slots)));
  const stay = holders.filter(({ own }) => !own.some((slot) => out.includes(slot)));
  // First a slot with the data key: should the rest not be stored, whoever rotated can begin again.
  const wrappers = stay.map(({ wrapper }) => wrapper).sort((left, right) => Number(left.isMetaOnly ?? false) - Number(right.isMetaOnly ?? false));
  if (wrappers[0] === undefined || wrappers[0].isMetaOnly) throw new HoldfastError('refused', 'After this rotation nobody would open new data, so it is refused.', { nextStep: 'Name a key that stays, and leave out less.' });
  const covered = stay.flatMap(({ own }) => own);
  const losing = current.filter((slot) => !covered.includes(slot)).sort(byName);
  const access = [...accessOf(stay, newest), ...losing.map((slot) => slotAccess(slot, false)), ...leftBehind(slots, current, covered)];
  return {
    repository,
    keyNumber: newest + 1,
    access,
    undecided: losing.filter((slot) => !out.includes(slot)).map((slot) => slotAccess(slot, false)),
    made: await rotate(repository, keys, wrappers),
  };
}

/**
 * Stores the slots of a plan; once for each plan. Fails as `refused` while something is undecided, as `busy` when somebody
 * else added the same number first: then nothing of this plan is stored.
 */
export async function executeRotation(store: SlotStore & Parameters<typeof writeSlots>[0], plan: RotationPlan): Promise<void> {
  refuseUndecided(plan);
  // The slot whose write decides may have been removed since: a plan that was made long ago must not find its name free.
  const own = plan.made.slots.map(({ slot }) => slot);
  const { slots } = await listSlots(store, plan.repository);
  if (slots.some(({ keyNumber, slot }) => keyNumber >= plan.keyNumber && !own.includes(slot))) throw addedMeanwhile(plan);
  const [first, ...others] = plan.made.slots;
  await writeSlots(store, first === undefined ? [] : [first]).catch((cause: unknown) => {
    throw isHoldfastError(cause, 'already-exists') ? addedMeanwhile(plan, cause) : cause;
  });
  await writeSlots(store, others);
}

function addedMeanwhile({ keyNumber }: RotationPlan, cause?: unknown): HoldfastError {
  return new HoldfastError('busy', `Key number ${keyNumber} was added by somebody else meanwhile; nothing was changed.`, { nextStep: 'Look with `holdfast keys list` whether it is still wanted, then rotate again.', cause });
}

/** Fails as `refused`; the message names each slot that nobody decided on. */
export function refuseUndecided({ undecided, keyNumber }: RotationPlan): void {
  if (undecided.length === 0) return;
  const names = undecided.map(inWords).join(', ');
  throw new HoldfastError('refused', `Key number ${keyNumber} would leave out ${undecided.length} of the keys that open this vault now: ${names}. Wanted for each of them that it is named, or left out on purpose.`, {
    nextStep: 'Name it with --for-key-file, --for-passphrase-file, --for-kms-key or --for-recipient (or `recipients` in holdfast.yaml), or leave it out with --leave-out SLOT.',
    data: { slots: undecided.map(({ slot }) => slot) },
  });
}

/** A label is what somebody wrote into the store: it must not steer a terminal. */
function inWords({ slot, kind, label }: Pick<Access, 'slot' | 'kind' | 'label'>): string {
  return `${slot} (${kind}, ${display(fromText(label))})`;
}

interface Holder {
  readonly wrapper: KeyWrapper;
  /** Its slots, of whatever number. */
  readonly own: readonly KeySlot[];
}

function refuseUnfit({ pairs }: VaultKeys, newestNumber: number): void {
  const mine = pairs.at(-1);
  if (mine === undefined || mine.number < newestNumber) {
    throw new HoldfastError('wrong-key', `This key was left out of the rotation to key number ${newestNumber}, so it cannot add another one.`, { nextStep: 'Open the vault with a key of the current number: `holdfast keys list` shows which ones there are.' });
  }
  if (mine.data === undefined) throw new HoldfastError('wrong-key', 'This key opens metadata only, and a rotation makes a new data key.', { nextStep: 'Use a key that was added without --meta-only.' });
}

function slotNamed(current: readonly KeySlot[], written: string): KeySlot {
  const found = current.filter(({ slot }) => slot.startsWith(written));
  if (found.length === 1 && written.length >= 4) return found[0] as KeySlot;
  throw new HoldfastError('usage', `--leave-out is ${JSON.stringify(written)}, wanted the id of a slot of the current key number, or at least 4 digits of its beginning.`, { nextStep: `Slots: ${current.map(inWords).join(', ')}.` });
}

async function holderOf(wrapper: KeyWrapper, slots: readonly KeySlot[]): Promise<Holder> {
  const own: KeySlot[] = [];
  for (const slot of slots) if (await isHeldBy(wrapper, slot)) own.push(slot);
  const isMetaOnly = wrapper.isMetaOnly ?? (own.length > 0 && own.every(({ wrapped }) => wrapped.data === undefined));
  return { wrapper: { ...wrapper, isMetaOnly }, own };
}

async function isHeldBy(wrapper: KeyWrapper, slot: KeySlot): Promise<boolean> {
  if (wrapper.kind !== slot.kind) return false;
  return wrapper.isFor === undefined ? isRightKey(await wrapper.keyEncryptionKey(slot), slot) : wrapper.isFor(slot);
}

function accessOf(holders: readonly Holder[], newest: number): Access[] {
  return holders.map(({ wrapper: { kind, label, isMetaOnly }, own }) => {
    const slot = own.find(({ keyNumber }) => keyNumber === newest) ?? own.at(-1);
    const opens = isMetaOnly ? ('metadata' as const) : ('everything' as const);
    return slot === undefined ? { kind, label, opens, upTo: 0, getsNew: true } : { ...slotAccess(slot, true), opens };
  });
}

function slotAccess({ slot, kind, label, wrapped, keyNumber }: KeySlot, getsNew: boolean): Access {
  return { slot, kind, label, opens: wrapped.data === undefined ? 'metadata' : 'everything', upTo: keyNumber, getsNew };
}

/** Holders that an earlier rotation left out, or one that was killed half way: they are shown, so that it does not go unseen. */
function leftBehind(slots: readonly KeySlot[], current: readonly KeySlot[], covered: readonly KeySlot[]): Access[] {
  const name = ({ kind, label }: KeySlot) => `${kind}\0${label}`;
  const known = new Set([...current, ...covered].map(name));
  const newest = new Map<string, KeySlot>();
  for (const slot of slots) {
    const before = newest.get(name(slot));
    if (!known.has(name(slot)) && (before === undefined || before.keyNumber < slot.keyNumber)) newest.set(name(slot), slot);
  }
  return [...newest.values()].sort(byName).map((slot) => slotAccess(slot, false));
}

/** Stores list slots by their random ids. */
function byName(left: KeySlot, right: KeySlot): number {
  const [a, b] = [left, right].map(({ kind, label, slot }) => `${kind}\0${label}\0${slot}`) as [string, string];
  return a < b ? -1 : a > b ? 1 : 0;
}
