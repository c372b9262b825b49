import { PG_15 } from './cluster.ts';

/**
 * How each tool keeps a database, a cluster or WAL. Placeholders, beside those of bench/tools.ts: {port}, {socket} and the data
 * directory {server} of the server, {data} the data directory whose WAL is kept, {out} that of a restore. Commands are run by `bash -o pipefail -c` as user postgres, with the server's own
 * programs first in PATH.
 */
export interface DatabaseTool {
  readonly name: string;
  /** Prints its version; a tool whose command fails is left out and named. */
  readonly version: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Written into {home} before anything is run. */
  readonly files: Readonly<Record<string, string>>;
  readonly init: string;
}

/** Of the database `bench`, and back into the database `restored`, which is not there. */
export interface LogicalTool extends DatabaseTool {
  readonly first: string;
  readonly second: string;
  readonly restore: string;
}

/** Of the whole server, and back into the empty directory {out}, on which a server is then started. */
export interface PhysicalTool extends LogicalTool {
  /** The server's own while this tool is at work. */
  readonly archiveCommand?: string;
}

/** Of one segment, as a server calls it in its data directory: `%p` and `%f` are PostgreSQL's. */
export interface WalTool extends DatabaseTool {
  readonly archive: string;
  readonly fetch: string;
}

const SERVER = { PGHOST: '127.0.0.1', PGPORT: '{port}', PGUSER: 'postgres', HOLDFAST_POSTGRES_BIN: PG_15 };
const VAULT = 'vaults:\n  bench: { directory: {repo}, key-file: {home}/key }\n';
const CONNECTION = 'type: postgres, host: 127.0.0.1, port: {port}, user: postgres';
const CONFIG = '--config {home}/holdfast.yaml';

function holdfast(name: string, source: string): DatabaseTool {
  return {
    name, version: '{holdfast} --version',
    environment: { ...SERVER, XDG_STATE_HOME: '{home}/state', XDG_CONFIG_HOME: '{home}/config', TMPDIR: '{home}' },
    files: { 'holdfast.yaml': `${VAULT}plans:\n  bench: { vault: bench, source: { ${CONNECTION}, ${source} } }\n` },
    init: `{holdfast} init --no-yaml --vault bench ${CONFIG}`,
  };
}

const HOLDFAST_BACKUP = `{holdfast} backup bench ${CONFIG}`;
const toDatabase = (options: string) => `{holdfast} restore latest:bench --to-database postgres://postgres@127.0.0.1:{port}/restored --create ${options} ${CONFIG}`;

/** Nothing but what their pipes keep. */
const PLAIN = { environment: SERVER, files: {}, init: 'true' };
const RESTIC = { environment: { ...SERVER, RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: '{repo}', RESTIC_CACHE_DIR: '{home}/cache' }, files: {}, init: 'restic init' };
const INTO_DATABASE = 'createdb restored && {source} | psql -X -q -o /dev/null -v ON_ERROR_STOP=1 restored';
const RESTIC_BACKUP = 'pg_dump bench | restic backup --stdin --stdin-filename dump.sql';

export const LOGICAL: readonly LogicalTool[] = [
  { ...holdfast('holdfast (custom)', 'database: bench'), first: HOLDFAST_BACKUP, second: HOLDFAST_BACKUP, restore: toDatabase('') },
  { ...holdfast('holdfast (2 jobs)', 'database: bench, jobs: 2'), first: HOLDFAST_BACKUP, second: HOLDFAST_BACKUP, restore: toDatabase('--jobs 2') },
  {
    ...PLAIN, name: 'pg_dump, zstd -3 -T0', version: 'zstd --version',
    first: 'pg_dump bench | zstd -q -3 -T0 -o {repo}/first.zst', second: 'pg_dump bench | zstd -q -3 -T0 -o {repo}/second.zst',
    restore: INTO_DATABASE.replace('{source}', 'zstd -q -d -c {repo}/second.zst'),
  },
  { ...RESTIC, name: 'pg_dump, restic', version: 'restic version', first: RESTIC_BACKUP, second: RESTIC_BACKUP, restore: INTO_DATABASE.replace('{source}', 'restic dump latest /dump.sql') },
];

const BASE_BACKUP = 'pg_basebackup -Ft -z -c fast -D {repo}/{which}';

/** zst and two processes are not its defaults, and faster than them; without encryption, as it comes. */
const PGBACKREST_CONFIG = `[global]
repo1-path={repo}
log-path={home}
lock-path={home}
spool-path={home}
log-level-console=warn
log-level-file=off
compress-type=zst
process-max=2
[bench]
pg1-path={data}
pg1-port={port}
pg1-socket-path={socket}
pg1-user=postgres
`;
const PGBACKREST = 'pgbackrest --config={home}/pgbackrest.conf --stanza=bench';

function pgbackrest(name: string, config = PGBACKREST_CONFIG): DatabaseTool {
  return { name, version: 'pgbackrest version', environment: SERVER, files: { 'pgbackrest.conf': config }, init: `${PGBACKREST} --pg1-path={server} stanza-create` };
}

export const PHYSICAL: readonly PhysicalTool[] = [
  { ...holdfast('holdfast', 'mode: physical'), first: HOLDFAST_BACKUP, second: HOLDFAST_BACKUP, restore: `{holdfast} restore latest:bench --to-data-directory {out} ${CONFIG}` },
  {
    ...PLAIN, name: 'pg_basebackup -Ft -z', version: 'pg_basebackup --version',
    first: BASE_BACKUP.replace('{which}', 'first'), second: BASE_BACKUP.replace('{which}', 'second'),
    restore: 'tar -x -z -C {out} -f {repo}/second/base.tar.gz && tar -x -z -C {out}/pg_wal -f {repo}/second/pg_wal.tar.gz',
  },
  {
    ...pgbackrest('pgBackRest (full, incr)'), archiveCommand: `${PGBACKREST} archive-push %p`,
    first: `${PGBACKREST} --type=full --start-fast backup`, second: `${PGBACKREST} --type=incr --start-fast backup`,
    restore: `${PGBACKREST} --pg1-path={out} --type=immediate --target-action=promote restore`,
  },
];

const ASYNC = PGBACKREST_CONFIG.replace('process-max=2', 'process-max=2\narchive-async=y');
const OF_PLAN = `--plan bench ${CONFIG}`;
const PGBACKREST_ARCHIVE = { archive: `${PGBACKREST} archive-push %p`, fetch: `${PGBACKREST} archive-get %f %p` };

export const WAL: readonly WalTool[] = [
  { ...holdfast('holdfast', 'mode: physical'), archive: `{holdfast} wal-archive %p %f ${OF_PLAN}`, fetch: `{holdfast} wal-fetch %f %p ${OF_PLAN}` },
  { ...holdfast('holdfast-wal (ahead)', 'mode: physical'), archive: `{wal} archive %p %f ${OF_PLAN} --also-ready 50`, fetch: `{wal} fetch %f %p ${OF_PLAN} --also-next 30` },
  { ...pgbackrest('pgBackRest'), ...PGBACKREST_ARCHIVE },
  { ...pgbackrest('pgBackRest (async)', ASYNC), ...PGBACKREST_ARCHIVE },
];
