import * as z from 'zod';
import { unsteered } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { isHexId } from '../model/ids.ts';
import type { RepositoryId, SlotId } from '../model/ids.ts';
import { X_WING_CIPHERTEXT_BYTES } from './recipient/x-wing.ts';
import { checkScryptCost } from './scrypt-cost.ts';

/** The keys of one number (format §3). Whoever was given the meta key alone has no `data`. */
export interface KeyPair {
  readonly number: number;
  readonly meta: Uint8Array;
  readonly data?: Uint8Array;
}

/** Everything that opening key slots yields. `chunker` never changes over the life of a vault. */
export interface VaultKeys {
  readonly pairs: readonly KeyPair[];
  readonly chunker: Uint8Array;
}

/** What of a slot a key-encryption key is made of; `check` where the slot is stored already. */
export type SlotSecret = Pick<KeySlot, 'repository' | 'keyNumber' | 'salt' | 'kdf'> & Partial<Pick<KeySlot, 'check'>>;

/**
 * Opens the slots of one kind: it knows a secret and makes of it the key-encryption key of a slot. Callable any number
 * of times. Undefined when it can tell, without trying, that the slot is not for it. Fails with its own errors
 * (`missing-key`, `permission`, ...) and as `damaged` when what the slot holds for it was altered; a wrong secret is not
 * its business: the slot's check value tells.
 */
export interface Unlocker {
  readonly kind: SlotKind;
  keyEncryptionKey(slot: SlotSecret): Promise<Uint8Array | undefined>;
}

/** An unlocker that can also make new slots. `label` is stored in plain text, for people. */
export interface KeyWrapper extends Unlocker {
  readonly label: string;
  readonly kdf: KeySlot['kdf'];
  /** Its slots leave the data key out. */
  readonly isMetaOnly?: boolean;
  /** Tells its own slots without opening them; absent: their check values tell. */
  isFor?(slot: KeySlot): boolean;
  keyEncryptionKey(slot: SlotSecret): Promise<Uint8Array>;
}

/** What a slot under KMS opens: all keys, or the meta key and the chunker secret alone. */
export type KmsScope = 'all' | 'meta';

const FORMAT = 1;
const NAME = /^keys\/([1-9][0-9]{0,9})\/([0-9a-f]{32})\.json$/;
const WRAPPED_BYTES = 32 + 16;

const hexId = z.string().refine(isHexId, 'wanted 32 hexadecimal digits');
const base64 = (bytes: number) =>
  z.base64().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))).refine((decoded) => decoded.length === bytes, `wanted ${bytes} bytes in base64`);
const scrypt = z.object({ name: z.literal('scrypt'), N: z.number(), r: z.number(), p: z.number() }).superRefine((cost, context) => {
  const complaint = checkScryptCost(cost);
  if (complaint !== undefined) context.addIssue({ code: 'custom', message: complaint });
});

/** KMS wraps 32 bytes into about 180; 6144 is the most that it takes. */
const MAX_CIPHERTEXT_BYTES = 6144;
const ciphertext = z.base64().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))).refine(({ length }) => length > 0 && length <= MAX_CIPHERTEXT_BYTES, `wanted 1 to ${MAX_CIPHERTEXT_BYTES} bytes in base64`);
const kms = z.strictObject({
  name: z.literal('kms'),
  key: z.string().regex(/^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]{1,256}$/, 'wanted the ARN of a KMS key'),
  scope: z.enum(['all', 'meta']),
  ciphertext,
});

/** What the public half of a recipient made of a secret (format §3): which recipient, and the ciphertext for it. */
const xWing = z.strictObject({ name: z.literal('x-wing'), recipient: base64(32), ciphertext: base64(X_WING_CIPHERTEXT_BYTES) });

