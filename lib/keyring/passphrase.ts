import { scrypt } from 'node:crypto';
import { HoldfastError, invariant } from '../model/errors.ts';
import type { KeyWrapper } from './key-slot.ts';
import { DEFAULT_SCRYPT_COST, checkScryptCost } from './scrypt-cost.ts';
import type { ScryptCost } from './scrypt-cost.ts';
import { readSecretFile } from './secret-file.ts';

/** `cost` is for new slots; a stored slot brings its own, which was checked when it was parsed. */
export function passphraseWrapper(passphrase: string, label = 'passphrase', cost: ScryptCost = DEFAULT_SCRYPT_COST): KeyWrapper {
  // NFC: the same letters typed on another system must be the same passphrase.
  const secret = Buffer.from(passphrase.normalize('NFC'), 'utf8');
  return {
    kind: 'passphrase',
    label,
    kdf: { name: 'scrypt', ...cost },
    keyEncryptionKey: ({ salt, kdf }) => stretch(secret, salt, kdf?.name === 'scrypt' ? kdf : cost),
  };
}

/**
 * The first line of a file, without its line end; everything below is ignored. Its mode is not judged: mounted secrets
 * are often readable by their group. Fails as `missing-key` when the file is absent or its first line is empty.
 */
export async function readPassphraseFile(path: string): Promise<KeyWrapper> {
  const bytes = await readSecretFile(path, 'passphrase file');
  const end = bytes.indexOf(0x0a);
  const line = decode(end < 0 ? bytes : bytes.subarray(0, end), path).replace(/\r$/, '');
  if (line.length === 0) throw new HoldfastError('missing-key', `The first line of the passphrase file ${path} is empty.`, { nextStep: 'Write the passphrase into its first line.' });
  return passphraseWrapper(line);
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // No cause: a decoder's error could show what it read.
    throw new HoldfastError('missing-key', `The first line of the passphrase file ${path} is not UTF-8.`, { nextStep: 'Save the passphrase as UTF-8 text.' });
  }
}

/** 32 bytes, in libuv's threads: about a fifth of a second that must not stop the event loop. */
function stretch(secret: Uint8Array, salt: Uint8Array, { N, r, p }: ScryptCost): Promise<Uint8Array> {
  const complaint = checkScryptCost({ N, r, p });
  invariant(complaint === undefined, `A passphrase slot came with bad parameters: ${complaint}`);
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, 32, { N, r, p, maxmem: 128 * r * (N + p + 2) + 1024 * 1024 }, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
