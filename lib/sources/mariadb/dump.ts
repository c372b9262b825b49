import { closeSync, writeSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { nudgeReaders } from '../nudge.ts';
import { OutputTail } from '../output-tail.ts';
import { makePipe } from '../pipe.ts';
import { ProcessGroup } from '../process-group.ts';
import type { ProcessEnd } from '../process-group.ts';
import type { OpenStream, StreamProof, StreamSeen } from '../source.ts';
import { inWords, programName } from './client.ts';
import type { SqlClient } from './client.ts';
import { secretsOf, serverName } from './connection.ts';
import type { OpenedConnection, SqlConnection } from './connection.ts';
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
    const said = new OutputTail(secretsOf(connection));
    const position = hasPosition(order) ? ['--master-data=2', '--gtid'] : [];
    const program = [client.dump, opened.argument, ...OPTIONS, ...position, ...excludeTables.map((table) => `--ignore-table=${database.name}.${table}`), '--', database.name];
    const group = new ProcessGroup(program, { stdout: pipe.writeEnd, environment: opened.environment, folder: undefined, onStderr: (bytes) => said.add(bytes) }, clock);
    return new SqlDump(order, { group, said }, pipe.readEnd, signal);
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
  readonly #group: ProcessGroup;
  readonly #said: OutputTail;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => void this.#endReader();
  #isFinished = false;
  #isClosed = false;

  constructor(order: SqlDumpOrder, { group, said }: { readonly group: ProcessGroup; readonly said: OutputTail }, fd: number, signal: AbortSignal) {
    this.fd = fd;
    this.#order = order;
    this.#group = group;
    this.#said = said;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
    // What a failed wrapper leaves running would keep the pipe open and the reader waiting.
    void group.ended.then((end) => (end.code === 0 ? undefined : group.kill()));
  }

  async finish({ bytes, tail }: StreamSeen): Promise<StreamProof> {
    const { client, server, database } = this.#order;
    const end = await this.#group.ended;
    if (this.#signal.aborted) throw new HoldfastError('interrupted', `The dump of ${this.#what()} was stopped after ${bytes} bytes.`, { cause: this.#signal.reason });
    const complaint = this.#complaint(end, bytes, tail);
    if (complaint !== undefined) throw await this.#failed(complaint, end);
    this.#isFinished = true;
    const said = this.#said.text();
    const warnings = [
      ...(database.unprotected.length > 0 ? [`tables of ${database.name} that no transaction holds still, so that what is written to them during the dump may be half in it: ${database.unprotected.join(', ')}`] : []),
      ...(said === '' ? [] : [`${programName(client.dump)} said: ${said}`]),
    ];
    const position = hasPosition(this.#order) ? [`binary log position in its head, GTID ${/SET GLOBAL gtid_slave_pos='([^']*)'/.exec(Buffer.from(tail).toString('latin1'))?.[1] || 'none'}`] : [];
    return { bytes, evidence: [`server ${inWords(server.version)}`, `${programName(client.dump)} ${client.version.text} exit code 0`, `"${END_MARK}" seen`, ...position], warnings };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (!this.#isFinished) await this.#endReader();
    closeSync(this.fd);
    await this.#order.opened.remove();
  }

  async #endReader(): Promise<void> {
    await this.#group.kill();
    nudgeReaders(this.fd);
  }

  #what(): string {
    return `database ${this.#order.database.name} at ${serverName(this.#order.connection)}`;
  }

  #complaint({ code, signal, startError }: ProcessEnd, bytes: number, tail: Uint8Array): string | undefined {
    const { minimumBytes } = this.#order;
    if (startError) return `could not be started (${startError.code})`;
    if (signal !== null) return `was killed by ${signal} after ${bytes} bytes, wanted exit code 0`;
    if (code !== 0) return `ended with exit code ${code} after ${bytes} bytes, wanted 0`;
    if (!Buffer.from(tail).toString('latin1').trimEnd().endsWith(`\n${END_MARK}`)) return `wrote ${bytes} bytes that do not end with "${END_MARK}": the dump was cut`;
    return bytes < minimumBytes ? `wrote ${bytes} bytes, wanted at least ${minimumBytes}` : undefined;
  }

  async #failed(complaint: string, { startError }: ProcessEnd): Promise<HoldfastError> {
    await this.#group.kill();
    const { client, connection } = this.#order;
    const said = this.#said.text();
    const known = knownSqlFailure(said, connection);
    if (known !== undefined) return known;
    return new HoldfastError('source-failed', `${programName(client.dump)} ${complaint} (${this.#what()}).${said === '' ? '' : ` It said: ${said}`}`, { nextStep: 'Nothing of this run is kept. Mend what it says, and start the backup again.', cause: startError });
  }
}