const common = {
  format: z.literal(FORMAT),
  repository: hexId.transform((text) => text as RepositoryId),
  keyNumber: z.number().int().min(1).max(0xffffffff),
  slot: hexId.transform((text) => text as SlotId),
  label: z.string(),
  salt: base64(32),
  // Strict: a slot whose data key was renamed away must not pass for one that never held it.
  wrapped: z.strictObject({ meta: base64(WRAPPED_BYTES), data: base64(WRAPPED_BYTES).optional(), chunker: base64(WRAPPED_BYTES) }),
  check: base64(16),
};
const schema = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('key-file'), kdf: z.null() }),
  z.object({ ...common, kind: z.literal('passphrase'), kdf: scrypt }),
  // A slot that says more or less than it holds was altered: the scope decides who may open it.
  z.object({ ...common, kind: z.literal('kms'), kdf: kms }).refine(({ kdf: { scope }, wrapped: { data } }) => (scope === 'all') === (data !== undefined), { path: ['kdf', 'scope'], message: 'scope all holds the data key, scope meta does not' }),
  z.object({ ...common, kind: z.literal('recipient'), kdf: xWing }),
]);

/** One wrapping of the keys of one number, as it is stored in `keys/<n>/<slot id>.json` (format §3). Nothing in it is secret. */
export type KeySlot = z.infer<typeof schema>;
export type SlotKind = KeySlot['kind'];

export function slotName(slot: Pick<KeySlot, 'keyNumber' | 'slot'>): string {
  return `keys/${slot.keyNumber}/${slot.slot}.json`;
}

export function encodeSlot({ format, repository, keyNumber, slot, kind, label, kdf, salt, wrapped, check }: KeySlot): Uint8Array {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const derivation = kdf && Object.fromEntries(Object.entries(kdf).map(([name, value]) => [name, value instanceof Uint8Array ? text(value) : value]));
  const keys = { meta: text(wrapped.meta), ...(wrapped.data && { data: text(wrapped.data) }), chunker: text(wrapped.chunker) };
  return Buffer.from(JSON.stringify({ format, repository, keyNumber, slot, kind, label, kdf: derivation, salt: text(salt), wrapped: keys, check: text(check) }) + '\n');
}

/**
 * Parses one stored slot and checks that it is the one that its name says, of this vault. Fails as `damaged`, or as
 * `unsupported-version` when a newer Holdfast wrote it. scrypt's parameters are within bounds in what is returned.
 */
export function parseSlot(name: string, bytes: Uint8Array, repository: RepositoryId): KeySlot {
  const json = parseJson(name, bytes);
  refuseNewer(name, json);
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw damagedSlot(name, complaintOf(parsed.error));
  const slot = parsed.data;
  if (slot.repository !== repository) throw damagedSlot(name, `it belongs to repository ${slot.repository}, wanted ${repository}`);
  if (slotName(slot) !== name) throw damagedSlot(name, `it says that it is ${slotName(slot)}`);
  return slot;
}

/** True for the name of a slot; anything else below `keys/` is not ours to open. */
export function isSlotName(name: string): boolean {
  return NAME.test(name);
}

export function keyNumberOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? 0);
}

export function damagedSlot(name: string, complaint: string, cause?: unknown): HoldfastError {
  return new HoldfastError('damaged', `The key slot ${name} is damaged: ${complaint}.`, {
    nextStep: 'Put the slot back from a copy of the vault, or open the vault with another key and add a new slot with `holdfast keys add`.',
    data: { slot: name },
    cause,
  });
}

function parseJson(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw damagedSlot(name, 'it is not JSON');
  }
}

function refuseNewer(name: string, json: unknown): void {
  const version = (json as { format?: unknown } | null)?.format;
  if (typeof version !== 'number' || version <= FORMAT) return;
  throw new HoldfastError('unsupported-version', `The key slot ${name} has format version ${version}; this Holdfast reads up to ${FORMAT}.`, {
    nextStep: 'Install the Holdfast version that wrote this vault, or a newer one. Nothing was written.',
  });
}

/** It may name a key of the object, which anybody may have written there. */
const COMPLAINT_CHARACTERS = 200;

function complaintOf(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue ? `${issue.path.join('.') || 'the whole'}: ${unsteered(issue.message.slice(0, COMPLAINT_CHARACTERS))}` : 'it does not fit the schema';
}
