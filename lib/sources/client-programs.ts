import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../model/errors.ts';

/** Where the programs of a database's makers are. */
export interface ClientPlaces {
  /** Folder of the programs; PATH is searched when absent. */
  readonly binaries?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Path of the first of these names that is there; a name that comes first is looked for everywhere before the next. */
export async function findAnyProgram(names: readonly string[], { binaries, environment }: ClientPlaces): Promise<string | undefined> {
  const folders = binaries === undefined ? foldersInPath(environment) : [binaries];
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (await isProgram(path)) return path;
    }
  }
  return undefined;
}

export function foldersInPath(environment: ClientPlaces['environment']): string[] {
  return (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
}

/** There, and may be run by us. */
export function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(() => true, () => false);
}

/** What the program prints when it is asked its version so. Fails as `source-failed`. */
export async function versionLine(program: string, args: readonly string[], { environment: { PATH, LD_LIBRARY_PATH }, nextStep }: Pick<ClientPlaces, 'environment'> & { readonly nextStep: string }): Promise<string> {
  // Nothing that it could print or others could read: what this process was given may hold passwords.
  const env = { LC_ALL: 'C', ...(PATH !== undefined && { PATH }), ...(LD_LIBRARY_PATH !== undefined && { LD_LIBRARY_PATH }) };
  const { stdout } = await promisify(execFile)(program, [...args], { timeout: 30_000, env }).catch((cause: { message: string }) => {
    throw new HoldfastError('source-failed', `${program} could not be run: ${cause.message.split('\n').slice(0, 2).join(' ')}.`, { nextStep, cause });
  });
  return stdout;
}
