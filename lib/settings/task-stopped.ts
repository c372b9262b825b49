import { settingsOf } from './environment.ts';
import type { Environment, ToJson } from './environment.ts';
import { CLUSTER, STACK, TABLE, TOPIC, VAULTS } from './variables.ts';

const settings = settingsOf({ stackName: STACK, table: TABLE, cluster: CLUSTER, vaults: VAULTS, topic: TOPIC });

/** Hears from ECS that a task has ended and ends its run if nobody has. The vaults tell whether a commit arrived. */
export type TaskStoppedSettings = ReturnType<typeof settings.read>;

/** Fails as `config-invalid`. */
export function readTaskStoppedSettings(environment: Environment): TaskStoppedSettings {
  return settings.read(environment);
}

/** What the stack writes; see `Settings.write`. */
export function taskStoppedEnvironment(values: TaskStoppedSettings, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}
