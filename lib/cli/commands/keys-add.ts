import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createKeyFile, readKeyFile } from '../../keyring/key-file.ts';
import type { KeyWrapper } from '../../keyring/key-slot.ts';
import { readPassphraseFile } from '../../keyring/passphrase.ts';
import { addSlot, writeSlots } from '../../keyring/slots.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault } from '../runtime.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  const { options, output } = context;
  return withVault(context, async (vault) => {
    const { repository } = vault;
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

/** What this key or command leaves undone, and nobody would think of. */
function adviceOn({ options: { recipient, recipientKeyFile } }: CommandContext): string[] {
  return [
    ...(recipient === undefined ? [] : ['Name it under `recipients` of the vault in holdfast.yaml, so that a rotation gives it the new keys by itself.']),
    ...(recipientKeyFile === undefined ? [] : ['Now run `holdfast keys rotate` with the new key before you back up: new backups then have keys that nobody else can know. The old backups stay as they are.']),
  ];
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
  const { newKeyFile, newPassphraseFile, newKmsKey, recipient, metaOnly } = options;
  if ([newKeyFile, newPassphraseFile, newKmsKey, recipient].filter((given) => given !== undefined).length !== 1) throw new HoldfastError('usage', 'Wanted exactly one of --new-key-file, --new-passphrase-file, --new-kms-key and --recipient.');
  if (Array.isArray(recipient)) {
    const paths = (recipient as readonly string[]).map((file) => resolve(surroundings.workingFolder, file));
    return { wrappers: (await Promise.all(paths.map((path) => vault.wrappers({ kind: 'recipient', path })))).flat() };
  }
  if (typeof newKmsKey === 'string') {
    const made = await vault.wrappers({ kind: 'kms', keyId: newKmsKey });
    return { wrappers: metaOnly === true ? made.filter(({ isMetaOnly }) => isMetaOnly) : made };
  }
  const path = resolve(surroundings.workingFolder, String(newKeyFile ?? newPassphraseFile));
  if (newPassphraseFile !== undefined) return { wrappers: [await readPassphraseFile(path)] };
  return existsSync(path) ? { wrappers: [await readKeyFile(path)] } : { wrappers: [await createKeyFile(path)], madeFile: path };
}
