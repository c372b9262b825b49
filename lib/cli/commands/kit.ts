import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fromText } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { makeMissingFolders } from '../../model/make-missing-folders.ts';
import { kitFiles } from '../../recovery/kit.ts';
import { sha256 } from '../../repository/index.ts';
import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';

/** Every vault holds the kit; a copy beside the key is one that nobody who writes into the vault can change. */
export async function run({ runtime, options, output, surroundings }: CommandContext): Promise<ExitCode> {
  const folder = resolve(surroundings.workingFolder, options['to'] as string);
  const [script, page] = kitFiles(await runtime.recoveryKit());
  const digest = sha256(script.bytes).toString('hex');
  for (const { file, bytes } of [script, page]) write(folder, file, bytes);
  output.result({ type: 'kit', script: join(folder, script.file), page: join(folder, page.file), sha256: digest }, () => [
    `Wrote ${join(folder, script.file)} and ${page.file}, which says how to restore with it.`,
    `SHA-256 of the script: ${digest}`,
    'Keep both, or this number, with the key: before somebody gives the key to a script from a vault, they can compare.',
  ]);
  return 0;
}

/** The same file again is success; another one under its name stays. */
function write(folder: string, file: string, bytes: Uint8Array): void {
  const path = join(folder, file);
  try {
    makeMissingFolders(fromText(folder));
    writeFileSync(path, bytes, { flag: 'wx' });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST' && isSame(path, bytes)) return;
    if (code === 'EEXIST') throw new HoldfastError('target-exists', `${path} is there with other bytes; nothing is overwritten.`, { nextStep: 'Name another directory with --to.', cause });
    throw new HoldfastError(code === 'ENOSPC' || code === 'EDQUOT' ? 'no-space' : 'permission', `${path} cannot be written (${code}).`, { nextStep: 'Name a directory where this user may write with --to.', cause });
  }
}

function isSame(path: string, bytes: Uint8Array): boolean {
  return readFileSync(path).equals(bytes);
}
