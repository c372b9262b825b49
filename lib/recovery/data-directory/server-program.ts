import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../model/errors.ts';
import { foldersInPath, isProgram } from '../../sources/client-programs.ts';
import type { ClientPlaces } from '../../sources/client-programs.ts';
import type { PostgresVersion } from '../../sources/postgres/client.ts';
import { versionOf } from '../../sources/postgres/client.ts';
import type { Owner } from './write-directory.ts';

export interface ServerProgram {
  /** Path of `postgres`. */
  readonly path: string;
  readonly version: PostgresVersion;
}

/**
 * The server of that major version on this machine, else one of another version, else nothing. Distributions keep it out
 * of PATH: Debian in /usr/lib/postgresql, the packages of postgresql.org in /usr/pgsql-NN.
 */
export async function findServerProgram(major: number, { binaries, environment }: ClientPlaces): Promise<ServerProgram | undefined> {
  const folders = [...(binaries === undefined ? [] : [binaries]), `/usr/lib/postgresql/${major}/bin`, `/usr/pgsql-${major}/bin`, ...foldersInPath(environment)];
  let other: ServerProgram | undefined;
  for (const folder of folders) {
    const path = join(folder, 'postgres');
    if (!(await isProgram(path))) continue;
    const found = { path, version: await versionOf(path, environment) };
    if (found.version.major === major) return found;
    other ??= found;
  }
  return other;
}

/**
 * Whose the restored files must be. PostgreSQL refuses to run as root, so root gives them away: to the owner of the
 * directory when it is there and not root's, else to the user postgres. Anybody else restores for himself. Fails as
 * `refused` when neither is, and when the directory belongs to a third: PostgreSQL starts on none of another user.
 */
export async function ownerFor(directory: string): Promise<Owner | undefined> {
  const there = await stat(directory).catch(() => undefined);
  const user = process.getuid?.();
  if (user !== 0) {
    if (there === undefined || there.uid === user) return undefined;
    throw new HoldfastError('refused', `${directory} belongs to uid ${there.uid}, and this is uid ${user}: PostgreSQL starts on no data directory of another user. Nothing was done.`, { nextStep: 'Restore as that user or as root, or choose a directory that is not there yet.' });
  }
  if (there !== undefined && there.uid !== 0) return { uid: there.uid, gid: there.gid, name: `uid ${there.uid}` };
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => promisify(execFile)('id', [flag, 'postgres']).then(({ stdout }) => Number(stdout), () => 0)));
  if (uid && gid) return { uid, gid, name: 'postgres' };
  throw new HoldfastError('refused', 'PostgreSQL does not run as root, and this machine has no user postgres that the restored files could belong to. Nothing was done.', { nextStep: `Make the directory first and give it to the user that will run the server (\`install -d -m 700 -o USER ${directory}\`), or restore as that user.` });
}
