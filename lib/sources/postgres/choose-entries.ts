import { HoldfastError } from '../../model/errors.ts';
import type { TocEntry } from './toc.ts';

/** What of an archive is restored. */
export interface WantedParts {
  /** `schema.table` or `table`; `*` and `?` outside of quotes stand for others. */
  readonly tables: readonly string[];
  /** Names, with `*` and `?`. */
  readonly schemas: readonly string[];
}

export interface ChosenEntries {
  /** In the order of the archive. */
  readonly entries: readonly TocEntry[];
  readonly tables: readonly TocEntry[];
  /** Foreign keys and the like that need a table which is not chosen. */
  readonly leftOut: readonly TocEntry[];
}

const TABLES: ReadonlySet<string> = new Set(['TABLE', 'FOREIGN TABLE', 'VIEW', 'MATERIALIZED VIEW']);
/** Never made because something else needs them: they are chosen, or what needs them is left out. */
const NEVER_DRAGGED: ReadonlySet<string> = new Set([...TABLES, 'CONSTRAINT', 'INDEX']);
/** Comes with what it needs. */
const BELONGS: ReadonlySet<string> = new Set([
  'TABLE DATA', 'MATERIALIZED VIEW DATA', 'SEQUENCE', 'SEQUENCE SET', 'SEQUENCE OWNED BY', 'DEFAULT', 'CONSTRAINT', 'CHECK CONSTRAINT', 'FK CONSTRAINT', 'INDEX', 'INDEX ATTACH', 'TABLE ATTACH',
  'TRIGGER', 'RULE', 'POLICY', 'ROW SECURITY', 'COMMENT', 'ACL', 'SECURITY LABEL', 'STATISTICS', 'STATISTICS DATA',
]);

/**
 * Chosen tables with everything that belongs to them (rows, indexes, constraints, sequences, triggers, privileges,
 * partitions) and what they cannot be made without (types, functions, schemas). `isThere` tells of the latter whether the
 * database has it already. Fails as `not-found` for a name that nothing in the archive has.
 */
export function chooseEntries(entries: readonly TocEntry[], wanted: WantedParts, isThere: (entry: TocEntry) => boolean): ChosenEntries {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const chosen = new Set(rootsOf(entries, wanted));
  const needed = new Set<TocEntry>();
  const leftOut = new Set<TocEntry>();
  const has = (entry: TocEntry | undefined) => entry !== undefined && (chosen.has(entry) || needed.has(entry));
  // What is needed and there already stays as it is: rows, numbers and privileges of it are not those of the backup.
  const isMade = (entry: TocEntry) => chosen.has(entry) || (needed.has(entry) && !isThere(entry));
  const need = (entry: TocEntry): void => {
    for (const other of entry.needs.map((id) => byId.get(id))) {
      if (other === undefined || has(other)) continue;
      needed.add(other);
      need(other);
    }
  };
  for (const entry of chosen) need(entry);
  for (let before = -1; before !== chosen.size; ) {
    before = chosen.size;
    for (const entry of entries) {
      if (has(entry) || !BELONGS.has(entry.kind)) continue;
      const others = entry.needs.flatMap((id) => byId.get(id) ?? []);
      if (!others.some((other) => isMade(other) && other.kind !== 'SCHEMA' && other.kind !== 'EXTENSION')) continue;
      // A partition comes with its table.
      if (entry.kind === 'TABLE ATTACH') for (const child of others) if (child.kind === 'TABLE' && !has(child) && others.some((other) => other !== child && chosen.has(other))) chosen.add(child);
      const missing = others.filter((other) => NEVER_DRAGGED.has(other.kind) && (!has(other) || (isPutOn(entry, other) && !isMade(other))));
      if (missing.length > 0) {
        leftOut.add(entry);
        continue;
      }
      leftOut.delete(entry);
      chosen.add(entry);
      need(entry);
    }
  }
  const kept = entries.filter(isMade);
  return { entries: kept, tables: kept.filter(({ kind }) => TABLES.has(kind)), leftOut: entries.filter((entry) => leftOut.has(entry) && !has(entry) && entry.kind !== 'TABLE ATTACH') };
}

/** Whether making `entry` changes `other`, and does not only point at it: pg_dump calls it `table name`. */
function isPutOn(entry: TocEntry, other: TocEntry): boolean {
  return entry.kind.endsWith(' ATTACH') || (entry.schema === other.schema && entry.name?.startsWith(`${other.name ?? ''} `) === true);
}

function rootsOf(entries: readonly TocEntry[], { tables, schemas }: WantedParts): TocEntry[] {
  const found = new Set<TocEntry>();
  for (const text of tables) {
    const { schema, name } = tablePattern(text);
    const matches = entries.filter((entry) => TABLES.has(entry.kind) && name.test(entry.name ?? '') && schema.test(entry.schema ?? ''));
    if (matches.length === 0) throw nothingCalled('table', text, entries.filter(({ kind }) => TABLES.has(kind)).map(({ schema: its = '', name: own = '' }) => `${asPattern(its)}.${asPattern(own)}`));
    for (const entry of matches) found.add(entry);
  }
  for (const text of schemas) {
    const pattern = toPattern(text);
    const matches = entries.filter((entry) => (entry.schema !== undefined && entry.schema !== '-' && pattern.test(entry.schema)) || (entry.kind === 'SCHEMA' && pattern.test(entry.name ?? '')));
    if (matches.length === 0) throw nothingCalled('schema', text, [...new Set(entries.flatMap(({ schema }) => (schema === undefined || schema === '-' ? [] : [asPattern(schema)])))]);
    // What belongs to a table comes with it, or is left out with a warning.
    for (const entry of matches) if (!BELONGS.has(entry.kind) || entry.kind === 'SEQUENCE') found.add(entry);
  }
  return [...found];
}

/** `name`, `schema.name`; a part in double quotes is taken as it is. */
function tablePattern(text: string): { readonly schema: RegExp; readonly name: RegExp } {
  const [, schema, name] = /^(?:("(?:[^"]|"")+"|[^".]+)\.)?("(?:[^"]|"")+"|[^"]+)$/.exec(text) ?? [];
  if (name === undefined) throw new HoldfastError('usage', `--table is ${JSON.stringify(text)}, wanted TABLE or SCHEMA.TABLE, each in double quotes where it holds a dot.`);
  return { schema: schema === undefined ? /^/ : toPattern(schema), name: toPattern(name) };
}

/** A name as `--table` and `--schema` take it for itself alone. */
export function asPattern(name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function toPattern(text: string): RegExp {
  const quoted = /^"(.*)"$/s.exec(text)?.[1]?.replaceAll('""', '"');
  const source = (quoted ?? text).replace(/[.*+?^${}()|[\]\\]/g, (character) => (quoted === undefined && character === '*' ? '.*' : quoted === undefined && character === '?' ? '.' : `\\${character}`));
  return new RegExp(`^${source}$`, 's');
}

function nothingCalled(what: string, text: string, names: readonly string[]): HoldfastError {
  return new HoldfastError('not-found', `The archive has no ${what} ${text}. It has ${names.slice(0, 10).join(', ') || 'none'}${names.length > 10 ? `, and ${names.length - 10} more` : ''}.`, { nextStep: 'Names are compared as they are, capitals too; `*` stands for anything.' });
}
