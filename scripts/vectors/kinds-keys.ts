import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createKeyFile } from '../../lib/keyring/key-file.ts';
import { slotName } from '../../lib/keyring/key-slot.ts';
import type { KeySlot, KeyWrapper, KmsScope } from '../../lib/keyring/key-slot.ts';
import { passphraseWrapper } from '../../lib/keyring/passphrase.ts';

/** A key of `expected.json`: what a person holds, and what it opens. */
export interface ExpectedKey {
  readonly about: string;
  readonly kind: KeySlot['kind'];
  /** Beside `expected.json`. */
  readonly file?: string;
  readonly passphrase?: string;
  /** Hexadecimal: what KMS answers for every slot of this scope. */
  readonly keyEncryptionKey?: string;
  readonly scope?: KmsScope;
  /** `none`: it must be refused as a wrong key. */
  readonly opens: 'all' | 'meta' | 'none';
  readonly slots: readonly string[];
}

const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const PASSPHRASE = 'correct horse battery staple';
/** Typed with u and a combining diaeresis; slots are made from the letter that is both in one (NFC). */
const DECOMPOSED = 'Zu\u0308rich liegt am See';

interface Held {
  readonly wrapper: KeyWrapper;
  readonly expected: Omit<ExpectedKey, 'slots' | 'opens'>;
}

export interface VectorKeys {
  readonly wrappers: readonly KeyWrapper[];
  describe(slots: readonly KeySlot[]): Promise<{ readonly keys: readonly ExpectedKey[] }>;
}

/** One wrapper of each kind, each also as one that opens metadata alone where its kind can be that. */
export async function makeKeys(target: string): Promise<VectorKeys> {
  const file = async (name: string) => createKeyFile(join(target, name));
  const held: Held[] = [
    { wrapper: await file('holdfast.key'), expected: { about: 'a key file', kind: 'key-file', file: 'holdfast.key' } },
    { wrapper: { ...(await file('metadata.key')), isMetaOnly: true }, expected: { about: 'a key file whose slots leave the data key out', kind: 'key-file', file: 'metadata.key' } },
    { wrapper: passphraseWrapper(PASSPHRASE, 'desk', { N: 16_384, r: 8, p: 1 }), expected: { about: 'a passphrase', kind: 'passphrase', passphrase: PASSPHRASE } },
    { wrapper: passphraseWrapper(DECOMPOSED, 'other cost', { N: 8192, r: 16, p: 2 }), expected: { about: 'a passphrase of decomposed letters, at another cost', kind: 'passphrase', passphrase: DECOMPOSED } },
    kms('all', 'a key of KMS: `keyEncryptionKey` is what Decrypt answers'),
    kms('meta', 'a key of KMS for metadata alone'),
  ];
  await createKeyFile(join(target, 'stranger.key'));
  const strangers: ExpectedKey[] = [
    { about: 'the key file of another vault', kind: 'key-file', file: 'stranger.key', opens: 'none', slots: [] },
    { about: 'another passphrase', kind: 'passphrase', passphrase: PASSPHRASE.replace('c', 'C'), opens: 'none', slots: [] },
    { about: 'another key of KMS', kind: 'kms', scope: 'all', keyEncryptionKey: randomBytes(32).toString('hex'), opens: 'none', slots: [] },
  ];
  return {
    wrappers: held.map(({ wrapper }) => wrapper),
    describe: async (slots) => ({ keys: [...held.map((one) => ({ ...one.expected, opens: one.wrapper.isMetaOnly ? ('meta' as const) : ('all' as const), slots: ownSlots(held, one, slots) })), ...strangers] }),
  };
}

/** Wrappers were given in one order for each key number, so slots are in that order too. */
function ownSlots(held: readonly Held[], one: Held, slots: readonly KeySlot[]): string[] {
  return slots.filter((_, index) => index % held.length === held.indexOf(one)).map(slotName);
}

function kms(scope: KmsScope, about: string): Held {
  const kek = randomBytes(32);
  const wrapper: KeyWrapper = { kind: 'kms', label: `key/1234abcd${scope === 'meta' ? ' (metadata)' : ''}`, kdf: { name: 'kms', key: ARN, scope, ciphertext: randomBytes(180) }, isMetaOnly: scope === 'meta', keyEncryptionKey: async () => kek };
  return { wrapper, expected: { about, kind: 'kms', scope, keyEncryptionKey: kek.toString('hex') } };
}
