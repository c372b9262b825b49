import * as z from 'zod';
import type { DeployedPlan } from './deployed.ts';
import { invalid, readOne, settingsOf } from './environment.ts';
import type { Environment, ToJson, Variable } from './environment.ts';
import { parseDeployedPlan } from './parse-deployed.ts';
import { restoreOrder } from './restore-order.ts';
import type { RestoreOrder } from './restore-order.ts';
import { verifyOrder } from './verify-order.ts';
import type { VerifyOrder } from './verify-order.ts';
import { RUN_ID, STACK, TABLE, TASK_TOKEN, VAULTS } from './variables.ts';

const settings = settingsOf({ stackName: STACK, table: TABLE, vaults: VAULTS });
const RESTORE: Variable<RestoreOrder> = { name: 'HOLDFAST_RESTORE', wanted: 'the order of a restore in JSON', schema: restoreOrder, isJson: true };
/** Not an override: a service starts its tasks as the template has them. References to secrets, and no secret. */
const WAL: Variable<string> = { name: 'HOLDFAST_WAL_PLAN', wanted: 'the plan whose WAL is received, in JSON', schema: z.string(), isJson: false };
const VERIFY: Variable<VerifyOrder> = { name: 'HOLDFAST_VERIFY', wanted: 'the order of a verification in JSON', schema: verifyOrder, isJson: true };

/** What every task definition carries. */
export type WorkerPlaces = ReturnType<typeof settings.read>;

/** A backup is named by its run, whose order lies in the catalog; the others bring their orders, a restore a token to answer with. WAL is received until the task is stopped. */
export type WorkerTask =
  | { readonly kind: 'backup'; readonly runId: string }
  | { readonly kind: 'verify'; readonly order: VerifyOrder }
  | { readonly kind: 'wal'; readonly plan: DeployedPlan }
  | { readonly kind: 'restore'; readonly order: RestoreOrder; readonly taskToken: string };

export interface WorkerSettings extends WorkerPlaces {
  readonly task: WorkerTask;
}

const TASKS: readonly (readonly [variable: string, read: (environment: Environment) => WorkerTask])[] = [
  [RUN_ID.name, (environment) => ({ kind: 'backup', runId: readOne(RUN_ID, environment) })],
  [WAL.name, (environment) => ({ kind: 'wal', plan: parseDeployedPlan(readOne(WAL, environment)) })],
  [VERIFY.name, (environment) => ({ kind: 'verify', order: readOne(VERIFY, environment) })],
  [RESTORE.name, (environment) => ({ kind: 'restore', order: readOne(RESTORE, environment), taskToken: readOne(TASK_TOKEN, environment) })],
];

/** Fails as `config-invalid`, also when it is not exactly one task that is asked for. */
export function readWorkerSettings(environment: Environment): WorkerSettings {
  const asked = TASKS.filter(([variable]) => environment[variable] !== undefined);
  const [only] = asked;
  if (only === undefined || asked.length > 1) throw invalid([`Of ${TASKS.map(([variable]) => variable).join(', ')} ${asked.length === 0 ? 'none is' : `${asked.map(([variable]) => variable).join(' and ')} are`} set, wanted exactly one of them.`]);
  return { ...settings.read(environment), task: only[1](environment) };
}

/** For the task definition: what is the same for every task of it. */
export function workerEnvironment(values: WorkerPlaces, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}

/** For the override of one task. The task token comes from Step Functions, as `TASK_TOKEN_VARIABLE`. */
export function backupTaskEnvironment(runId: string): Record<string, string> {
  return { [RUN_ID.name]: runId };
}

export function verifyTaskEnvironment(order: VerifyOrder): Record<string, string> {
  return { [VERIFY.name]: JSON.stringify(order) };
}

export function walTaskEnvironment(plan: DeployedPlan): Record<string, string> {
  return { [WAL.name]: JSON.stringify(plan) };
}

export const RESTORE_VARIABLE = RESTORE.name;
export const TASK_TOKEN_VARIABLE = TASK_TOKEN.name;
