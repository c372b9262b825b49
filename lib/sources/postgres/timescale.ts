import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { LoadRequest } from '../database-loader.ts';
import type { ArchiveHeader } from './archive.ts';
import { query } from './query.ts';
import type { Session } from './query.ts';

const EXTENSION = 'timescaledb';

export interface TimescaleCheck {
  /** Of what was backed up, as its evidence names them. */
  readonly versions: Readonly<Record<string, string>> | undefined;
  readonly wanted: LoadRequest;
}

/**
 * A dump holds rows of TimescaleDB's own catalog, which only the version that wrote them understands. Fails as `unsupported`
 * when the server has another one; answers warnings.
 */
export async function checkTimescale(session: Session, { extensions }: ArchiveHeader, { versions, wanted }: TimescaleCheck): Promise<string[]> {
  if (!extensions.includes(EXTENSION)) return [];
  if ((wanted.jobs ?? 1) > 1) throw new HoldfastError('usage', `${wanted.jobs} jobs were wanted, and the backup is of TimescaleDB, whose catalog pg_restore fills in order with one connection alone.`, { nextStep: 'Restore without --jobs.' });
  const was = versions?.[`extension ${EXTENSION}`];
  if (was === undefined) return ['the backup does not say which version of TimescaleDB it is of: it must be the one of this server'];
  const installed = (await query(session, "select extversion from pg_extension where extname = 'timescaledb'"))[0]?.[0];
  const available = (await query(session, "select version from pg_available_extension_versions where name = 'timescaledb'")).map(([version]) => version);
  const isThere = installed === undefined || wanted.mode === 'create' ? available.includes(was) : installed === was;
  if (isThere) return [];
  throw new HoldfastError('unsupported', `The backup is of TimescaleDB ${was}, and the server has ${installed ?? (available.join(', ') || 'none')}: its catalog in the dump fits the version that wrote it alone. Nothing was done.`, { nextStep: `Install TimescaleDB ${was} on the server, restore, and update it there (ALTER EXTENSION timescaledb UPDATE).`, data: { wanted: was, available } });
}

/**
 * Loads between `timescaledb_pre_restore()` and `timescaledb_post_restore()`, without which hypertables come back as plain
 * tables and nobody says so. The second one is called after a failure, too: until then the database restores and does
 * nothing else. What was made for it here goes again when loading failed.
 */
export async function restoringTimescale<T>(session: Session, { extensions }: ArchiveHeader, versions: Readonly<Record<string, string>> | undefined, load: () => Promise<T>): Promise<T> {
  if (!extensions.includes(EXTENSION)) return load();
  const version = versions?.[`extension ${EXTENSION}`];
  // What cleans up must run also after an abort.
  const calm: Session = { ...session, signal: undefined };
  const isOurs = (await query(session, "select 1 from pg_extension where extname = 'timescaledb'")).length === 0;
  if (isOurs) await query(calm, version === undefined ? 'create extension timescaledb' : `create extension timescaledb version :"version"`, version === undefined ? {} : { version });
  await tell(calm, 'pre');
  let loaded: T;
  try {
    loaded = await load();
  } catch (error) {
    await undo(calm, isOurs).catch((cause: unknown) => { throw notUndone(error, cause); });
    throw error;
  }
  await tell(calm, 'post');
  return loaded;
}

/** By its schema: what a role has in its search_path is not known. */
async function tell(session: Session, when: 'pre' | 'post'): Promise<void> {
  const [[schema = 'public'] = []] = await query(session, "select nspname from pg_extension e join pg_namespace n on n.oid = extnamespace where extname = 'timescaledb'");
  await query(session, `select :"schema".timescaledb_${when}_restore()`, { schema });
}

async function undo(session: Session, isOurs: boolean): Promise<void> {
  await tell(session, 'post');
  if (isOurs) await query(session, 'drop extension timescaledb');
}

function notUndone(error: unknown, cause: unknown): HoldfastError {
  const message = error instanceof Error ? error.message : String(error);
  return new HoldfastError(isHoldfastError(error) ? error.code : 'target-failed', `${message} And TimescaleDB could not be told that the restore is over: ${(cause as Error).message}`, { nextStep: 'As a superuser in that database: SELECT timescaledb_post_restore();', cause: error });
}
