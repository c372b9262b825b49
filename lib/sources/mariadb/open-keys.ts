import { isHoldfastError } from '../../model/errors.ts';
import { sqlName, sqlQuery, sqlText } from './query.ts';
import type { SqlSession } from './query.ts';

/** A foreign key to a table that does not come with it. */
export interface OpenKey {
  readonly table: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly to: string;
  readonly toColumns: readonly string[];
  readonly rules: string;
}

/**
 * Takes the foreign keys away that refer to a table of `database` which is not in it, and answers them. A table that moves
 * would take such a key with it, to a database that is dropped: every row would then be refused.
 */
export async function takeOpenKeys(session: SqlSession, database: string): Promise<OpenKey[]> {
  const rows = await sqlQuery(session, `
    select k.table_name, k.constraint_name, k.column_name, k.referenced_table_name, k.referenced_column_name, r.delete_rule, r.update_rule
    from information_schema.key_column_usage k join information_schema.referential_constraints r on r.constraint_schema = k.constraint_schema and r.table_name = k.table_name and r.constraint_name = k.constraint_name
    where k.constraint_schema = ${sqlText(database)} and k.referenced_table_schema = ${sqlText(database)}
      and k.referenced_table_name not in (select t.table_name from information_schema.tables t where t.table_schema = ${sqlText(database)})
    order by k.table_name, k.constraint_name, k.ordinal_position`);
  const keys = new Map<string, OpenKey & { readonly columns: string[]; readonly toColumns: string[] }>();
  for (const [table = '', name = '', column = '', to = '', toColumn = '', onDelete = '', onUpdate = ''] of rows) {
    const id = JSON.stringify([table, name]);
    const key = keys.get(id) ?? { table, name, columns: [], to, toColumns: [], rules: `on delete ${onDelete} on update ${onUpdate}` };
    key.columns.push(column);
    key.toColumns.push(toColumn);
    keys.set(id, key);
  }
  const open = [...keys.values()];
  if (open.length > 0) await sqlQuery(session, ['set foreign_key_checks = 0', ...open.map(({ table, name }) => `alter table ${sqlName(database)}.${sqlName(table)} drop foreign key ${sqlName(name)}`)].join(';\n'));
  return open;
}

/** That the key does not fit: no such table or column, another type, rows without their counterpart, its name taken. */
const DOES_NOT_FIT = /ERROR (?:1005|1215|1452|1822|1824|1826|3780)\b/;

/** Puts the keys on again, to the tables of `database`, every row checked. Answers a warning for each that does not fit there. */
export async function putKeys(session: SqlSession, database: string, keys: readonly OpenKey[]): Promise<string[]> {
  const warnings: string[] = [];
  for (const { table, name, columns, to, toColumns, rules } of keys) {
    const list = (names: readonly string[]) => `(${names.map(sqlName).join(', ')})`;
    const statement = `alter table ${sqlName(database)}.${sqlName(table)} add constraint ${sqlName(name)} foreign key ${list(columns)} references ${sqlName(database)}.${sqlName(to)} ${list(toColumns)} ${rules}`;
    try {
      await sqlQuery(session, `set foreign_key_checks = 1; ${statement}`);
    } catch (error) {
      if (!isHoldfastError(error) || !DOES_NOT_FIT.test(error.message)) throw error;
      warnings.push(`the foreign key ${name} of ${table} is left out: it refers to ${to}, which was not restored, and is not in ${database} or does not fit (${error.message.slice(error.message.search(DOES_NOT_FIT))}). To add it later: ${statement}`);
    }
  }
  return warnings;
}

/** Tables of `database` that name `other` anywhere: in a key, a default, a list of tables. */
export async function tablesNaming(session: SqlSession, other: string, { database, tables }: { readonly database: string; readonly tables: readonly string[] }): Promise<string[]> {
  if (tables.length === 0) return [];
  const rows = await sqlQuery(session, tables.map((table) => `show create table ${sqlName(database)}.${sqlName(table)}`).join(';\n'));
  return rows.filter(([, text = '']) => text.includes(other)).map(([name = '']) => name);
}
