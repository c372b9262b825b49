import { settingsOf } from './environment.ts';
import type { Environment, ToJson } from './environment.ts';
import { STACK, VAULTS } from './variables.ts';

const settings = settingsOf({ stackName: STACK, vaults: VAULTS });

/** Makes the vaults of a stack at deploy time. */
export type VaultInitSettings = ReturnType<typeof settings.read>;

/** Fails as `config-invalid`. */
export function readVaultInitSettings(environment: Environment): VaultInitSettings {
  return settings.read(environment);
}

/** What the stack writes; see `Settings.write`. */
export function vaultInitEnvironment(values: VaultInitSettings, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}
