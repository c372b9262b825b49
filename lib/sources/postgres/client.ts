import { HoldfastError } from '../../model/errors.ts';
import { findAnyProgram, versionLine } from '../client-programs.ts';
import type { ClientPlaces } from '../client-programs.ts';

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
export async function findProgram(name: string, places: ClientPlaces): Promise<string> {
  const found = await findAnyProgram([name], places);
  if (found !== undefined) return found;
  const { binaries } = places;
  throw new HoldfastError('source-failed', `The program ${name} is not ${binaries === undefined ? 'in PATH' : `in ${binaries}, or may not be run`}.`, {
    nextStep: "Install PostgreSQL's client programs (Debian and Ubuntu: postgresql-client; Alpine: postgresql-client; macOS: libpq), or name their folder with HOLDFAST_POSTGRES_BIN.",
  });
}

export async function versionOf(program: string, environment: ClientPlaces['environment']): Promise<PostgresVersion> {
  const line = await versionLine(program, ['--version'], { environment, nextStep: "Install PostgreSQL's client programs again." });
  // `pg_dump (PostgreSQL) 18.6 (Debian 18.6-1)`, `19beta1`.
  const [, text, major] = /\) ((\d+)\S*)/.exec(line) ?? [];
  if (text !== undefined && major !== undefined) return { text, major: Number(major) };
  throw new HoldfastError('source-failed', `${program} does not say its version, but ${JSON.stringify(line.slice(0, 100))}.`, { nextStep: "Install PostgreSQL's own client programs." });
}
