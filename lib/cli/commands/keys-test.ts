import { resolve } from 'node:path';
import { isHoldfastError } from '../../model/errors.ts';
import type { HoldfastError } from '../../model/errors.ts';
import { proveKey } from '../../validation/key-proof.ts';
import type { KeyProof } from '../../validation/key-proof.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_CODE_OF, worstOf } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { KeyChoice, Vault } from '../runtime.ts';
import { bytesInWords } from '../words.ts';

/** Tries the key in use, or each one that is named, by itself; exit code by the worst of them. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { runtime, options } = context;
  const choice = await runtime.chooseVault(options);
  const named = namedKeys(context);
  if (named.length === 0) return tryKey(context, choice.key, () => runtime.openVault(options));
  const codes: ExitCode[] = [];
  for (const key of named) codes.push(await tryKey(context, key, () => runtime.openChosen({ ...choice, key, keyFrom: 'the command line' })));
  return worstOf(codes);
}

function namedKeys({ options, surroundings }: CommandContext): KeyChoice[] {
  const paths = (value: unknown) => (Array.isArray(value) ? (value as string[]).map((path) => resolve(surroundings.workingFolder, path)) : []);
  return [
    ...paths(options['tryKeyFile']).map((path) => ({ kind: 'key-file' as const, path })),
    ...paths(options['tryPassphraseFile']).map((path) => ({ kind: 'passphrase-file' as const, path })),
    ...paths(options['tryRecipientKeyFile']).map((path) => ({ kind: 'recipient-key' as const, path })),
    ...(Array.isArray(options['tryKmsKey']) ? (options['tryKmsKey'] as string[]) : []).map((keyId) => ({ kind: 'kms' as const, keyId })),
  ];
}

/** Of several keys one that opens nothing does not keep the others from being tried. */
async function tryKey(context: CommandContext, key: KeyChoice, open: () => Promise<Vault>): Promise<ExitCode> {
  let vault: Vault | undefined;
  try {
    vault = await open();
    return tell(context, key, await proveKey(vault.repository, vault.opened));
  } catch (error) {
    if (!isHoldfastError(error) || !ABOUT_THE_KEY.includes(error.code)) throw error;
    return tellFailure(context, key, error);
  } finally {
    await vault?.close();
  }
}

const ABOUT_THE_KEY: readonly HoldfastError['code'][] = ['wrong-key', 'missing-key', 'permission', 'damaged'];

function tell({ output }: CommandContext, key: KeyChoice, proof: KeyProof): ExitCode {
  const isMetaOnly = proof.keyNumbers.every(({ opens }) => opens !== 'everything');
  const result = proof.damaged.length > 0 ? 'damaged' : proof.unopened.length > 0 ? 'partly' : 'good';
  output.result({ type: 'key-test', key: keyJson(key), result, ...proof }, () => [
    `${output.paint(result === 'good' ? 'green' : 'yellow', `The ${keyInWords(key)} opens`)} ${isMetaOnly ? 'the metadata of this vault: names and sizes, no contents' : result === 'good' ? 'everything in this vault' : 'this vault, but not all of it'}.`,
    ...proof.slots.map(({ slot, keyNumber, opens }) => `  slot ${slot}, key number ${keyNumber}: ${opens}`),
    proof.backup === undefined ? '  no backup was decoded' : `  decoded the backup ${proof.backup.backup} of ${proof.backup.planName}, ${proof.backup.finishedAt}`,
    ...proof.frames.map(({ pack, keyNumber, bytes }) => `  decoded contents under key number ${keyNumber}: ${bytesInWords(bytes)} of ${pack}`),
    ...proof.unopened.map((line) => `  ${output.paint('yellow', 'not opened:')} ${line}`),
    ...proof.damaged.map((line) => `  ${output.paint('red', 'damaged:')} ${line}`),
    ...(proof.damaged.length > 0 ? ['  Run `holdfast verify` for all that is damaged and what it touches.'] : []),
  ]);
  return proof.damaged.length > 0 ? 12 : proof.unopened.length > 0 ? 3 : 0;
}

function tellFailure({ output }: CommandContext, key: KeyChoice, { code, message, nextStep }: HoldfastError): ExitCode {
  output.result({ type: 'key-test', key: keyJson(key), result: 'failed', error: { code, message, ...(nextStep !== undefined && { nextStep }) } }, () => [
    `${output.paint('red', `The ${keyInWords(key)} opens nothing:`)} ${message}`,
    ...(nextStep === undefined ? [] : [`  ${nextStep}`]),
  ]);
  return EXIT_CODE_OF[code];
}

/** Where the key is, never what it is. */
function keyJson(key: KeyChoice): object {
  return key.kind === 'passphrase' ? { kind: key.kind, from: key.secret.name } : key;
}

function keyInWords(key: KeyChoice): string {
  if (key.kind === 'kms') return `KMS key ${key.keyId}`;
  if (key.kind === 'passphrase') return `passphrase from ${key.secret.name}`;
  return `${key.kind.replaceAll('-', ' ')} ${key.path}`;
}
