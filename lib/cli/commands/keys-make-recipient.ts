import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { readPaperFile } from '../../keyring/recipient/paper-file.ts';
import { paperPage } from '../../keyring/recipient/paper-page.ts';
import { fingerprintOf, shownFingerprint, writeRecipientFile } from '../../keyring/recipient/public-half.ts';
import { X_WING_SEED_BYTES, xWingKey } from '../../keyring/recipient/x-wing.ts';
import { writeSecretFile } from '../../keyring/secret-file.ts';
import { HoldfastError, invariant } from '../../model/errors.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';

export function check({ paperFile, json }: CommandContext['options']): void {
  if (json === true && paperFile === undefined) throw new HoldfastError('usage', 'With --json the paper is not printed: it is a secret, and results of programs are kept in logs.', { nextStep: 'Name a file for it with --paper-file.' });
}

/** The paper first: a public half whose secret nobody wrote down would close a vault for nobody. */
export async function run({ options, output, surroundings }: CommandContext, [file]: CommandArguments): Promise<ExitCode> {
  const path = resolve(surroundings.workingFolder, textOf(file));
  if (existsSync(path)) throw new HoldfastError('already-exists', `The recipient ${path} is there already; it is never overwritten.`, { nextStep: 'Give the path of a new file.' });
  const seed = randomBytes(X_WING_SEED_BYTES);
  const { publicKey } = xWingKey(seed);
  const fingerprint = fingerprintOf(publicKey);
  const page = paperPage({ seed, fingerprint, name: basename(path), madeAt: surroundings.clock.now() });
  const paperFile = typeof options['paperFile'] === 'string' ? resolve(surroundings.workingFolder, options['paperFile']) : undefined;
  if (paperFile === undefined) await output.raw(Buffer.from(page));
  else await writeProved(paperFile, page, seed);
  await writeRecipientFile(path, publicKey);
  const told = [
    `Made the recipient ${path}, fingerprint ${shownFingerprint(fingerprint)}. This file is no secret; its private half is on the paper${paperFile === undefined ? ' above' : ` in ${paperFile}`} alone.`,
    `Put the paper into a safe, and type it once with \`holdfast keys read-paper\`. Then name the file under \`recipients\` in holdfast.yaml, or run \`holdfast keys add --recipient ${basename(path)}\`.`,
  ];
  if (paperFile === undefined) for (const line of told) output.note(line);
  else output.result({ type: 'recipient-made', recipient: path, fingerprint: Buffer.from(fingerprint).toString('hex'), paper: paperFile }, () => told);
  return 0;
}

async function writeProved(path: string, page: string, seed: Uint8Array): Promise<void> {
  await writeSecretFile(path, 'paper', page);
  invariant(Buffer.compare(await readPaperFile(path), seed) === 0, 'The paper does not read back as the secret that it was made of');
}
