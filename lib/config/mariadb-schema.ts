import * as z from 'zod';
import { USER_WANTED } from './connection-words.ts';
import { byteSize, oneOf, path, secret, strictMap, text, texts, wholeNumber } from './schema-words.ts';
import type { SecretReference } from './secret-reference.ts';

/** Databases of one MariaDB or MySQL server, with every default filled in. */
export type ResolvedMariadb = ResolvedDatabases<'mariadb'> | ResolvedDatabases<'mysql'>;

interface ResolvedDatabases<T extends 'mariadb' | 'mysql'> {
  /** Whose client programs are looked for first. */
  readonly type: T;
  readonly host: string;
  readonly port: number;
  readonly databases: readonly string[] | 'all';
  readonly user: string | SecretReference;
  /** Absent: none. */
  readonly password?: SecretReference;
  readonly sslMode?: 'disable' | 'require' | 'verify-full';
  /** PEM file. */
  readonly sslRootCert?: string;
  readonly excludeTables: readonly string[];
  /** A smaller dump of any of the databases fails the run. */
  readonly minimumSizeBytes: number;
}

const DATABASES_WANTED = 'a list of names of databases, or all';

const fields = {
  host: text('a host name, or the path of a socket').meta({ description: 'A name or address, reached over TCP, or the path of a Unix socket.' }),
  port: wholeNumber(1, 65_535).default(3306),
  database: text('the name of a database').optional().meta({ description: 'One database; or `databases`.' }),
  databases: z.union([z.literal('all'), texts('name of a database').min(1, { error: DATABASES_WANTED })], { error: DATABASES_WANTED }).optional().meta({ description: 'Several databases, each an entry of its own, or all but those of the server itself.' }),
  user: z.union([secret, text(USER_WANTED).refine((value) => !value.startsWith('${'), { error: USER_WANTED })], { error: USER_WANTED }),
  password: secret.optional().meta({ description: 'Where the password is; ~/.my.cnf is not read.' }),
  'ssl-mode': oneOf(['disable', 'require', 'verify-full']).optional().meta({ description: 'When absent, the client program does as it does by itself.' }),
  'ssl-root-cert': path.optional().meta({ description: 'PEM file of the authorities for verify-full.' }),
  'exclude-tables': texts('name of a table').optional().meta({ description: 'Tables and views that are left out: "table" in each database, or "database.table".' }),
  'minimum-size': byteSize.default(1).meta({ description: 'A smaller dump of any of the databases fails the run.' }),
} as const;

const map = <T extends 'mariadb' | 'mysql'>(type: T) =>
  strictMap({ type: z.literal(type), ...fields }, `a ${type} source`).superRefine(({ database, databases }, context) => {
    if ((database === undefined) === (databases === undefined)) context.addIssue({ code: 'custom', path: ['database'], message: 'exactly one of "database" and "databases"' });
  });

export const mariadb = map('mariadb');
export const mysql = map('mysql');

export type MariadbFields = z.output<typeof mariadb> | z.output<typeof mysql>;
