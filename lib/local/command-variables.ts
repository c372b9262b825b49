import type { Environment } from './places.ts';
import type { VaultChoice } from './vault-choice.ts';

/** Variables that a command may read out and print into its backup or its messages. */
const OUR_SECRETS = /^HOLDFAST_(PASSPHRASE|DATABASE_PASSWORD)/;

/** What a command of a plan gets to see of this process's environment: all but what is a secret of Holdfast or of `holdfast.yaml`. */
export function commandVariables({ variables }: Pick<Environment, 'variables'>, { secretVariables }: Pick<VaultChoice, 'secretVariables'>): Environment['variables'] {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !isSecret(name, secretVariables)));
}

/** The values of those that it does not see, so that they are seen in no message either. */
export function secretValues({ variables }: Pick<Environment, 'variables'>, { secretVariables }: Pick<VaultChoice, 'secretVariables'>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => (isSecret(name, secretVariables) && value !== undefined && value !== '' && !name.endsWith('FILE') ? [value] : []));
}

function isSecret(name: string, secretVariables: readonly string[] | undefined): boolean {
  return OUR_SECRETS.test(name) || secretVariables?.includes(name) === true;
}
