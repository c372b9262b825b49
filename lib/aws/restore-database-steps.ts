import { HoldfastError, invariant } from '../model/errors.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../recovery/restore-database.ts';
import type { DatabaseRestoreOptions } from '../recovery/restore-database.ts';
import type { RestoreStep } from '../recovery/ordered-restore.ts';
import type { SnapshotReader } from '../repository/index.ts';
import type { RestoreOrder } from '../settings/restore-order.ts';
import { connectionOf } from './source-of.ts';
import type { RestoreFindings, RestoreTaskContext } from './restore-task.ts';

/**
 * Stages of a restore into a database that the configuration declares: into a new one, which gets its name when it is
 * whole, or into one that is there and empty. Never into one that holds something (R1).
 */
export async function databaseSteps({ target }: RestoreOrder, reader: SnapshotReader, found: RestoreFindings, context: RestoreTaskContext): Promise<RestoreStep[]> {
  invariant(target.type === 'postgres', 'a restore into a directory came to the database steps');
  const connection = await connectionOf(target, context.resolveSecret);
  const wanted = { connection, mode: target.createDatabase ? 'create' : 'empty' } as const;
  const options = (signal: AbortSignal): DatabaseRestoreOptions => ({ environment: context.commandEnvironment, temporaryFolder: context.scratchFolder, clock: context.clock, signal });
  return [
    {
      name: 'restored',
      perform: async (progress, signal) => {
        const plan = await planDatabaseRestore(reader, wanted, options(signal));
        const report = await executeDatabaseRestore(reader, plan, { ...options(signal), onProgress: ({ bytes, totalBytes }) => progress(bytes, totalBytes) });
        found.files = 1;
        found.bytes = report.bytes;
        found.warnings.push(...report.warnings);
        found.tables = report.tables;
      },
    },
    {
      name: 'validated',
      // Looked at anew, under the name that it has now: every table of the archive is there (R8); rows were counted.
      perform: async (_progress, signal) => {
        const { header, existing } = await planDatabaseRestore(reader, { connection, mode: 'clean' }, options(signal));
        const missing = missingTables(header.tables, existing.tables);
        if (missing.length > 0) throw new HoldfastError('damaged', `${missing.length} tables of the archive are not in the restored database ${connection.database}: ${missing.slice(0, 3).join(', ')}.`, { nextStep: 'Somebody changed the database meanwhile, or this is a bug in Holdfast. Do not use it; restore again into a new one.' });
      },
    },
  ];
}

/** `listed`: `schema name owner` without quotes, where each may hold spaces; `there`: `"schema"."name"`, quoted where needed. */
export function missingTables(listed: readonly string[], there: readonly string[]): string[] {
  const known = new Set(there.map((name) => name.replaceAll('""', '\0').replaceAll('"', '').replaceAll('\0', '"').replace('.', ' ')));
  return listed.filter((line) => {
    const words = line.split(' ');
    return !words.some((_, end) => known.has(words.slice(0, end).join(' ')));
  });
}
