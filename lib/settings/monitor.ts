import { settingsOf } from './environment.ts';
import type { Environment, ToJson } from './environment.ts';
import { CLUSTER, CONFIG, NETWORKS, STACK, TABLE, TOPIC, VAULTS } from './variables.ts';

const settings = settingsOf({ stackName: STACK, table: TABLE, configUrl: CONFIG, cluster: CLUSTER, networks: NETWORKS, vaults: VAULTS, topic: TOPIC });

/** Looks every five minutes after everything that does not look after itself; it dispatches what was missed. */
export type MonitorSettings = ReturnType<typeof settings.read>;

/** Fails as `config-invalid`. */
export function readMonitorSettings(environment: Environment): MonitorSettings {
  return settings.read(environment);
}

/** What the stack writes; see `Settings.write`. */
export function monitorEnvironment(values: MonitorSettings, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}
