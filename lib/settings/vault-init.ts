import type { DeployedConfig, DeployedRecipient } from './deployed.ts';
import { settingsOf } from './environment.ts';
import type { Environment, ToJson } from './environment.ts';
import { STACK, VAULTS } from './variables.ts';

const settings = settingsOf({ stackName: STACK, vaults: VAULTS });

/** Makes the vaults of a stack at deploy time. */
export type VaultInitSettings = ReturnType<typeof settings.read>;

/** Public halves of offline recipients by the name of their vault; a property of the resource, for an environment is too small for them. */
export type RecipientsOfVaults = Readonly<Record<string, readonly DeployedRecipient[]>>;

export function recipientsOfVaults({ vaults }: Pick<DeployedConfig, 'vaults'>): RecipientsOfVaults {
  return Object.fromEntries(vaults.flatMap(({ name, recipients = [] }) => (recipients.length === 0 ? [] : [[name, recipients]])));
}

/** Fails as `config-invalid`. */
export function readVaultInitSettings(environment: Environment): VaultInitSettings {
  return settings.read(environment);
}

/** What the stack writes; see `Settings.write`. */
export function vaultInitEnvironment(values: VaultInitSettings, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}
