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

const SEQUENCE_CALLS = ['nextval', 'lastval'];

/** Defaults that take a number of a sequence name its database, and do not follow it when it moves. */
export async function followSequences(session: SqlSession, { from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const statements: string[] = [];
  for (const { table, column, text } of await sequenceDefaults(session, { of: to, naming: from })) {
    const moved = SEQUENCE_CALLS.reduce((words, call) => words.replaceAll(`${call}(${sqlName(from)}.`, `${call}(${sqlName(to)}.`), text);
    statements.push(`alter table ${sqlName(to)}.${sqlName(table)} alter column ${sqlName(column)} set default (${moved})`);
  }
  if (statements.length > 0) await sqlQuery(session, statements.join(';\n'));
}

/** Those of `sequences` that a default in the same database takes numbers from. */
export async function neededSequences(session: SqlSession, database: string, sequences: readonly string[]): Promise<string[]> {
  const defaults = await sequenceDefaults(session, { of: database, naming: database });
  return sequences.filter((name) => defaults.some(({ text }) => SEQUENCE_CALLS.some((call) => text.includes(`${call}(${sqlName(database)}.${sqlName(name)}`))));
}

async function sequenceDefaults(session: SqlSession, { of, naming }: { readonly of: string; readonly naming: string }): Promise<{ table: string; column: string; text: string }[]> {
  const calls = SEQUENCE_CALLS.map((call) => `locate(${sqlText(`${call}(${sqlName(naming)}.`)}, column_default) > 0`).join(' or ');
  const rows = await sqlQuery(session, `select table_name, column_name, column_default from information_schema.columns where table_schema = ${sqlText(of)} and (${calls})`);
  return rows.map(([table = '', column = '', text = '']) => ({ table, column, text }));
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
