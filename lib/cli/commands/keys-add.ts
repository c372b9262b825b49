import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createKeyFile, readKeyFile } from '../../keyring/key-file.ts';
import type { KeySlot, KeyWrapper } from '../../keyring/key-slot.ts';
import { listSlots } from '../../keyring/open-slots.ts';
import { readPassphraseFile } from '../../keyring/passphrase.ts';
import { slotsLackedBy } from '../../keyring/recipient-slots.ts';
import { readRecipientFile } from '../../keyring/recipient/public-half.ts';
import { addSlot, writeSlots } from '../../keyring/slots.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault } from '../runtime.ts';

export function check({ newKeyFile, newPassphraseFile, newKmsKey, recipient, metaOnly }: CommandContext['options']): void {
  if ([newKeyFile, newPassphraseFile, newKmsKey, recipient].filter((given) => given !== undefined).length !== 1) throw new HoldfastError('usage', 'Wanted exactly one of --new-key-file, --new-passphrase-file, --new-kms-key and --recipient.');
  if (recipient !== undefined && metaOnly === true) throw new HoldfastError('usage', '--meta-only does not go with --recipient: a paper is for getting data back.');
}

export async function run(context: CommandContext): Promise<ExitCode> {
  const { options, output } = context;
  return withVault(context, async (vault) => {
    const { repository } = vault;
    if (Array.isArray(options['recipient'])) return addRecipients(context, vault, options['recipient'] as readonly string[]);
    const isMetaOnly = options['metaOnly'] === true;
    const { wrappers, madeFile } = await newWrappers(context, vault);
    const register = async () => {
      const made = await Promise.all(wrappers.map((wrapper) => addSlot(repository.config.repository, repository.keys.keys, wrapper, isMetaOnly ? { isMetaOnly } : {})));
      await writeSlots(repository.store, made.flat());
      return made.flat();
    };
    const slots = await register().catch((error: unknown) => leaveNothing(error, madeFile));
    const added = slots.map(({ slot, keyNumber, kind, label }) => ({ slot, keyNumber, kind, label }));
    output.result({ type: 'keys-added', slots: added, metaOnly: isMetaOnly }, () => [
      `Added ${wrappers.map(({ kind, label }) => `${kind.replace('-', ' ')} ${label}`).join(' and ')}: it opens ${isMetaOnly ? 'the metadata of this vault' : 'this vault'}.`,
      ...(madeFile === undefined ? [] : [`Made the key file ${madeFile}: whoever has it ${isMetaOnly ? 'sees names and sizes of what is in the vault' : 'reads the vault'}. The other keys go on working.`]),
      ...adviceOn(context),
    ]);
    return 0;
  });
}

/** What nobody would think of who is busy with a loss. */
function adviceOn({ options: { recipientKeyFile } }: CommandContext): string[] {
  return recipientKeyFile === undefined ? [] : ['Now run `holdfast keys rotate` with the new key before you back up: new backups then have keys that nobody else can know. The old backups stay as they are.'];
}

/** The slots that each lacks: a backup may have added some already. */
async function addRecipients({ output, surroundings }: CommandContext, { repository }: Vault, files: readonly string[]): Promise<ExitCode> {
  const { store, config, keys } = repository;
  if (keys.keys.pairs.every(({ data }) => data === undefined)) throw new HoldfastError('wrong-key', 'This key opens metadata only, and a paper is for getting data back.', { nextStep: 'Use a key that was added without --meta-only.' });
  const { slots } = await listSlots(store, config.repository);
  const made: KeySlot[] = [];
  for (const file of files) made.push(...(await slotsLackedBy(await readRecipientFile(resolve(surroundings.workingFolder, file)), { repository: config.repository, keys: keys.keys, slots })));
  await writeSlots(store, made);
  const added = made.map(({ slot, keyNumber, kind, label }) => ({ slot, keyNumber, kind, label }));
  output.result({ type: 'keys-added', slots: added, metaOnly: false }, () => [
    made.length === 0 ? `Nothing was added: ${files.join(' and ')} had a slot for every key number that this key opens.` : `Added ${made.length} ${made.length === 1 ? 'slot' : 'slots'} for ${files.join(' and ')}: the paper opens this vault.`,
    'Name it under `recipients` of the vault in holdfast.yaml, so that a rotation gives it the new keys by itself.',
  ]);
  return 0;
}

/** A key file that opens nothing would be kept with care, and fail on the day that it is needed. */
function leaveNothing(error: unknown, madeFile: string | undefined): never {
  if (madeFile !== undefined) {
    // Several slots may be written one after another: with one of them the file opens something, and stays.
    if (isHoldfastError(error)) throw new HoldfastError(error.code, `${error.message} The new key file ${madeFile} is not registered whole: do not rely on it.`, { nextStep: error.nextStep ?? `Remove ${madeFile} and try again.`, cause: error });
  }
  throw error;
}

interface NewWrappers {
  readonly wrappers: readonly KeyWrapper[];
  readonly madeFile?: string;
}

async function newWrappers({ options, surroundings }: CommandContext, vault: Vault): Promise<NewWrappers> {
  const { newKeyFile, newPassphraseFile, newKmsKey, metaOnly } = options;
  if (typeof newKmsKey === 'string') {
    const made = await vault.wrappers({ kind: 'kms', keyId: newKmsKey });
    return { wrappers: metaOnly === true ? made.filter(({ isMetaOnly }) => isMetaOnly) : made };
  }
  const path = resolve(surroundings.workingFolder, String(newKeyFile ?? newPassphraseFile));
  if (newPassphraseFile !== undefined) return { wrappers: [await readPassphraseFile(path)] };
  return existsSync(path) ? { wrappers: [await readKeyFile(path)] } : { wrappers: [await createKeyFile(path)], madeFile: path };
}
