import { readKeyFile } from '../../keyring/key-file.ts';
import type { KeySlot, Unlocker } from '../../keyring/key-slot.ts';
import { listSlots, openSlots } from '../../keyring/open-slots.ts';
import type { OpenedKeys } from '../../keyring/open-slots.ts';
import { passphraseWrapper, readPassphraseFile } from '../../keyring/passphrase.ts';
import { recipientUnlocker } from '../../keyring/recipient.ts';
import { readPaperFile } from '../../keyring/recipient/paper-file.ts';
import { readSecretFile, refuseSharedFile } from '../../keyring/secret-file.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { RepositoryId } from '../../model/ids.ts';
import type { Store } from '../../stores/store.ts';

export interface KeyOptions {
  readonly keyFile?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly recipientKeyFile?: string | undefined;
  readonly kmsKeyFile?: readonly string[] | undefined;
}

const KEY_BYTES = 32;
const OPTION_OF: Readonly<Record<KeySlot['kind'], string>> = {
  'key-file': '--key-file FILE',
  passphrase: '--passphrase-file FILE',
  kms: '--kms-key-file FILE (`holdfast keys` says how it is made)',
  recipient: '--recipient-key-file FILE (`holdfast read-paper` makes it of a paper)',
};

/** One for each key that was given; none was: the passphrase is asked for. Fails as `missing-key`, `permission`. */
export async function unlockersOf(options: KeyOptions, askPassphrase: () => Promise<string | undefined>): Promise<Unlocker[]> {
  const { keyFile, passphraseFile, recipientKeyFile, kmsKeyFile = [] } = options;
  const unlockers: Unlocker[] = [];
  if (keyFile !== undefined) unlockers.push(await readKeyFile(keyFile));
  if (passphraseFile !== undefined) unlockers.push(await readPassphraseFile(passphraseFile));
  if (recipientKeyFile !== undefined) unlockers.push(recipientUnlocker(await readPaperFile(recipientKeyFile)));
  for (const file of kmsKeyFile) unlockers.push(await readKmsKeyFile(file));
  if (unlockers.length > 0) return unlockers;
  const passphrase = await askPassphrase();
  return passphrase === undefined ? [] : [passphraseWrapper(passphrase)];
}

/**
 * All keys that the given ones open together: a key in KMS opens one key number, so that a vault whose keys were rotated
 * needs several. Fails as `missing-key` when there is none, and as `openSlots` does when one opens nothing.
 */
export async function openWith(store: Pick<Store, 'list' | 'get'>, repository: RepositoryId, unlockers: readonly Unlocker[]): Promise<OpenedKeys> {
  if (unlockers.length === 0) throw await noKey(store, repository);
  const opened: OpenedKeys[] = [];
  for (const unlocker of unlockers) opened.push(await openSlots(store, repository, unlocker));
  const [first] = opened as [OpenedKeys];
  const pairs = new Map(opened.flatMap((keys) => keys.pairs).sort((left, right) => Number(left.data !== undefined) - Number(right.data !== undefined)).map((pair) => [pair.number, pair]));
  return { ...first, slots: opened.flatMap(({ slots }) => slots), pairs: [...pairs.values()].sort((left, right) => left.number - right.number), problems: opened.flatMap(({ problems }) => problems) };
}

/** What `aws kms decrypt --query Plaintext --output text` prints: 32 bytes in base64; the 32 bytes themselves do too. */
async function readKmsKeyFile(path: string): Promise<Unlocker> {
  const what = 'file with a key from KMS';
  const bytes = await readSecretFile(path, what, (handle) => refuseSharedFile(path, what, handle));
  const decoded = bytes.length === KEY_BYTES ? bytes : Buffer.from(bytes.toString('latin1').trim(), 'base64');
  if (decoded.length !== KEY_BYTES) throw new HoldfastError('missing-key', `${path} holds ${bytes.length} bytes that are no key of KMS, wanted ${KEY_BYTES} bytes in base64.`, { nextStep: 'Write what `aws kms decrypt --query Plaintext --output text` prints into it: `holdfast keys` shows the whole line.' });
  return { kind: 'kms', keyEncryptionKey: async () => decoded };
}

/** Says which kinds would do. */
async function noKey(store: Pick<Store, 'list' | 'get'>, repository: RepositoryId): Promise<HoldfastError> {
  const { slots } = await listSlots(store, repository);
  const kinds = new Set(slots.map(({ kind }) => kind));
  const options = Object.entries(OPTION_OF).flatMap(([kind, option]) => (kinds.has(kind as KeySlot['kind']) ? [option] : []));
  return new HoldfastError('missing-key', 'No key was given, and nobody can be asked for a passphrase here.', { nextStep: `Give ${options.join(' or ') || 'the key of this vault'}.` });
}

/** For looking at what does not open. */
export async function firstUnlocker(options: KeyOptions): Promise<Unlocker | undefined> {
  return unlockersOf(options, async () => undefined).then(([first]) => first, (error: unknown) => {
    if (!isHoldfastError(error)) throw error;
    return undefined;
  });
}
