import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureLogical, measurePhysical } from './database/backups.ts';
import { Cluster, folderOfPostgres } from './database/cluster.ts';
import { Desk, presentTools } from './database/desk.ts';
import type { Group } from './database/desk.ts';
import { writeGroup } from './database/report.ts';
import { fill } from './database/rows.ts';
import { LOGICAL, PHYSICAL, WAL } from './database/tools.ts';
import type { DatabaseTool } from './database/tools.ts';
import { measureWal } from './database/wal.ts';

const HELP = `Measures Holdfast on a PostgreSQL 15 server of its own, as root: dumps against pg_dump with zstd and with restic, base backups against pg_basebackup
and pgBackRest, WAL against pgBackRest; tools taking turns, medians, every restore compared row by row.
usage: npm run bench:databases -- [--size MB] [--segments N] [--turns N] [--only logical,physical,wal] [--work DIR] [--dry-run]
  --size MB       the database (2000)              --segments N   WAL in the queue, 16 MiB each (500)
  --turns N       (3)                              --only a,b     groups
  --work DIR      where all of it goes (/dev/shm: measures the tools, not the disk)
  --dry-run       print to the terminal alone
Writes a section of bench/RESULTS.md for each group and appends bench/results.jsonl. Ports 24313 and 24314 on 127.0.0.1 must be free.`;

const GROUPS: readonly Group[] = ['logical', 'physical', 'wal'];
const PORT = 24313;
/** Of the database that WAL is written by: the rest of a queue is updates. */
const WAL_DATABASE_MEGABYTES = 300;
const SEGMENT_BYTES = 16 * 2 ** 20;

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '2000' }, segments: { type: 'string', default: '500' }, turns: { type: 'string', default: '3' }, only: { type: 'string', default: GROUPS.join(',') },
    work: { type: 'string' }, 'dry-run': { type: 'boolean', default: false }, help: { type: 'boolean', default: false },
  },
});
const [megabytes, segments, turns] = [values.size, values.segments, values.turns].map(Number) as [number, number, number];
const groups = values.only.split(',');
if (values.help) end(HELP, 0);
if (![megabytes, segments, turns].every((number) => Number.isInteger(number) && number > 0)) end(`--size, --segments and --turns want whole numbers from 1.\n${HELP}`);
if (!groups.every((group) => (GROUPS as readonly string[]).includes(group))) end(`--only ${values.only}: wanted are ${GROUPS.join(', ')}.`);
if (process.getuid?.() !== 0) end('Run this as root: it works as user postgres then, and in process namespaces of its own.');
if (!Cluster.isInstalled()) end('PostgreSQL 15 is missing: scripts/servers.sh installs it on Debian.');
if (!existsSync('dist/holdfast.mjs')) end('dist/holdfast.mjs is missing: run `npm run build` first.');


interface Measured {
  readonly settings: readonly string[];
  /** Of the database. */
  readonly megabytes: number;
  readonly neededBytes: number;
  readonly data: (databaseMegabytes: number) => string;
  readonly measure: (desk: Desk, cluster: Cluster) => Promise<readonly { readonly tool: { readonly name: string }; readonly version: string }[]>;
}

const inMegabytes = (size: number) => `a database of ${size} MB made by the script, of whose rows 1 % change`;
const MEASURED: Readonly<Record<Group, Measured>> = {
  logical: {
    megabytes, settings: [], neededBytes: megabytes * 6e6, data: inMegabytes,
    measure: (desk, cluster) => withTools(LOGICAL, (tools) => measureLogical(desk, tools, cluster)),
  },
  physical: {
    // Holdfast and pg_basebackup fetch WAL at the end, pgBackRest has the server archive it.
    megabytes, settings: ['archive_mode=on', 'wal_keep_size=512MB'], neededBytes: megabytes * 5e6, data: inMegabytes,
    measure: (desk, cluster) => withTools(PHYSICAL, (tools) => measurePhysical(desk, tools, cluster)),
  },
  wal: {
    megabytes: Math.min(megabytes, WAL_DATABASE_MEGABYTES), settings: ['archive_mode=on', 'archive_command='], neededBytes: segments * SEGMENT_BYTES * 1.7, data: () => `${segments} segments of 16 MiB, full of updates`,
    measure: (desk, cluster) => withTools(WAL, (tools) => measureWal(desk, tools, cluster, segments)),
  },
};

let leave = () => {};
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) process.on(signal, () => (leave(), process.exit(code)));
for (const group of GROUPS) if (groups.includes(group)) await measureGroup(group);

async function measureGroup(group: Group): Promise<void> {
  const { settings, neededBytes, data, measure, ...database } = MEASURED[group];
  const work = folderOfPostgres(mkdtempSync(join(resolve(values.work ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())), 'holdfast-bench-')));
  const cluster = new Cluster({ data: join(work, 'server'), socket: join(work, 'socket'), port: PORT });
  leave = () => {
    cluster.stop();
    rmSync(work, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    refuseIfFull(work, neededBytes);
    cluster.make();
    cluster.start(settings);
    cluster.sql('create database bench', 'postgres');
    await fill(cluster, database.megabytes);
    const size = Math.round(Number(cluster.sql(`select pg_database_size('bench')`)) / 1e6);
    process.stderr.write(`${group}: a database of ${size} MB\n`);
    const desk = new Desk(group, { work, turns, isDryRun: values['dry-run'] });
    const tools = await measure(desk, cluster);
    writeGroup(desk.rows, { group, tools, data: data(size), work, turns, isDryRun: values['dry-run'] });
  } finally {
    leave();
    leave = () => {};
  }
}

async function withTools<Tool extends DatabaseTool>(all: readonly Tool[], measure: (tools: readonly Tool[]) => Promise<void>) {
  const present = presentTools(all);
  await measure(present.map(({ tool }) => tool));
  return present;
}

function refuseIfFull(work: string, wanted: number): void {
  const { bavail, bsize } = statfsSync(work);
  if (bavail * bsize < wanted) throw new Error(`${work} has ${Math.round((bavail * bsize) / 1e6)} MB free, wanted ${Math.round(wanted / 1e6)}: name a larger place with --work, or less data.`);
}

function end(message: string, code = 2): never {
  (code === 0 ? console.log : console.error)(message);
  process.exit(code);
}
