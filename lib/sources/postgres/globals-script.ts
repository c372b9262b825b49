import { HoldfastError } from '../../model/errors.ts';

/** A statement of `globals.sql`, and the role that it makes or changes. */
export interface GlobalsStatement {
  readonly text: string;
  readonly kind: 'role' | 'membership' | 'tablespace' | 'setting' | 'other';
  /** Of `kind` role and membership: whom it is about. */
  readonly role?: string;
}

/** Parts the output of `pg_dumpall --globals-only` into its statements. Fails as `damaged` when its last line is not there. */
export function parseGlobals(script: string): GlobalsStatement[] {
  if (!/^-- PostgreSQL database cluster dump complete$/m.test(script)) throw new HoldfastError('damaged', 'globals.sql does not end as pg_dumpall ends it: it was cut.', { nextStep: 'Run `holdfast verify --level full`.' });
  return statementsOf(script).map(classified);
}

export function rolesIn(script: string): string[] {
  return parseGlobals(script).flatMap(({ text, role }) => (text.startsWith('CREATE ROLE ') && role !== undefined ? [role] : []));
}

/** Without comments and psql's own lines; a semicolon in quotes ends nothing. */
function statementsOf(script: string): string[] {
  const found: string[] = [];
  let text = '';
  let quote = '';
  for (const line of script.split('\n')) {
    if (quote === '' && text === '' && (line === '' || line.startsWith('--') || line.startsWith('\\'))) continue;
    for (const character of line) {
      if (quote === '' && character === '\\') throw new HoldfastError('damaged', `globals.sql has a command for psql inside of a statement, which pg_dumpall never writes: ${line.slice(0, 80)}`, { nextStep: 'Look at it: `holdfast cat ID globals.sql`.' });
      if (quote === '' ? character === "'" || character === '"' : character === quote) quote = quote === '' ? character : '';
    }
    text += text === '' ? line : `\n${line}`;
    if (quote !== '' || !line.endsWith(';')) continue;
    found.push(text);
    text = '';
  }
  return found;
}

function classified(text: string): GlobalsStatement {
  const name = '("(?:[^"]|"")+"|[^\\s;"]+)';
  const about = (pattern: string) => new RegExp(`^${pattern}${name}`).exec(text)?.[1];
  const role = about('(?:CREATE|ALTER) ROLE ') ?? about('COMMENT ON ROLE ') ?? about('SECURITY LABEL .* ON ROLE ');
  if (role !== undefined) return { text, kind: 'role', role: bare(role) };
  const member = new RegExp(`^GRANT ${name} TO ${name}`).exec(text)?.[2];
  if (member !== undefined && !/^GRANT .* ON /.test(text)) return { text, kind: 'membership', role: bare(member) };
  if (/ TABLESPACE /.test(text)) return { text, kind: 'tablespace' };
  return { text, kind: text.startsWith('SET ') ? 'setting' : 'other' };
}

function bare(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
