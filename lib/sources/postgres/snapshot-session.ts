import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { isOver, startProgram } from '../program.ts';
import type { Program } from '../program.ts';
import { LOCK_WAIT_MILLISECONDS } from './choice.ts';
import type { DumpChoice } from './choice.ts';
import { describeConnection, secretsOf } from './connection.ts';
import { knownFailure } from './failures.ts';
import { Replies } from './replies.ts';
import type { Session } from './query.ts';

export interface SnapshotOrder extends DumpChoice {
  readonly lockWaitMilliseconds?: number | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What the catalog says of a table, before anything of it is read. */
export interface ListedTable {
  readonly schema: string;
  readonly table: string;
  /** Of its rows, without what lies outside in TOAST. */
  readonly bytes: number;
  /** As the planner believes; undefined when nobody ever counted. */
  readonly estimatedRows: number | undefined;
}

/** Not of the system, and not of an extension. */
const OWN_TABLES = `
  select nspname, relname, pg_relation_size(c.oid), reltuples from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind = 'r' and nspname !~ '^pg_' and nspname <> 'information_schema' and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
  order by 3, 1, 2;`;

/**
 * A session that holds one snapshot of the database open and exports it, so that every worker of pg_dump and every count sees the
 * database at the same moment. It must live until they have ended. Reads only, and locks as a SELECT does.
 */
export class SnapshotSession {
  /** For `pg_dump --snapshot`. */
  readonly id: string;
  readonly #parts: Parts;
  readonly #patterns: DumpChoice;

  private constructor(id: string, parts: Parts, patterns: DumpChoice) {
    this.id = id;
    this.#parts = parts;
    this.#patterns = patterns;
  }

  /** Fails as connecting and asking do. */
  static async open(session: Session, order: SnapshotOrder): Promise<SnapshotSession> {
    const parts = start(session, order);
    const { group } = parts.program;
    const onAbort = () => void group.kill();
    order.signal.addEventListener('abort', onAbort, { once: true });
    void group.ended.then(() => order.signal.removeEventListener('abort', onAbort));
    if (order.signal.aborted) onAbort();
    const { lockWaitMilliseconds = LOCK_WAIT_MILLISECONDS } = order;
    try {
      const [[id = ''] = []] = await ask(parts, `
        set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set lock_timeout = ${lockWaitMilliseconds}; set row_security = off;
        begin transaction isolation level repeatable read, read only;
        select pg_export_snapshot();`);
      return new SnapshotSession(id, parts, order);
    } catch (error) {
      await group.kill();
      throw error;
    }
  }

  /** Tables whose rows the dump holds, the smallest first; psql reads patterns exactly as pg_dump does. */
  async tables(): Promise<ListedTable[]> {
    const { schemas, excludeTables } = this.#patterns;
    const rows = await this.#ask(OWN_TABLES);
    const chosen = new Set<string>();
    for (const index of schemas.keys()) for (const [name = ''] of await this.#ask(`\\dn :schema${index}`)) chosen.add(name);
    const excluded = new Set<string>();
    for (const index of excludeTables.keys()) for (const [schema = '', name = ''] of await this.#ask(`\\dtmvsE :excluded${index}`)) excluded.add(`${schema}\0${name}`);
    return rows
      .filter(([schema = '', table = '']) => (schemas.length === 0 || chosen.has(schema)) && !excluded.has(`${schema}\0${table}`))
      .map(([schema = '', table = '', bytes = '0', estimate = '-1']) => ({ schema, table, bytes: Number(bytes), estimatedRows: Number(estimate) < 0 ? undefined : Number(estimate) }));
  }

  /** No DDL or TRUNCATE, which no snapshot hides, gets between the dump and the counts. */
  async lock(tables: readonly ListedTable[]): Promise<void> {
    if (tables.length > 0) await this.#ask(tables.map((table) => `lock table only ${quoted(table)} in access share mode;`).join('\n'));
  }

  async rowsOf(table: ListedTable): Promise<number> {
    const [[count = ''] = []] = await this.#ask(`select count(*) from only ${quoted(table)};`);
    return Number(count);
  }

  /** Versions of what is installed in the database, as `extension NAME`. */
  async extensions(): Promise<Readonly<Record<string, string>>> {
    return Object.fromEntries((await this.#ask('select extname, extversion from pg_extension order by 1;')).map(([name = '', version = '']) => [`extension ${name}`, version]));
  }

  /** Bytes of the rows of everything, large ones and large objects included: about what a plain dump takes. */
  async dataBytes(): Promise<number> {
    const [[bytes = ''] = []] = await this.#ask(`select coalesce(sum(pg_table_size(c.oid)), 0) from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'm') and (nspname !~ '^pg_' and nspname <> 'information_schema' or c.oid = 'pg_largeobject'::regclass);`);
    return Number(bytes);
  }

  /** Callable twice. In peace, so that the server's log has no complaint about it; what does not answer is ended. */
  async close(): Promise<void> {
    const { program, clock } = this.#parts;
    if (program.group.input.writable) program.group.input.end('rollback;\n');
    if (!(await isOver(program, clock))) await program.group.kill();
  }

  #ask(text: string): Promise<string[][]> {
    return ask(this.#parts, text);
  }
}

interface Parts {
  readonly program: Program;
  readonly clock: Clock;
  readonly session: Session;
  readonly replies: Replies;
  readonly signal: AbortSignal;
}

function start(session: Session, { schemas, excludeTables, clock, signal }: SnapshotOrder): Parts {
  const { client, connection, opened } = session;
  const patterns = [...schemas.map((pattern, index) => `schema${index}=${pattern}`), ...excludeTables.map((pattern, index) => `excluded${index}=${pattern}`)];
  const args = ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--no-password', '--field-separator=\u001f', '--record-separator-zero', '--set', 'ON_ERROR_STOP=1', ...patterns.flatMap((pattern) => ['--set', pattern]), '--dbname', opened.argument];
  const environment = { ...opened.environment, PGAPPNAME: 'holdfast snapshot' };
  const program = startProgram([client.psql, ...args], { stdin: 'pipe', stdout: 'pipe', environment, secrets: secretsOf(connection), clock });
  program.group.input.on('error', () => undefined); // It has ended: its exit code tells.
  return { session, program, clock, replies: new Replies(program.group.output), signal };
}

async function ask({ session, program: { group, said }, replies, signal: stop }: Parts, text: string): Promise<string[][]> {
  const reply = replies.next();
  group.input.write(`${text}\n${replies.endOfReply}\n`);
  const rows = await reply;
  if (rows !== undefined) return rows;
  const { code, signal } = await group.ended;
  if (stop.aborted) throw new HoldfastError('interrupted', `Reading ${describeConnection(session.connection)} was stopped.`, { cause: stop.reason });
  const words = said.text();
  throw knownFailure(words, session.connection) ?? new HoldfastError('source-failed', `The session that holds the snapshot of ${describeConnection(session.connection)} ended (psql: ${signal ?? `exit code ${code}`}).${words === '' ? '' : ` It said: ${words}`}`, { nextStep: 'Nothing of this run is kept. Mend what it says, and start the backup again.' });
}

function quoted({ schema, table }: ListedTable): string {
  return [schema, table].map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
}
