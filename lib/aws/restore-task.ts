import type { Catalog } from '../catalog/catalog.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import { display } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { checkRestored } from '../recovery/check-restored.ts';
import { performOrderedRestore } from '../recovery/ordered-restore.ts';
import type { RestoreStep } from '../recovery/ordered-restore.ts';
import { partOf } from '../recovery/part.ts';
import { executeRestore, outcomeOf, planRestore } from '../recovery/restore.ts';
import type { TableCount } from '../recovery/restore-database.ts';
import type { RestorePlan, RestoreReport } from '../recovery/restore.ts';
import type { TaskResult } from '../recovery/workflow/states.ts';
import { SnapshotReader, names } from '../repository/index.ts';
import type { RestoreOrder } from '../settings/restore-order.ts';
import type { VaultPlaces } from '../settings/variables.ts';
import { leftOutInWords, sameEntries } from './left-out-words.ts';
import { databaseSteps } from './restore-database-steps.ts';
import { openStackVault, placeOf } from './stack-vault.ts';
import type { VaultClients } from './stack-vault.ts';

export interface RestoreTaskContext extends VaultClients {
  readonly vaults: VaultPlaces;
  readonly catalog: Pick<Catalog, 'listRestores' | 'recordRestore'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly scratchFolder: string;
  /** What client programs may see of this process's environment. */
  readonly commandEnvironment: Readonly<Record<string, string>>;
  /** Told when a database is restored: its tables, for the log. */
  readonly onTables?: (tables: readonly TableCount[]) => void;
  /** Where the restore worker's bundle lies. */
  readonly restoreEntry: URL;
  readonly resolveSecret: (reference: SecretReference) => Promise<string>;
  /** False when nobody waits any more. */
  readonly heartbeat: () => Promise<boolean>;
  readonly heartbeatMs?: number;
  readonly onTrouble: (error: HoldfastError) => void;
}

/** What the steps of one kind of target found, gathered for the answer. */
export interface RestoreFindings {
  files: number;
  bytes: number;
  /** Entries of a directory that were there already, as in the backup. */
  same?: number;
  readonly warnings: string[];
  /** Of a database: every table with its rows, counted after the restore. */
  tables?: readonly TableCount[];
}

/** Read back after a restore (R8); a larger tree is sampled. */
const CHECKED_BYTES = 64 * 2 ** 30;
const SHOWN_WARNINGS = 20;

/** Restores what the order says and answers with what came back; throws what kept it from that. */
export async function performRestoreTask(order: RestoreOrder, context: RestoreTaskContext): Promise<TaskResult> {
  const { repository } = await openStackVault(placeOf(order.vault, context.vaults), context);
  const reader = partOf(await SnapshotReader.open(repository, names.snapshot(order.planId, order.backupId)), order.part);
  const found: RestoreFindings = { files: 0, bytes: 0, warnings: [] };
  const steps = order.target.type === 'directory' ? directorySteps(order, reader, found, context) : await databaseSteps(order, reader, found, context);
  await performOrderedRestore(order, steps, {
    ...context,
    heartbeat: async () => {
      if (!(await context.heartbeat())) throw new HoldfastError('stale', 'Nobody waits for this restore any more: its execution ended or was stopped.', { nextStep: 'Look at the execution in Step Functions; start a new one.' });
    },
  });
  const { files, bytes, same = 0, warnings, tables } = found;
  if (tables) context.onTables?.(tables);
  return { state: warnings.length > 0 ? 'warnings' : 'completed', files, bytes, ...(same > 0 && { same }), warnings: warnings.slice(0, SHOWN_WARNINGS) };
}

function directorySteps({ target, select }: RestoreOrder, reader: SnapshotReader, found: RestoreFindings, { clock, restoreEntry }: RestoreTaskContext): RestoreStep[] {
  const path = target.type === 'directory' ? target.path : '';
  let report: RestoreReport | undefined;
  return [
    {
      name: 'restored',
      perform: async (progress, signal) => {
        const plan = await planRestore(reader, { target: path, patterns: select, overwrite: 'never', signal });
        refuseNothing(plan);
        const total = plan.totals.create.bytes;
        report = await executeRestore(reader, plan, { clock, workerUrl: restoreEntry, restoreOwner: false, signal, onProgress: ({ bytes }) => progress(bytes, total) });
        refuseLoss(report);
        found.files = report.restored.files;
        found.bytes = report.restored.bytes;
        found.same = sameEntries(report);
        found.warnings.push(...report.warnings, ...leftOutInWords(report));
      },
    },
    {
      name: 'validated',
      perform: async (progress, signal) => {
        const except = new Set(report?.refused.map(({ path: refused }) => refused) ?? []);
        for (const { path: skipped } of report?.skipped ?? []) except.add(skipped);
        const { problems, unchecked } = await checkRestored(reader, path, { patterns: select, except, maximumBytes: CHECKED_BYTES, signal, onProgress: (done) => progress(done, found.bytes) });
        if (problems.length > 0) throw new HoldfastError('damaged', `${problems.length} restored files are not what the backup holds: ${problems.slice(0, 3).join('; ')}.`, { nextStep: 'Something else writes to the target, or its disk is bad. Restore into an empty directory.' });
        if (unchecked > 0) found.warnings.push(`${unchecked} files were restored and not read again: the check reads ${CHECKED_BYTES / 2 ** 30} GiB`);
      },
    },
  ];
}

/** A pattern that is mistyped must not look like a restore that went well. */
function refuseNothing({ backup, patterns, totals, treeDamage }: RestorePlan): void {
  const isNothing = Object.values(totals).every(({ entries }) => entries === 0);
  if (isNothing && patterns.length > 0 && treeDamage.length === 0) throw new HoldfastError('not-found', `Nothing in the backup ${backup} matches ${patterns.join(' ')}.`, { nextStep: `Patterns start at the top of the backup: \`holdfast ls ${backup} --aws STACK\` shows it. Nothing was restored.` });
}

/** What the vault could not give back ends the restore as failed; what is restored stays. */
function refuseLoss(report: RestoreReport): void {
  const outcome = outcomeOf(report);
  if (outcome === undefined || outcome === 'target-exists') return;
  const [first] = report.refused;
  throw new HoldfastError(outcome, `${report.refused.length} entries could not be restored${first ? `, such as ${display(first.path)}: ${first.reason}` : ''}.`, { nextStep: 'What could be restored stands in the target. `holdfast verify --aws STACK --level full` shows what is damaged.' });
}
