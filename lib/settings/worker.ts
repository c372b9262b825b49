import { invalid, readOne, settingsOf } from './environment.ts';
import type { Environment, ToJson, Variable } from './environment.ts';
import { restoreOrder } from './restore-order.ts';
import type { RestoreOrder } from './restore-order.ts';
import { RUN_ID, STACK, TABLE, TASK_TOKEN, VAULTS } from './variables.ts';

const settings = settingsOf({ stackName: STACK, table: TABLE, vaults: VAULTS });
const RESTORE: Variable<RestoreOrder> = { name: 'HOLDFAST_RESTORE', wanted: 'the order of a restore in JSON', schema: restoreOrder, isJson: true };

/** What every task definition carries. */
export type WorkerPlaces = ReturnType<typeof settings.read>;

/** A backup is named by its run, whose order lies in the catalog; a restore brings its order and a token to answer with. */
export type WorkerTask =
  | { readonly kind: 'backup'; readonly runId: string }
  | { readonly kind: 'restore'; readonly order: RestoreOrder; readonly taskToken: string };

export interface WorkerSettings extends WorkerPlaces {
  readonly task: WorkerTask;
}

/** Fails as `config-invalid`, also when both a backup and a restore are asked for, or neither. */
export function readWorkerSettings(environment: Environment): WorkerSettings {
  const isBackup = environment[RUN_ID.name] !== undefined;
  const isRestore = environment[RESTORE.name] !== undefined;
  if (isBackup === isRestore) throw invalid([`${RUN_ID.name} and ${RESTORE.name} are ${isBackup ? 'both' : 'both not'} set, wanted exactly one of them.`]);
  const task: WorkerTask = isBackup
    ? { kind: 'backup', runId: readOne(RUN_ID, environment) }
    : { kind: 'restore', order: readOne(RESTORE, environment), taskToken: readOne(TASK_TOKEN, environment) };
  return { ...settings.read(environment), task };
}

/** For the task definition: what is the same for every task of it. */
export function workerEnvironment(values: WorkerPlaces, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}

/** For the override of one task. The task token comes from Step Functions, as `TASK_TOKEN_VARIABLE`. */
export function backupTaskEnvironment(runId: string): Record<string, string> {
  return { [RUN_ID.name]: runId };
}

export const RESTORE_VARIABLE = RESTORE.name;
export const TASK_TOKEN_VARIABLE = TASK_TOKEN.name;
