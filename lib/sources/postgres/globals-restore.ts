import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, DatabaseLoad, LoadRequest, LoadedDatabase } from '../database-loader.ts';
import { serverName } from './connection.ts';
import { GLOBALS } from './globals.ts';
import { parseGlobals } from './globals-script.ts';
import type { GlobalsStatement } from './globals-script.ts';
import type { PostgresLoaderOptions } from './loader-options.ts';
import { query } from './query.ts';
import type { Session } from './query.ts';
import { serverVersion } from './server-version.ts';
import { withSession } from './with-session.ts';

export interface BackedUpGlobals {
  readonly script: string;
  readonly bytes: number;
}

/** It is read whole: a role takes some hundred bytes. */
const LARGEST = 64 * 2 ** 20;

export async function globalsIn(content: BackupContent): Promise<BackedUpGlobals | undefined> {
  for await (const file of content.files(GLOBALS)) {
    if (display(file.path) !== GLOBALS) continue;
    if (file.bytes > LARGEST) throw new HoldfastError('unsupported', `${GLOBALS} has ${file.bytes} bytes, wanted at most ${LARGEST}.`, { nextStep: `Restore it by hand: \`holdfast cat ${content.backup} ${GLOBALS} | psql\`.` });
    const parts: Uint8Array[] = [];
    for await (const part of file.read()) parts.push(part);
    return { script: Buffer.concat(parts).toString('utf8'), bytes: file.bytes };
  }
  return undefined;
}

/**
 * Roles of a backup that the server does not have, with their settings and memberships, in one transaction. What is there
 * already is left as it is and named; with `clean` it gets the attributes of the backup, too. Tablespaces are left out.
 */
export class GlobalsRestore {
  readonly #options: PostgresLoaderOptions;
  readonly #globals: BackedUpGlobals;

  constructor(options: PostgresLoaderOptions, globals: BackedUpGlobals) {
    this.#options = options;
    this.#globals = globals;
  }

  async plan({ mode }: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad> {
    const { connection } = this.#options;
    const { script, bytes } = this.#globals;
    const statements = parseGlobals(script);
    return withSession(connection, this.#options, signal, async (session) => {
      const there = await rolesThere(session);
      const kept = statements.filter((statement) => isWanted(statement, there, mode));
      const present = [...new Set(statements.flatMap(({ kind, role }) => (kind === 'role' && role !== undefined && there.has(role) ? [role] : [])))];
      const tablespaces = statements.filter(({ text }) => text.startsWith('CREATE TABLESPACE ')).length;
      const server = await serverVersion(session);
      return {
        mode, description: `roles at ${serverName(connection)}`, entry: GLOBALS, bytes, place: `roles at ${serverName(connection)}`, into: `the roles of ${serverName(connection)}`,
        archive: { server: /^-- Dumped from database version (\S+)/m.exec(script)?.[1] ?? 'unknown', dumpedBy: /^-- Dumped by pg_dumpall version (\S+)/m.exec(script)?.[1] ?? 'unknown', database: 'roles' },
        client: session.client.version.text, server: server.text, existing: { objects: present.length, tables: present },
        warnings: [
          ...(present.length > 0 && mode !== 'clean' ? [`roles that are there already were left as they are: ${present.join(', ')}`] : []),
          ...(tablespaces > 0 ? [`${tablespaces} tablespaces are not made: their folders belong to the server that was backed up`] : []),
        ],
        perform: ({ signal: stop }) => this.#perform(kept, stop),
        missingTables: () => Promise.resolve([]),
      };
    });
  }

  async #perform(statements: readonly GlobalsStatement[], signal: AbortSignal): Promise<LoadedDatabase> {
    const { connection } = this.#options;
    const text = ['begin;', ...statements.map((statement) => statement.text), 'commit;'].join('\n');
    await withSession(connection, this.#options, signal, (session) => query(session, text)).catch((cause: unknown) => {
      const error = cause as HoldfastError;
      if (error.code === 'interrupted') throw error;
      throw new HoldfastError('target-failed', `The roles of ${GLOBALS} could not be made at ${serverName(connection)}, and none was: ${error.message}`, { nextStep: 'The user needs CREATEROLE, for superusers SUPERUSER. Or make them by hand, and name the databases to restore one by one.', cause });
    });
    return { bytes: this.#globals.bytes, tables: [], warnings: [] };
  }
}

function isWanted({ kind, role, text }: GlobalsStatement, there: ReadonlySet<string>, mode: LoadRequest['mode']): boolean {
  if (kind === 'tablespace') return false;
  if (kind === 'setting') return true;
  if (role === undefined || !there.has(role)) return true;
  return mode === 'clean' && !text.startsWith('CREATE ROLE ');
}

async function rolesThere(session: Session): Promise<ReadonlySet<string>> {
  return new Set((await query(session, 'select rolname from pg_roles')).map(([name = '']) => name));
}
