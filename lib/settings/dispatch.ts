import { settingsOf } from './environment.ts';
import type { Environment, ToJson } from './environment.ts';
import { CLUSTER, CONFIG, NETWORKS, STACK, TABLE } from './variables.ts';

const settings = settingsOf({ stackName: STACK, table: TABLE, configUrl: CONFIG, cluster: CLUSTER, networks: NETWORKS });

/** Claims an occurrence, admits its run and starts the task. */
export type DispatchSettings = ReturnType<typeof settings.read>;

/** Fails as `config-invalid`. */
export function readDispatchSettings(environment: Environment): DispatchSettings {
  return settings.read(environment);
}

/** What the stack writes; see `Settings.write`. */
export function dispatchEnvironment(values: DispatchSettings, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}
