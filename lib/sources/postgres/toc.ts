/** One line of an archive's table of contents. */
export interface TocEntry {
  /** Of the dump; what `pg_restore --use-list` knows it by. */
  readonly id: number;
  /** `TABLE`, `TABLE DATA`, `INDEX`, … */
  readonly kind: string;
  /** Ids of what it cannot be made without. */
  readonly needs: readonly number[];
  /** Schema, name and owner in one line; each may hold spaces. */
  readonly words: string;
  /** Exactly, of what the script of definitions holds. */
  readonly schema?: string;
  readonly name?: string;
  readonly owner?: string;
}

export interface Definitions {
  readonly byId: ReadonlyMap<number, { readonly kind: string; readonly schema: string; readonly name: string; readonly owner: string }>;
  /** Roles to which something is granted. */
  readonly grantees: readonly string[];
  /** What belongs to the database itself: owner, settings, privileges; `:"name"` stands for its name. */
  readonly ofDatabase: readonly string[];
}

/**
 * `list`: of `pg_restore --list --verbose`, which has every entry and what it needs; `script`: of `pg_restore
 * --schema-only --verbose --file=-`, whose headings part schema, name and owner exactly.
 */
export function parseToc(list: string, script: Definitions): TocEntry[] {
  const entries: TocEntry[] = [];
  for (const line of list.split('\n')) {
    const needs = /^;\s+depends on:([ \d]+)$/.exec(line)?.[1];
    const last = entries.at(-1);
    if (needs !== undefined && last !== undefined) entries[entries.length - 1] = { ...last, needs: needs.trim().split(' ').map(Number) };
    const [, number, rest] = /^(\d+); \d+ \d+ (.*)$/.exec(line) ?? [];
    if (number === undefined || rest === undefined) continue;
    const id = Number(number);
    const known = script.byId.get(id);
    const kind = known?.kind ?? KINDS.find((one) => rest.startsWith(`${one} `)) ?? rest.split(' ')[0] ?? '';
    entries.push({ id, kind, needs: [], words: rest.slice(kind.length + 1), ...(known && { schema: known.schema, name: known.name, owner: known.owner }) });
  }
  return entries;
}

/** Of more than one word, and without a definition in the script. */
const KINDS = ['TABLE DATA', 'SEQUENCE SET', 'MATERIALIZED VIEW DATA', 'STATISTICS DATA', 'BLOB METADATA', 'DATABASE PROPERTIES', 'BLOBS', 'BLOB'];

/** Reads the headings of a verbose script, and what is granted below those of privileges. */
export function parseDefinitions(script: string): Definitions {
  const byId = new Map<number, { kind: string; schema: string; name: string; owner: string }>();
  const grantees = new Set<string>();
  const ofDatabase: string[] = [];
  const database = /^CREATE DATABASE (.*?) WITH TEMPLATE = template0/m.exec(script)?.[1];
  let id: number | undefined;
  let kind = '';
  for (const line of script.split('\n')) {
    const number = /^-- TOC entry (\d+) \(class \d+ OID \d+\)$/.exec(line)?.[1];
    if (number !== undefined) id = Number(number);
    const [, name, what, schema, owner] = /^-- Name: (.*); Type: ([A-Z ]+); Schema: (.*?); Owner: (.*)$/.exec(line) ?? [];
    if (id !== undefined && name !== undefined && what !== undefined) {
      byId.set(id, { kind: what, schema: schema ?? '', name, owner: (owner ?? '').replace(/; Tablespace: .*$/, '') });
      kind = what;
      id = undefined;
    }
    if (database !== undefined && /^(DATABASE|DATABASE PROPERTIES|ACL)$/.test(kind) && /^(ALTER|GRANT|REVOKE) .*;$/.test(line) && line.includes(` DATABASE ${database} `)) ofDatabase.push(line.replace(` DATABASE ${database} `, () => ' DATABASE :"name" '));
    if (/^(ACL|DEFAULT ACL)$/.test(kind)) for (const role of granted(line)) grantees.add(role);
  }
  return { byId, grantees: [...grantees], ofDatabase };
}

function granted(line: string): string[] {
  const role = /\bGRANT .* TO (?:GROUP )?("(?:[^"]|"")+"|[^\s;"]+)(?: WITH GRANT OPTION)?;$/.exec(line)?.[1];
  if (role === undefined || role === 'PUBLIC') return [];
  return [role.startsWith('"') ? role.slice(1, -1).replaceAll('""', '"') : role];
}
