import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { fromText } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { makeMissingFolders } from '../model/make-missing-folders.ts';
import { catalogError } from './sqlite-errors.ts';
import { MIGRATIONS } from './sqlite-schema.ts';

export type Row = Readonly<Record<string, unknown>>;
export type Values = readonly SQLInputValue[];

/** How long a statement waits for another process; transactions here take a few milliseconds. */
const BUSY_TIMEOUT_MILLISECONDS = 5_000;

export interface SqliteOptions {
  /** 5,000 when absent. */
  readonly busyTimeoutMilliseconds?: number;
}

/**
 * One database file, opened at the first statement and not before: most commands never need it. Every failure comes
 * out as a HoldfastError that names the file.
 */
export class SqliteConnection {
  readonly #file: string;
  readonly #timeout: number;
  readonly #statements = new Map<string, StatementSync>();
  #database: DatabaseSync | undefined;

  constructor(file: string, options: SqliteOptions = {}) {
    this.#file = file;
    this.#timeout = options.busyTimeoutMilliseconds ?? BUSY_TIMEOUT_MILLISECONDS;
  }

  /** Number of rows changed. */
  run(sql: string, values: Values = []): number {
    return this.#guarded(() => Number(this.#statement(sql).run(...values).changes));
  }

  rows(sql: string, values: Values = []): Row[] {
    return this.#guarded(() => this.#statement(sql).all(...values));
  }

  row(sql: string, values: Values = []): Row | undefined {
    return this.#guarded(() => this.#statement(sql).get(...values));
  }

  /** All of `work` or nothing. Takes the write lock at once: a read that becomes a write could fail halfway as busy. */
  transaction<T>(work: () => T): T {
    return this.#guarded(() => inTransaction(this.#open(), work));
  }

  close(): void {
    this.#statements.clear();
    this.#database?.close();
    this.#database = undefined;
  }

  #statement(sql: string): StatementSync {
    const database = this.#open();
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #open(): DatabaseSync {
    if (this.#database !== undefined) return this.#database;
    createPrivately(this.#file);
    const database = new DatabaseSync(this.#file, { timeout: this.#timeout, enableForeignKeyConstraints: true });
    try {
      // NORMAL: a power cut may lose the last transactions, never the file; the vault has everything that matters.
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
      migrate(database, this.#file);
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
    return database;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw catalogError(this.#file, error);
    }
  }
}

/** Readable by its owner alone: the catalog knows paths and names that the vault keeps sealed. */
function createPrivately(file: string): void {
  if (file === ':memory:') return;
  try {
    makeMissingFolders(fromText(dirname(file)), 0o700);
    closeSync(openSync(file, 'a', 0o600));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new HoldfastError(code === 'ENOSPC' ? 'no-space' : 'permission', `The catalog ${file} cannot be opened: ${code ?? String(cause)}, wanted a file that this user may write.`, {
      cause, nextStep: 'Check that it is a file, and owner and mode of it and of its folder.',
    });
  }
}

function migrate(database: DatabaseSync, file: string): void {
  if (versionOf(database) === MIGRATIONS.length) return;
  // Asked again under the lock: another process may have been migrating just now.
  inTransaction(database, () => {
    const version = versionOf(database);
    if (version > MIGRATIONS.length) {
      throw new HoldfastError('unsupported-version', `The catalog ${file} has schema version ${version}, wanted at most ${MIGRATIONS.length}: a newer Holdfast wrote it.`, {
        nextStep: 'Use that newer Holdfast, or remove the file and run `holdfast catalog rebuild`.',
      });
    }
    for (const sql of MIGRATIONS.slice(version)) database.exec(sql);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
}

function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // Some failures (disk full, corruption) have rolled back already; a second ROLLBACK would hide the first error.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
