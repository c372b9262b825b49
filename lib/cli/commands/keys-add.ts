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

export async function run(context: CommandContext): Promise<ExitCode> {
  const { options, output } = context;
  return withVault(context, async ({ repository }) => {
    const isMetaOnly = options['metaOnly'] === true;
    const { wrapper, madeFile } = await newWrapper(context);
    const register = async () => {
      const made = await addSlot(repository.config.repository, repository.keys.keys, wrapper, { isMetaOnly });
      await writeSlots(repository.store, made);
      return made;
    };
    const slots = await register().catch((error: unknown) => leaveNothing(error, madeFile));
    const added = slots.map(({ slot, keyNumber, kind, label }) => ({ slot, keyNumber, kind, label }));
    output.result({ type: 'keys-added', slots: added, metaOnly: isMetaOnly }, () => [
      `Added ${wrapper.kind.replace('-', ' ')} ${wrapper.label}: it opens ${isMetaOnly ? 'the metadata of this vault' : 'this vault'}.`,
      ...(madeFile === undefined ? [] : [`Made the key file ${madeFile}: whoever has it ${isMetaOnly ? 'sees names and sizes of what is in the vault' : 'reads the vault'}. The other keys go on working.`]),
    ]);
    return 0;
  });
}

/** A key file that opens nothing would be kept with care, and fail on the day that it is needed. */
function leaveNothing(error: unknown, madeFile: string | undefined): never {
  if (madeFile !== undefined) {
    // Several slots may be written one after another: with one of them the file opens something, and stays.
    if (isHoldfastError(error)) throw new HoldfastError(error.code, `${error.message} The new key file ${madeFile} is not registered whole: do not rely on it.`, { nextStep: error.nextStep ?? `Remove ${madeFile} and try again.`, cause: error });
  }
  throw error;
}

async function newWrapper({ options, surroundings }: CommandContext): Promise<{ wrapper: KeyWrapper; madeFile: string | undefined }> {
  const [keyFile, passphraseFile] = [options['newKeyFile'], options['newPassphraseFile']].map((path) => (typeof path === 'string' ? resolve(surroundings.workingFolder, path) : undefined));
  if ((keyFile === undefined) === (passphraseFile === undefined)) throw new HoldfastError('usage', 'Wanted exactly one of --new-key-file and --new-passphrase-file.');
  if (passphraseFile !== undefined) return { wrapper: await readPassphraseFile(passphraseFile), madeFile: undefined };
  const path = keyFile as string;
  return existsSync(path) ? { wrapper: await readKeyFile(path), madeFile: undefined } : { wrapper: await createKeyFile(path), madeFile: path };
}
