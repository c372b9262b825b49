import { closeSync, writeSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { OpenedConnection } from '../opened-connection.ts';
import { makePipe } from '../pipe.ts';
import type { ProcessEnd } from '../process-group.ts';
import { complaintAbout, endAllWithFailed, startProgram } from '../program.ts';
import type { Program } from '../program.ts';
import { ProgramStream } from '../program-stream.ts';
import type { OpenStream, StreamProof, StreamSeen } from '../source.ts';
import { inWords } from './client.ts';
import type { SqlClient } from './client.ts';
import { secretsOf, serverName } from './connection.ts';
import type { SqlConnection } from './connection.ts';
import { knownSqlFailure } from './failures.ts';
import type { DatabaseFacts, ServerFacts } from './server.ts';

export interface SqlDumpOrder {
  readonly client: SqlClient;
  readonly server: ServerFacts;
  readonly database: DatabaseFacts;
  readonly connection: SqlConnection;
  /** Removed when the dump is closed. */
  readonly opened: OpenedConnection;
  /** Names of tables and views of this database. */
  readonly excludeTables: readonly string[];
  /** Of the run, told with this dump. */
  readonly warnings: readonly string[];
  readonly minimumBytes: number;
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

/**
 * A row is a line: then a row that grows moves only the bytes behind it, and the second dump finds nearly everything
 * again. With many rows to a statement the statements would be cut elsewhere from there on (decision 0027). Without locks
 * around the rows: under them a table whose default takes a number from a sequence cannot be filled.
 */
const OPTIONS = ['--single-transaction', '--quick', '--skip-extended-insert', '--no-autocommit', '--skip-add-locks', '--routines', '--triggers', '--events', '--hex-blob', '--skip-dump-date', '--no-tablespaces', '--tz-utc'];
/** What the program writes last, and only when it has written everything. */
export const END_MARK = '-- Dump completed';

/** Starts the dump of one database. Fails as `source-failed`. */
export async function openSqlDump(order: SqlDumpOrder, signal: AbortSignal): Promise<OpenStream> {
  const { client, opened, connection, database, excludeTables, clock } = order;
  const pipe = await makePipe(order.temporaryFolder).catch(async (error: unknown) => {
    await opened.remove();
    throw error;
  });
  try {
    signal.throwIfAborted();
    writeSync(pipe.writeEnd, headOf(order));
    const position = hasPosition(order) ? ['--master-data=2', '--gtid'] : [];
    const words = [client.dump, opened.argument, ...OPTIONS, ...position, ...excludeTables.map((table) => `--ignore-table=${database.name}.${table}`), '--', database.name];
    const program = startProgram(words, { stdout: pipe.writeEnd, environment: opened.environment, secrets: secretsOf(connection), clock });
    return new SqlDump(order, program, pipe.readEnd, signal);
  } catch (error) {
    closeSync(pipe.readEnd);
    await opened.remove();
    throw error;
  } finally {
    closeSync(pipe.writeEnd);
  }
}

/**
 * Position in the binary log and GTID, as comments in the dump's head. MariaDB knows them of the snapshot itself; other
 * servers would have to lock every table for a moment, which is not done here.
 */
function hasPosition({ client, server }: SqlDumpOrder): boolean {
  return server.hasBinaryLog && server.version.flavour === 'MariaDB' && client.version.flavour === 'MariaDB';
}

/** What a new database for it must be like: the dump itself does not say. Less than a pipe takes without a reader. */
function headOf({ database: { name, characterSet, collation } }: SqlDumpOrder): string {
  return `-- Holdfast: database ${JSON.stringify(name)} character set ${characterSet} collate ${collation}\n`;
}

class SqlDump implements OpenStream {
  readonly fd: number;
  readonly #order: SqlDumpOrder;
  readonly #program: Program;
  readonly #stream: ProgramStream;

  constructor(order: SqlDumpOrder, program: Program, fd: number, signal: AbortSignal) {
    this.fd = fd;
    this.#order = order;
    this.#program = program;
    this.#stream = new ProgramStream({ programs: [program], fd, what: `The dump of ${this.#what()}`, signal, release: () => order.opened.remove() });
    endAllWithFailed(program);
  }

  async finish({ bytes, tail }: StreamSeen): Promise<StreamProof> {
    const { client, server, database } = this.#order;
    const end = await this.#program.group.ended;
    this.#stream.throwIfStopped(bytes);
    const complaint = this.#complaint(end, bytes, tail);
    if (complaint !== undefined) throw await this.#failed(complaint, end);
    this.#stream.markProved();
    const name = this.#program.name;
    const said = this.#program.said.text();
    const warnings = [
      ...this.#order.warnings,
      ...(database.unprotected.length > 0 ? [`tables of ${database.name} that no transaction holds still, so that what is written to them during the dump may be half in it: ${database.unprotected.join(', ')}`] : []),
      ...(said === '' ? [] : [`${name} said: ${said}`]),
    ];
    const position = hasPosition(this.#order) ? [`binary log position in its head, GTID ${/SET GLOBAL gtid_slave_pos='([^']*)'/.exec(Buffer.from(tail).toString('latin1'))?.[1] || 'none'}`] : [];
    return { bytes, evidence: [`server ${inWords(server.version)}`, `${name} ${client.version.text} exit code 0`, `"${END_MARK}" seen`, ...position], warnings };
  }

  close(): Promise<void> {
    return this.#stream.close();
  }

  #what(): string {
    return `database ${this.#order.database.name} at ${serverName(this.#order.connection)}`;
  }

  #complaint(end: ProcessEnd, bytes: number, tail: Uint8Array): string | undefined {
    const { minimumBytes } = this.#order;
    const complaint = complaintAbout(end, bytes);
    if (complaint !== undefined) return complaint;
    if (!Buffer.from(tail).toString('latin1').trimEnd().endsWith(`\n${END_MARK}`)) return `wrote ${bytes} bytes that do not end with "${END_MARK}": the dump was cut`;
    return bytes < minimumBytes ? `wrote ${bytes} bytes, wanted at least ${minimumBytes}` : undefined;
  }

  async #failed(complaint: string, { startError }: ProcessEnd): Promise<HoldfastError> {
    const { group, name, said: tail } = this.#program;
    await group.kill();
    const said = tail.text();
    const known = knownSqlFailure(said, this.#order.connection);
    if (known !== undefined) return known;
    return new HoldfastError('source-failed', `${name} ${complaint} (${this.#what()}).${said === '' ? '' : ` It said: ${said}`}`, { nextStep: 'Nothing of this run is kept. Mend what it says, and start the backup again.', cause: startError });
  }
}
