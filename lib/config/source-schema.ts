import * as z from 'zod';
import { byteSize, oneOf, path, secret, strictMap, text, texts, wholeNumber, yesOrNo } from './schema-words.ts';

const files = strictMap({
  type: z.literal('files'),
  paths: z.array(path, { error: 'a list of paths' }).min(1, { error: 'at least one path' }),
  include: texts('pattern').optional().meta({ description: 'Only what matches one of these is kept.' }),
  exclude: texts('pattern').optional().meta({ description: 'What matches one of these is left out; wins over include.' }),
  'one-file-system': yesOrNo().default(false).meta({ description: 'Do not enter other mounts below the paths.' }),
  'follow-symlinks': yesOrNo().default(false).meta({ description: 'Keep what symbolic links point to instead of the links.' }),
  'change-detection': oneOf(['auto', 'ctime+inode', 'ctime', 'mtime', 'content']).default('auto'),
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

const USER_WANTED = 'the name of a user, or a reference to it';

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

const postgres = strictMap({
  type: z.literal('postgres'),
  ...connection,
  'exclude-tables': texts('pattern of tables').optional().meta({ description: 'Tables that are left out, as pg_dump --exclude-table takes them.' }),
  'minimum-size': byteSize.default(1).meta({ description: 'A smaller dump fails the run.' }),
}, 'a postgres source');

export const source = z.discriminatedUnion('type', [files, sqlite, command, postgres], {
  error: (issue) => (issue.code === 'invalid_union' ? 'one of files, sqlite, command, postgres' : 'a source: a map with "type" (files, sqlite, command, postgres) and its fields'),
});

export type SourceFields = z.output<typeof source>;
