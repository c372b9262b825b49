import { HoldfastError, invariant } from '../model/errors.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../recovery/restore-database.ts';
import type { DatabaseRestorePlan } from '../recovery/restore-database.ts';
import type { RestoreStep } from '../recovery/ordered-restore.ts';
import type { SnapshotReader } from '../repository/index.ts';
import type { RestoreOrder } from '../settings/restore-order.ts';
import { loaderOf } from './loader-of.ts';
import type { RestoreFindings, RestoreTaskContext } from './restore-task.ts';

/**
 * Stages of a restore into a database that the configuration declares: into a new one, which gets its name when it is
 * whole, or into one that is there and empty. Never into one that holds something (R1).
 */
export async function databaseSteps({ target }: RestoreOrder, reader: SnapshotReader, found: RestoreFindings, context: RestoreTaskContext): Promise<RestoreStep[]> {
  invariant(target.type !== 'directory', 'a restore into a directory came to the database steps');
  const loader = await loaderOf(target, context);
  const wanted = { mode: target.createDatabase ? 'create' : 'empty' } as const;
  let plan: DatabaseRestorePlan | undefined;
  return [
    {
      name: 'restored',
      perform: async (progress, signal) => {
        plan = await planDatabaseRestore(reader, loader, { wanted, signal });
        const reports = await executeDatabaseRestore(plan, { clock: context.clock, signal, onProgress: ({ bytes, totalBytes }) => progress(bytes, totalBytes) });
        found.files = reports.length;
        found.bytes = reports.reduce((sum, { bytes }) => sum + bytes, 0);
        found.warnings.push(...reports.flatMap(({ warnings }) => warnings));
        found.tables = reports.flatMap(({ tables }) => tables);
      },
    },
    {
      name: 'validated',
      // Looked at anew, under the name that it has now: every table of the archive is there (R8); rows were counted.
      perform: async (_progress, signal) => {
        invariant(plan !== undefined, 'a restore is validated before it was done');
        for (const { description, missingTables } of plan.loads) {
          const missing = await missingTables(signal);
          if (missing.length > 0) throw new HoldfastError('damaged', `${missing.length} tables of the archive are not in the restored ${description}: ${missing.slice(0, 3).join(', ')}.`, { nextStep: 'Somebody changed the database meanwhile, or this is a bug in Holdfast. Do not use it; restore again into a new one.' });
        }
      },
    },
  ];
}
