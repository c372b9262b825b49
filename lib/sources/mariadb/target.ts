import { sqlName, sqlQuery, sqlText } from './query.ts';
import type { SqlSession } from './query.ts';
import type { TableCount } from '../database-loader.ts';

export type ObjectKind = 'table' | 'sequence' | 'view' | 'procedure' | 'function' | 'event';

export interface DatabaseObject {
  readonly kind: ObjectKind;
  readonly name: string;
}

/** Everything that a restore could collide with, tables first. */
export async function objectsOf(session: SqlSession, database: string): Promise<DatabaseObject[]> {
  const where = sqlText(database);
  const rows = await sqlQuery(session, `
    select case table_type when 'VIEW' then 'view' when 'SEQUENCE' then 'sequence' else 'table' end, table_name from information_schema.tables where table_schema = ${where} order by 1 desc, 2;
    select lower(routine_type), routine_name from information_schema.routines where routine_schema = ${where} order by 1, 2;
    select 'event', event_name from information_schema.events where event_schema = ${where} order by 2`);
  const objects = rows.map(([kind, name = '']) => ({ kind: kind as ObjectKind, name }));
  return [...objects.filter(({ kind }) => kind === 'table'), ...objects.filter(({ kind }) => kind !== 'table')];
}

export async function isDatabaseThere(session: SqlSession, database: string): Promise<boolean> {
  return (await sqlQuery(session, `select 1 from information_schema.schemata where schema_name = ${sqlText(database)}`)).length > 0;
}

export async function createDatabase(session: SqlSession, database: string, { characterSet, collation }: { readonly characterSet?: string | undefined; readonly collation?: string | undefined }): Promise<void> {
  await sqlQuery(session, `create database ${sqlName(database)}${characterSet === undefined ? '' : ` character set ${characterSet}`}${collation === undefined ? '' : ` collate ${collation}`}`);
}

export async function dropDatabase(session: SqlSession, database: string): Promise<void> {
  await sqlQuery(session, `set foreign_key_checks = 0; drop database if exists ${sqlName(database)}`);
}

/** Tables and sequences, all or none, by one statement; foreign keys among them go with them. */
export async function moveTables(session: SqlSession, names: readonly string[], { from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  if (names.length === 0) return;
  await sqlQuery(session, `rename table ${names.map((name) => `${sqlName(from)}.${sqlName(name)} to ${sqlName(to)}.${sqlName(name)}`).join(', ')}`);
}

/** Defaults that take the next number of a sequence name its database, and do not follow it when it moves. */
export async function followSequences(session: SqlSession, { from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const old = `nextval(${sqlName(from)}.`;
  const columns = await sqlQuery(session, `select table_name, column_name, column_default from information_schema.columns where table_schema = ${sqlText(to)} and locate(${sqlText(old)}, column_default) > 0`);
  if (columns.length === 0) return;
  await sqlQuery(session, columns.map(([table = '', column = '', text = '']) => `alter table ${sqlName(to)}.${sqlName(table)} alter column ${sqlName(column)} set default (${text.replaceAll(old, `nextval(${sqlName(to)}.`)})`).join(';\n'));
}

export async function dropObjects(session: SqlSession, database: string, objects: readonly DatabaseObject[]): Promise<void> {
  // Views first: some servers look into them when what they need is dropped.
  const order: readonly ObjectKind[] = ['view', 'event', 'procedure', 'function', 'table', 'sequence'];
  const sorted = [...objects].sort((left, right) => order.indexOf(left.kind) - order.indexOf(right.kind));
  if (sorted.length > 0) await sqlQuery(session, ['set foreign_key_checks = 0', ...sorted.map(({ kind, name }) => `drop ${kind} if exists ${sqlName(database)}.${sqlName(name)}`)].join(';\n'));
}

/** Exact: every table is read once. */
export async function tableCounts(session: SqlSession, database: string, tables: readonly string[]): Promise<TableCount[]> {
  if (tables.length === 0) return [];
  const rows = await sqlQuery(session, tables.map((table) => `select count(*) from ${sqlName(database)}.${sqlName(table)}`).join(';\n'));
  return tables.map((table, index) => ({ schema: database, table, rows: Number(rows[index]?.[0]) }));
}
