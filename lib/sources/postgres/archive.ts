import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { OutputTail } from '../output-tail.ts';
import { ProcessGroup } from '../process-group.ts';
import type { PostgresClient, PostgresVersion } from './client.ts';
import { feed } from './feed.ts';

/** What an archive in custom format says about itself at its beginning. */
export interface ArchiveHeader {
  readonly server: PostgresVersion;
  readonly dumpedBy: PostgresVersion;
  readonly database: string;
  readonly extensions: readonly string[];
  readonly owners: readonly string[];
  /** Tables and materialized views, `schema name owner`: pg_restore lists them without quotes. */
  readonly tables: readonly string[];
  /** Encoding and locale, as `CREATE DATABASE x WITH …` takes them. */
  readonly databaseOptions: string;
}

export interface ArchiveReading {
  readonly client: PostgresClient;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

const MAGIC = 'PGDMP';

/**
 * Asks pg_restore for the table of contents; `open` gives the archive from its beginning, of which little is read. Fails
 * as `refused` when it is no archive in custom format, or one that this client cannot read.
 */
export async function readHeader(open: () => AsyncIterable<Uint8Array>, reading: ArchiveReading): Promise<ArchiveHeader> {
  await checkMagic(open);
  const list = await beginningOf(open, ['--list'], reading, () => false);
  const script = await beginningOf(open, ['--create', '--schema-only', '--file=-'], reading, (text) => /^CREATE DATABASE [^;]*;$/m.test(text));
  const version = (label: string): PostgresVersion => {
    const text = new RegExp(`^; +${label}: (\\S+)`, 'm').exec(list)?.[1] ?? '';
    return { text, major: Number.parseInt(text, 10) };
  };
  const entries = list.split('\n').filter((line) => /^\d+; /.test(line));
  return {
    server: version('Dumped from database version'),
    dumpedBy: version('Dumped by pg_dump version'),
    database: /^; +dbname: (.*)$/m.exec(list)?.[1] ?? '',
    extensions: unique(entries.flatMap((line) => /^\d+; \d+ \d+ EXTENSION - (\S+)/.exec(line)?.[1] ?? [])),
    // Extensions have none; the owner is the last word, and one with spaces cannot be told from a name.
    owners: unique(entries.filter((line) => !/ EXTENSION - /.test(line)).map((line) => line.slice(line.lastIndexOf(' ') + 1)).filter((owner) => owner !== '')),
    tables: unique(entries.flatMap((line) => /^\d+; \d+ \d+ (?:TABLE|MATERIALIZED VIEW) (?!DATA |ATTACH )(.*)$/.exec(line)?.[1] ?? [])),
    databaseOptions: /^CREATE DATABASE .*? WITH TEMPLATE = template0(.*);$/m.exec(script)?.[1]?.trim() ?? '',
  };
}

async function checkMagic(open: () => AsyncIterable<Uint8Array>): Promise<void> {
  let start = Buffer.alloc(0);
  for await (const bytes of open()) {
    start = Buffer.concat([start, bytes]);
    if (start.length >= MAGIC.length) break;
  }
  if (start.toString('latin1').startsWith(MAGIC)) return;
  throw new HoldfastError('refused', `This entry is no PostgreSQL archive in custom format: it begins with ${JSON.stringify(start.subarray(0, MAGIC.length).toString('latin1'))}, wanted "${MAGIC}".`, { nextStep: 'A plain SQL dump is restored by hand: `holdfast cat ID NAME | psql`.' });
}

/** What pg_restore prints until `isEnough`, or until its end. */
async function beginningOf(open: () => AsyncIterable<Uint8Array>, options: readonly string[], { client, environment, clock, signal }: ArchiveReading, isEnough: (text: string) => boolean): Promise<string> {
  const said = new OutputTail([]);
  const group = new ProcessGroup([client.pgRestore, '--format=custom', ...options], { stdin: 'pipe', stdout: 'pipe', environment, folder: undefined, onStderr: (bytes) => said.add(bytes) }, clock);
  const stop = new AbortController();
  const feeding = feed(open(), group.input, { signal: signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]) }).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  try {
    const text = await readText(group.output, isEnough);
    if (isEnough(text)) return text;
    const end = await group.ended;
    stop.abort();
    await feeding;
    if (end.code === 0) return text;
    throw unreadable(said.text(), client);
  } finally {
    stop.abort();
    await group.kill();
    await feeding.catch(() => undefined); // The first failure is the one to tell.
  }
}

async function readText(output: NodeJS.ReadableStream, isEnough: (text: string) => boolean): Promise<string> {
  let text = '';
  for await (const chunk of output) {
    text += String(chunk);
    if (isEnough(text)) break;
  }
  return text;
}

function unreadable(said: string, { pgRestore, version }: PostgresClient): HoldfastError {
  if (/unsupported version \(([\d.]+)\) in file header/.test(said)) {
    return new HoldfastError('refused', `The archive was written by a pg_dump newer than ${pgRestore} ${version.text}, which cannot read it (${said}).`, { nextStep: 'Install newer PostgreSQL client programs here; `holdfast show` tells which pg_dump made the backup.' });
  }
  return new HoldfastError('damaged', `pg_restore ${version.text} cannot read the archive: ${said || 'it said nothing'}`, { nextStep: 'Run `holdfast verify --level full` to see whether the vault is damaged.' });
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)].sort();
}
