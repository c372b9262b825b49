import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { VaultChoice } from '../runtime.ts';
import { keepKeyLines } from './keep-key.ts';
import { NOT_YET } from './not-yet.ts';

export async function run({ runtime, options, output, surroundings }: CommandContext): Promise<ExitCode> {
  const choice = await runtime.chooseVault(options);
  const made = await runtime.makeVault(choice);
  const yaml = options['yaml'] === false ? undefined : await writeYaml(choice, yamlPath(options.config, surroundings), output);
  output.result({ type: 'init', vault: made.directory, repository: made.config.repository, key: made.key, keyFileMade: made.newKeyFile !== undefined, recipients: choice.recipients ?? [], config: yaml ?? null, notes: made.notes }, () => [
    `${output.paint('green', 'Made')} a vault at ${made.directory}, opened by the ${made.key}.`,
    ...keepKeyLines(made.newKeyFile, choice.recipients),
    ...(yaml === undefined ? [] : [`Wrote ${yaml}: say there what to protect, then run \`holdfast backup\`.`, NOT_YET]),
    ...(yaml === undefined && options['recipient'] !== undefined ? ['Name the recipient under `recipients` of the vault in holdfast.yaml, so that a rotation gives it the new keys by itself.'] : []),
  ]);
  for (const note of made.notes) if (!output.isJson) output.warn(note);
  return made.notes.length > 0 ? 3 : 0;
}

function yamlPath(config: string | undefined, { environment, workingFolder }: CommandContext['surroundings']): string {
  return resolve(workingFolder, config ?? (environment['HOLDFAST_CONFIG'] || 'holdfast.yaml'));
}

/** A file that is there is somebody's work and stays. A folder that may not be written costs the file, not the vault. */
async function writeYaml({ directory, s3, key, recipients }: VaultChoice, path: string, output: CommandContext['output']): Promise<string | undefined> {
  if (existsSync(path) || (key.kind !== 'key-file' && key.kind !== 'passphrase-file')) return undefined;
  const { initialConfig } = await import('../../config/initial-config.ts');
  try {
    writeFileSync(path, initialConfig({ ...(s3 === undefined ? { vaultDirectory: directory } : { vaultBucket: s3 }), key: { kind: key.kind, path: key.path }, ...(recipients && { recipients }) }), { flag: 'wx' });
    return path;
  } catch (error) {
    output.warn(`${path} could not be written (${(error as NodeJS.ErrnoException).code}); the vault is made.`);
    return undefined;
  }
}
