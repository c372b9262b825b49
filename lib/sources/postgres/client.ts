import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../model/errors.ts';

export interface PostgresVersion {
  readonly major: number;
  /** As it calls itself: `18.6`. */
  readonly text: string;
}

/** PostgreSQL's own programs on this machine; they are of one version. */
export interface PostgresClient {
  readonly version: PostgresVersion;
  readonly pgDump: string;
  readonly pgRestore: string;
  readonly psql: string;
}

export interface ClientPlaces {
  /** Folder of the programs; PATH is searched when absent. */
  readonly binaries?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const PROGRAMS = ['pg_dump', 'pg_restore', 'psql'] as const;

/** Finds pg_dump, pg_restore and psql and asks their version. Fails as `source-failed`. */
export async function findClient(places: ClientPlaces): Promise<PostgresClient> {
  const found: string[] = [];
  // One after another: of several that are missing, the first is named.
  for (const name of PROGRAMS) found.push(await findProgram(name, places));
  const [pgDump = '', pgRestore = '', psql = ''] = found;
  const versions = await Promise.all([pgDump, pgRestore, psql].map((program) => versionOf(program, places.environment)));
  const [version] = versions as [PostgresVersion];
  const odd = versions.findIndex(({ major }) => major !== version.major);
  if (odd >= 0) throw new HoldfastError('source-failed', `${pgDump} is of PostgreSQL ${version.text} and ${[pgDump, pgRestore, psql][odd]} of ${versions[odd]?.text}, wanted one version: they would not understand each other.`, { nextStep: 'Put the folder of one complete client first in PATH, or name it with HOLDFAST_POSTGRES_BIN.' });
  return { version, pgDump, pgRestore, psql };
}

/** For programs that not every plan needs, too. Fails as `source-failed`. */
export async function findProgram(name: string, { binaries, environment }: ClientPlaces): Promise<string> {
  const folders = binaries === undefined ? (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '') : [binaries];
  for (const folder of folders) {
    const path = join(folder, name);
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  throw new HoldfastError('source-failed', `The program ${name} is not ${binaries === undefined ? 'in PATH' : `in ${binaries}, or may not be run`}.`, {
    nextStep: "Install PostgreSQL's client programs (Debian and Ubuntu: postgresql-client; Alpine: postgresql-client; macOS: libpq), or name their folder with HOLDFAST_POSTGRES_BIN.",
  });
}

/** Nothing that it could print or others could read: what this process was given may hold passwords. */
function environmentToAsk({ PATH, LD_LIBRARY_PATH }: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return { LC_ALL: 'C', ...(PATH !== undefined && { PATH }), ...(LD_LIBRARY_PATH !== undefined && { LD_LIBRARY_PATH }) };
}

export async function versionOf(program: string, environment: ClientPlaces['environment']): Promise<PostgresVersion> {
  const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 30_000, env: environmentToAsk(environment) }).catch((cause: { message: string }) => {
    throw new HoldfastError('source-failed', `${program} could not be run: ${cause.message.split('\n').slice(0, 2).join(' ')}.`, { nextStep: "Install PostgreSQL's client programs again.", cause });
  });
  // `pg_dump (PostgreSQL) 18.6 (Debian 18.6-1)`, `19beta1`.
  const [, text, major] = /\) ((\d+)\S*)/.exec(stdout) ?? [];
  if (text !== undefined && major !== undefined) return { text, major: Number(major) };
  throw new HoldfastError('source-failed', `${program} does not say its version, but ${JSON.stringify(stdout.slice(0, 100))}.`, { nextStep: "Install PostgreSQL's own client programs." });
}
