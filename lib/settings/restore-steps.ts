import { settingsOf } from './environment.ts';
import type { Environment, ToJson } from './environment.ts';
import { CONFIG, NETWORKS, STACK, TABLE, TOPIC, VAULTS } from './variables.ts';

const settings = settingsOf({ stackName: STACK, table: TABLE, configUrl: CONFIG, networks: NETWORKS, vaults: VAULTS, topic: TOPIC });

/** The check, thaw and report steps of the restore workflow. */
export type RestoreStepsSettings = ReturnType<typeof settings.read>;

/** Fails as `config-invalid`. */
export function readRestoreStepsSettings(environment: Environment): RestoreStepsSettings {
  return settings.read(environment);
}

/** What the stack writes; see `Settings.write`. */
export function restoreStepsEnvironment(values: RestoreStepsSettings, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}
