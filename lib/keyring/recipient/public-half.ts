import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { HoldfastError } from '../../model/errors.ts';
import { readSecretFile } from '../secret-file.ts';
import { X_WING_PUBLIC_KEY_BYTES, encapsulateTo } from './x-wing.ts';

/** The public half of an offline recipient: everybody may have it, and new slots are wrapped for it. */
export interface Recipient {
  /** Stored in slots in plain text, for people. */
  readonly label: string;
  readonly publicKey: Uint8Array;
}

const LINE = /^holdfast-recipient-([0-9]+):([0-9a-f]{64}):(.*)$/;
const HEADING = `# Holdfast recipient, the public half. It is no secret: it closes, and only the paper that was made with it opens.
# Name it under \`recipients\` of a vault in holdfast.yaml, or add it with: holdfast keys add --recipient FILE
`;

/** SHA-256 of the public key, 32 bytes: by it slots and people know a recipient. */
export function fingerprintOf(publicKey: Uint8Array): Uint8Array {
  return createHash('sha256').update(publicKey).digest();
}

/** For people to compare: the first 8 bytes. */
export function shownFingerprint(fingerprint: Uint8Array): string {
  return Buffer.from(fingerprint.subarray(0, 8)).toString('hex').replaceAll(/(.{4})(?=.)/g, '$1 ');
}

/** The text of a file with a public half. */
export function encodeRecipient(publicKey: Uint8Array): string {
  return `${HEADING}${recipientLine(publicKey)}\n`;
}

/** The one line of it that is no comment. */
export function recipientLine(publicKey: Uint8Array): string {
  return `holdfast-recipient-1:${Buffer.from(fingerprintOf(publicKey)).toString('hex')}:${Buffer.from(publicKey).toString('base64')}`;
}

/**
 * Reads the public half back and tries it: what is wrapped for a key that has an altered bit is lost to everybody.
 * `where` is for messages. Fails as `missing-key`, `unsupported-version`.
 */
export function parseRecipient(text: string, where: string, label: string): Recipient {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  const [, version, fingerprint = '', encoded = ''] = LINE.exec(lines[0] ?? '') ?? [];
  if (lines.length !== 1 || version === undefined) throw noRecipient(where, `wanted one line \`holdfast-recipient-1:...\` besides comments, saw ${lines.length} lines`);
  if (version !== '1') throw new HoldfastError('unsupported-version', `The recipient ${where} has version ${version}; this Holdfast reads version 1.`, { nextStep: 'Install the Holdfast version that made it, or a newer one.' });
  const publicKey = Buffer.from(encoded, 'base64');
  if (publicKey.length !== X_WING_PUBLIC_KEY_BYTES || publicKey.toString('base64') !== encoded) throw noRecipient(where, `wanted ${X_WING_PUBLIC_KEY_BYTES} bytes in base64, saw ${encoded.length} characters that are not`);
  if (Buffer.from(fingerprintOf(publicKey)).toString('hex') !== fingerprint) throw noRecipient(where, 'its key is not the one that its fingerprint names, so it was altered');
  if (encapsulateTo(publicKey) === undefined) throw noRecipient(where, 'its bytes are no public key of X-Wing');
  return { label, publicKey };
}

/** Its label is the name of the file. Fails as `missing-key`, `permission`, `unsupported-version`. */
export async function readRecipientFile(path: string): Promise<Recipient> {
  const bytes = await readSecretFile(path, 'recipient');
  return parseRecipient(bytes.toString('latin1'), path, basename(path));
}

/** Never overwrites: `already-exists`, `permission`. Durable when this returns. */
export async function writeRecipientFile(path: string, publicKey: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o644).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST') throw new HoldfastError('already-exists', `The recipient ${path} is there already; it is never overwritten.`, { nextStep: 'Give the path of a new file.', cause });
    throw new HoldfastError('permission', `The recipient ${path} cannot be made (${cause.code}).`, { nextStep: 'Give a path where this user can write.', cause });
  });
  try {
    await handle.writeFile(encodeRecipient(publicKey));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function noRecipient(where: string, complaint: string): HoldfastError {
  return new HoldfastError('missing-key', `${where} is not the public half of a recipient: ${complaint}.`, { nextStep: 'Give the file that `holdfast keys make-recipient` made, or a whole copy of it.' });
}
