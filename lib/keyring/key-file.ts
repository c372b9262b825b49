import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { fromText } from '../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { makeMissingFolders } from '../model/make-missing-folders.ts';
import type { KeyWrapper } from './key-slot.ts';
import { readSecretFile, refuseSharedFile, writeSecretFile } from './secret-file.ts';
import { shellQuote } from './shell-quote.ts';

const KEY_BYTES = 32;
const LINE = /^holdfast-key-([0-9]+):(.*)$/;
const HEADING = `# Holdfast key file. Whoever has it reads every backup of its vault; without it (and without another
# key slot) nothing can be read, by anyone. Keep a copy away from this machine and away from the vault.
`;

/**
 * Makes a key file of 32 fresh random bytes, mode 0600, durable when this returns; folders that are missing are made
 * with mode 0700. Never overwrites: `already-exists`.
 */
export async function createKeyFile(path: string, random: (size: number) => Uint8Array = randomBytes): Promise<KeyWrapper> {
  const key = random(KEY_BYTES);
  makeFolder(dirname(path));
  await writeSecretFile(path, 'key file', `${HEADING}holdfast-key-1:${Buffer.from(key).toString('base64')}\n`).catch((error: unknown) => {
    throw isHoldfastError(error) ? withOption(error, path) : error;
  });
  return keyFileWrapper(key, basename(path));
}

/**
 * Reads a key file. `missing-key` when it is absent or holds no key, `permission` when group or others have any access
 * to it (the message holds the command that mends it).
 */
export async function readKeyFile(path: string): Promise<KeyWrapper> {
  const bytes = await readSecretFile(path, 'key file', (handle) => refuseSharedFile(path, 'key file', handle));
  return keyFileWrapper(parseKeyFile(bytes.toString('latin1'), path), basename(path));
}

/** The wrapper of 32 bytes that came from a key file. */
export function keyFileWrapper(key: Uint8Array, label: string): KeyWrapper {
  return { kind: 'key-file', label, kdf: null, keyEncryptionKey: async () => key };
}

/** The 32 bytes in the text of a key file; `path` is for messages. `missing-key` when it is none, `unsupported-version`. */
export function parseKeyFile(text: string, path: string): Uint8Array {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  const [, version, encoded = ''] = LINE.exec(lines[0] ?? '') ?? [];
  if (lines.length !== 1 || version === undefined) throw noKey(path, `wanted one line \`holdfast-key-1:...\` besides comments, saw ${lines.length} lines`);
  if (version !== '1') {
    throw new HoldfastError('unsupported-version', `The key file ${path} has version ${version}; this Holdfast reads version 1.`, { nextStep: 'Install the Holdfast version that made this key file, or a newer one.' });
  }
  const key = Buffer.from(encoded, 'base64');
  if (key.length !== KEY_BYTES || key.toString('base64') !== encoded) throw noKey(path, `wanted ${KEY_BYTES} bytes in base64, saw ${encoded.length} characters that are not`);
  return key;
}

function noKey(path: string, complaint: string): HoldfastError {
  return new HoldfastError('missing-key', `${path} is not a key file: ${complaint}.`, { nextStep: 'Give the path of the key file that `holdfast init` made.' });
}

function withOption({ code, message, cause }: HoldfastError, path: string): HoldfastError {
  const nextStep = code === 'already-exists' ? `Use it with --key-file ${shellQuote(path)}, or give the path of a new file.` : 'Give a path where this user can write with --key-file.';
  return new HoldfastError(code, message, { nextStep, cause });
}

function makeFolder(folder: string): void {
  try {
    makeMissingFolders(fromText(folder), 0o700);
  } catch (cause) {
    throw new HoldfastError('permission', `The directory ${folder} for the key file cannot be made (${(cause as NodeJS.ErrnoException).code ?? String(cause)}).`, { nextStep: 'Name a place that this user may write.', cause });
  }
}
