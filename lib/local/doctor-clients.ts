import { findAnyProgram } from '../sources/client-programs.ts';
import { versionOf as versionOfSql } from '../sources/mariadb/client.ts';
import { versionOf as versionOfPostgres } from '../sources/postgres/client.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { ProbeFinding } from '../stores/probe.ts';
import { mariadbPlaces } from './mariadb-places.ts';
import type { Environment } from './places.ts';
import { postgresPlaces } from './postgres-places.ts';

/** Of PostgreSQL's client, what sources and restores call; each for itself, because a package may bring a part. */
const POSTGRES = ['pg_dump', 'pg_restore', 'psql', 'pg_dumpall', 'pg_basebackup', 'pg_receivewal'];
const SQL = ['mariadb-dump', 'mariadb', 'mysqldump', 'mysql'];

/**
 * Every client program of a database that is here, with its version, whether or not a plan needs it. Undefined: none is,
 * and plans of files need none. One that is there and does not run is a warning: only a plan that needs it fails for it.
 */
export async function clientPrograms(environment: Environment): Promise<ProbeFinding | undefined> {
  const asked = [...POSTGRES.map((name) => ofPostgres(name, environment)), ...SQL.map((name) => ofSql(name, environment))];
  const found = (await Promise.all(asked)).filter((one) => one !== undefined);
  if (found.length === 0) return undefined;
  const seen = found.map(({ words }) => words).join(', ');
  return found.every(({ runs }) => runs) ? { result: 'ok', seen } : { result: 'warning', seen, nextStep: 'Install the packages of these programs again, or take their folder out of PATH.' };
}

interface Found {
  readonly words: string;
  readonly runs: boolean;
}

async function ofPostgres(name: string, environment: Environment): Promise<Found | undefined> {
  const places = postgresPlaces(environment);
  const path = await findAnyProgram([name], places);
  return path === undefined ? undefined : answered(name, path, versionOfPostgres(path, places.environment));
}

async function ofSql(name: string, environment: Environment): Promise<Found | undefined> {
  const places = mariadbPlaces(environment);
  const path = await findAnyProgram([name], places);
  if (path === undefined) return undefined;
  const version = versionOfSql(path, places.environment);
  // MariaDB's packages bring its programs under MySQL's names, too.
  if (name.startsWith('mysql') && (await unlessFailed(version))?.flavour === 'MariaDB') return undefined;
  return answered(name, path, version);
}

async function answered(name: string, path: string, version: Promise<{ readonly text: string } | undefined>): Promise<Found> {
  const text = (await unlessFailed(version))?.text;
  return text === undefined ? { words: `${name} (${path}) does not say its version`, runs: false } : { words: `${name} ${text}`, runs: true };
}

/** Undefined: it does not run. */
async function unlessFailed<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isHoldfastError(error, 'source-failed')) return undefined;
    throw error;
  }
}
