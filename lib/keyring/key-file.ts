import { randomBytes } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import type { KeyWrapper } from './key-slot.ts';
import { readSecretFile } from './secret-file.ts';
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
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const handle = await open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw cannotMake(path, cause);
  });
  try {
    // The umask may have taken bits away, never added: read and write are what the owner needs.
    await handle.chmod(0o600);
    await handle.writeFile(`${HEADING}holdfast-key-1:${Buffer.from(key).toString('base64')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncFolder(dirname(path));
  return keyFileWrapper(key, basename(path));
}

/**
 * Reads a key file. `missing-key` when it is absent or holds no key, `permission` when group or others have any access
 * to it (the message holds the command that mends it).
 */
export async function readKeyFile(path: string): Promise<KeyWrapper> {
  const bytes = await readSecretFile(path, 'key file', (handle) => refuseSharedFile(path, handle));
  return keyFileWrapper(parseKeyFile(bytes.toString('latin1'), path), basename(path));
}

function keyFileWrapper(key: Uint8Array, label: string): KeyWrapper {
  return { kind: 'key-file', label, kdf: null, keyEncryptionKey: async () => key };
}

function parseKeyFile(text: string, path: string): Uint8Array {
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

async function refuseSharedFile(path: string, handle: FileHandle): Promise<void> {
  const status = await handle.stat();
  const bits = status.mode & 0o777;
  if (!status.isFile() || (bits & 0o077) === 0) return;
  throw new HoldfastError('permission', `The key file ${path} is open to other users: its mode is ${octal(bits)}, wanted 0600.`, {
    nextStep: `chmod 600 ${shellQuote(path)}`,
  });
}

function octal(bits: number): string {
  return bits.toString(8).padStart(4, '0');
}

function noKey(path: string, complaint: string): HoldfastError {
  return new HoldfastError('missing-key', `${path} is not a key file: ${complaint}.`, { nextStep: 'Give the path of the key file that `holdfast init` made.' });
}

function cannotMake(path: string, cause: NodeJS.ErrnoException): HoldfastError {
  if (cause.code === 'EEXIST') {
    return new HoldfastError('already-exists', `The key file ${path} is there already; it is never overwritten.`, {
      nextStep: `Use it with --key-file ${shellQuote(path)}, or give the path of a new file.`,
      cause,
    });
  }
  const code = cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'no-space' : 'permission';
  return new HoldfastError(code, `The key file ${path} cannot be made (${cause.code}).`, { nextStep: 'Give a path where this user can write with --key-file.', cause });
}

/** The name must survive a power cut as well as the bytes: a vault whose only key is gone is gone. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
