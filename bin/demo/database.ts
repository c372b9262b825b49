import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';

/** Inserts one row after another, in WAL mode, until it is killed: what a backup meets in real life. */
const WRITER = `
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(process.argv[1], { timeout: 5000 });
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT, total REAL)');
  const insert = database.prepare('INSERT INTO orders (item, total) VALUES (?, ?)');
  setInterval(() => { for (let row = 0; row < 50; row++) insert.run('item ' + Math.random().toString(36), Math.random() * 100); }, 5);
`;

export interface LiveDatabase {
  rows(): number;
  stop(): Promise<void>;
}

/** Starts a process that keeps writing to a new database; ready when the first rows are there. */
export async function startWriting(path: string): Promise<LiveDatabase> {
  const child = spawn(process.execPath, ['--no-warnings', '-e', WRITER, path], { stdio: ['ignore', 'ignore', 'inherit'] });
  while (!existsSync(path) || rowsOf(path) < 1000) await sleep(20);
  return {
    rows: () => rowsOf(path),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

/** SQLite's own word about a database: `ok`, and how many rows without a gap it holds. */
export function inspect(path: string): { readonly integrity: string; readonly rows: number; readonly isGapless: boolean } {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const [check] = Object.values(database.prepare('PRAGMA integrity_check').get() ?? {});
    const { rows, last } = database.prepare('SELECT count(*) AS rows, max(id) AS last FROM orders').get() as { rows: number; last: number };
    return { integrity: String(check), rows, isGapless: rows === last };
  } finally {
    database.close();
  }
}

function rowsOf(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    return (database.prepare("SELECT coalesce(max(id), 0) AS last FROM orders").get() as { last: number }).last;
  } catch (error) {
    // The writer has not made the table yet.
    if ((error as { code?: string }).code === 'ERR_SQLITE_ERROR') return 0;
    throw error;
  } finally {
    database.close();
  }
}
