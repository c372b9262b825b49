import * as z from 'zod';
import { configs } from './configs-schema.ts';
import { USER_WANTED } from './connection-words.ts';
import { kafka } from './kafka-schema.ts';
import { logs } from './logs-schema.ts';
import { mariadb, mysql } from './mariadb-schema.ts';
import { mongodbSource } from './mongodb-schema.ts';
import { redis, valkey } from './redis-schema.ts';
import { s3Source } from './s3-source-schema.ts';
import { elasticsearch, opensearch } from './search-schema.ts';
import { byteSize, durationWithin, oneOf, path, secret, strictMap, text, texts, wholeNumber, yesOrNo } from './schema-words.ts';

const files = strictMap({
  type: z.literal('files'),
  paths: z.array(path, { error: 'a list of paths' }).min(1, { error: 'at least one path' }),
  include: texts('pattern').optional().meta({ description: 'Only what matches one of these is kept.' }),
  exclude: texts('pattern').optional().meta({ description: 'What matches one of these is left out; wins over include.' }),
  'one-file-system': yesOrNo().default(false).meta({ description: 'Do not enter other mounts below the paths.' }),
  'follow-symlinks': yesOrNo().default(false).meta({ description: 'Keep what symbolic links point to instead of the links.' }),
  'change-detection': oneOf(['auto', 'ctime+inode', 'ctime', 'mtime', 'content']).default('auto'),
  'minimum-size': byteSize.optional().meta({ description: 'Less than this in all files together fails the run: a floor against a mount that is not there.' }),
  xattrs: yesOrNo().default(true).meta({ description: 'Keep extended attributes and ACLs where the optional native module is installed.' }),
}, 'a files source');

const sqlite = strictMap({
  type: z.literal('sqlite'),
  path: path.meta({ description: 'A database file; it may be in use.' }),
}, 'a sqlite source');

export const COMMAND_WANTED = 'a command line for the shell, or a list of a program and its arguments';
const command = strictMap({
  type: z.literal('command'),
  command: z.union([text(COMMAND_WANTED), z.array(text('a word of the command'), { error: COMMAND_WANTED }).min(1, { error: COMMAND_WANTED })], { error: COMMAND_WANTED }),
  'stdin-name': text('a file name').refine((name) => !/[/\0]/.test(name) && name !== '.' && name !== '..', { error: 'a file name without "/"' })
    .meta({ description: 'The name under which the standard output is kept.' }),
  'end-marker': text('a text that stands at the end of a whole output').optional().meta({ description: 'Text that the last 4 KiB of the output must contain; without it the output counts as cut and the run fails.' }),
  'minimum-size': byteSize.default(1).meta({ description: 'Less output than this fails the run.' }),
}, 'a command source');

/** How a PostgreSQL server is reached: of sources and of restore targets. */
export const connection = {
  host: text('a host name'),
  port: wholeNumber(1, 65_535).default(5432),
  database: text('the name of a database'),
  user: z.union([secret, text(USER_WANTED).refine((value) => !value.startsWith('${'), { error: USER_WANTED })], { error: USER_WANTED }),
  password: secret.optional().meta({ description: 'Where the password is. Without it: pgpass, or no password at all.' }),
  'ssl-mode': oneOf(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']).optional(),
  'ssl-root-cert': path.optional().meta({ description: 'PEM file of the authorities for verify-ca and verify-full; "system": those that the machine trusts.' }),
} as const;

const DATABASES_WANTED = 'all, or a list of names of databases';
const postgresDump = strictMap({
  type: z.literal('postgres'),
  mode: z.literal('logical').optional().meta({ description: 'pg_dump of databases; the same as no mode at all.' }),
  ...connection,
  database: connection.database.optional().meta({ description: 'The database to keep; with `databases: all` the one to ask at (postgres by default).' }),
  databases: z.union([z.literal('all'), z.array(text('the name of a database'), { error: DATABASES_WANTED }).min(1, { error: DATABASES_WANTED })], { error: DATABASES_WANTED }).optional().meta({ description: 'Several databases, each an entry of its own; all: every one that takes connections.' }),
  globals: yesOrNo().optional().meta({ description: 'Keep roles, their settings and memberships, and tablespaces as globals.sql. By default with `databases: all` alone.' }),
  'role-passwords': yesOrNo().default(false).meta({ description: 'Keep hashes of the passwords of roles, too; only a superuser can.' }),
  schemas: texts('pattern of schemas').optional().meta({ description: 'Only these schemas, as pg_dump --schema takes them.' }),
  'exclude-tables': texts('pattern of tables').optional().meta({ description: 'Tables that are left out, as pg_dump --exclude-table takes them.' }),
  content: oneOf(['all', 'schema', 'data']).default('all').meta({ description: 'Definitions and rows, definitions alone, or rows alone.' }),
  jobs: wholeNumber(1, 64).default(1).meta({ description: 'From 2 on: directory format, dumped by so many connections at the same time through the scratch folder.' }),
  'row-counts': oneOf(['auto', 'exact', 'none']).default('auto').meta({ description: 'Count rows in the snapshot of the dump and keep the counts. auto: up to 16 GiB of tables, the smallest first; estimates of the others.' }),
  'minimum-size': byteSize.default(1).meta({ description: 'A smaller dump fails the run.' }),
}, 'a postgres source').superRefine((fields, context) => {
  const { database, databases } = fields;
  if (database === undefined && databases === undefined) context.addIssue({ code: 'custom', path: ['database'], message: 'the name of a database, or `databases`' });
  if (database !== undefined && Array.isArray(databases)) context.addIssue({ code: 'custom', path: ['database'], message: 'either `database` or a list of `databases`' });
  if (fields['role-passwords'] && !(fields.globals ?? databases === 'all')) context.addIssue({ code: 'custom', path: ['role-passwords'], message: '`globals: true` beside it' });
});

const postgresPhysical = strictMap({
  type: z.literal('postgres'),
  mode: z.literal('physical').meta({ description: 'A base backup of the whole cluster.' }),
  ...connection,
  database: connection.database.default('postgres').meta({ description: 'A database to ask the server through; all of them are kept.' }),
  wal: oneOf(['fetch', 'none']).default('fetch').meta({ description: 'fetch: the backup holds the WAL that it needs and restores by itself. none: it needs an archive of WAL.' }),
  'wal-freshness': durationWithin('3m', '24h').optional().meta({ description: 'WAL that reaches the vault later than this after it was written is told: by `wal-receive`, by `pitr windows`, and in AWS by an alert. 3m to 24h.' }),
  checkpoint: oneOf(['fast', 'spread']).default('fast').meta({ description: 'fast: the server writes a checkpoint at once; spread: in its own time, and the backup waits for it.' }),
  'minimum-size': byteSize.default(1).meta({ description: 'A smaller base backup fails the run.' }),
}, 'a physical postgres source');

const postgres = z.discriminatedUnion('mode', [postgresDump, postgresPhysical], { error: 'one of logical, physical' });

export const source = z.discriminatedUnion('type', [files, sqlite, command, postgres, mariadb, mysql, redis, valkey, elasticsearch, opensearch, s3Source, kafka, mongodbSource, configs, logs], {
  error: (issue) => (issue.code === 'invalid_union' ? 'one of files, sqlite, command, postgres, mariadb, mysql, redis, valkey, elasticsearch, opensearch, s3, kafka, mongodb, configs, logs' : 'a source: a map with "type" (files, sqlite, command, postgres, mariadb, mysql, redis, valkey, elasticsearch, opensearch, s3, kafka, mongodb, configs, logs) and its fields'),
});

export type SourceFields = z.output<typeof source>;
