import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { startProgram } from '../program.ts';
import type { PostgresClient, PostgresVersion } from './client.ts';
import { feed } from './feed.ts';
import { parseDefinitions, parseToc } from './toc.ts';
import type { TocEntry } from './toc.ts';

/** What an archive says about itself in its table of contents. */
export interface ArchiveHeader {
  readonly server: PostgresVersion;
  readonly dumpedBy: PostgresVersion;
  readonly database: string;
  readonly extensions: readonly string[];
  readonly owners: readonly string[];
  /** Roles to which something is granted. */
  readonly grantees: readonly string[];
  readonly entries: readonly TocEntry[];
  /** Tables and materialized views, `schema name owner`: pg_restore lists them without quotes. */
  readonly tables: readonly string[];
  /** Encoding and locale, as `CREATE DATABASE x WITH …` takes them. */
  readonly databaseOptions: string;
  /** Owner, settings and privileges of the database itself, with `:"name"` for its name. */
  readonly databaseStatements: readonly string[];
}

export interface ArchiveReading {
  readonly client: PostgresClient;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** In custom format, from its beginning; or a folder with the `toc.dat` of one in directory format, which needs no more. */
export type ArchiveInput = { readonly open: () => AsyncIterable<Uint8Array> } | { readonly folder: string };

const MAGIC = 'PGDMP';

/**
 * Asks pg_restore for the table of contents; little else is read. Fails as `refused` when it is no archive in custom
 * format, or one that this client cannot read.
 */
export async function readHeader(input: ArchiveInput, reading: ArchiveReading): Promise<ArchiveHeader> {
  if ('open' in input) await checkMagic(input.open);
  const list = await outputOf(input, ['--list', '--verbose'], reading);
  const script = await outputOf(input, ['--create', '--schema-only', '--verbose', '--file=-'], reading);
  const definitions = parseDefinitions(script);
  const toc = parseToc(list, definitions);
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
    owners: unique([...definitions.byId.values()].map(({ owner }) => owner).filter((owner) => owner !== '' && owner !== '-')),
    grantees: definitions.grantees,
    entries: toc,
    databaseStatements: definitions.ofDatabase,
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

/** What pg_restore prints. */
async function outputOf(input: ArchiveInput, options: readonly string[], { client, environment, clock, signal }: ArchiveReading): Promise<string> {
  const place = 'folder' in input ? ['--format=directory', input.folder] : ['--format=custom'];
  const { group, said } = startProgram([client.pgRestore, ...options, ...place], { stdin: 'pipe', stdout: 'pipe', environment, secrets: [], clock });
  const stop = new AbortController();
  const feeding = feed('open' in input ? input.open() : nothing(), group.input, { signal: signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]) }).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  feeding.catch(() => undefined); // Awaited below, after the output.
  try {
    const text = await readText(group.output);
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

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function readText(output: NodeJS.ReadableStream): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of output) parts.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(parts).toString('utf8');
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
