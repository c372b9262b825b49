import { invariant } from '../model/errors.ts';
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
  ];
}
