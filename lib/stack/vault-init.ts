import { join } from 'node:path';
import { CustomResource, Duration, FileSystem, Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { vaultInitEnvironment } from '../settings/vault-init.ts';
import type { RecipientsOfVaults } from '../settings/vault-init.ts';
import { placesOf } from './control-plane.ts';
import { DeployedFunction } from './deployed-function.ts';
import type { ProcessorArchitecture } from './stack-input.ts';
import type { Vault } from './vault.ts';

export interface VaultInitProps {
  readonly functions: string;
  readonly architecture: ProcessorArchitecture;
  readonly vaults: readonly Vault[];
  /** Offline recipients by the name of their vault. A change of them asks the function again. */
  readonly recipients: RecipientsOfVaults;
}

/** Makes what a new vault needs before its first backup: key slots, then `holdfast.json`, then the recovery kit. Deleting it deletes nothing. Construct it last. */
export class VaultInit extends Construct {
  readonly init: DeployedFunction;

  constructor(scope: Construct, id: string, { functions, architecture, vaults, recipients }: VaultInitProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const places = placesOf(vaults);
    this.init = new DeployedFunction(this, 'Init', {
      name: 'vault-init',
      functions,
      architecture,
      description: 'makes vaults while a stack is deployed',
      environment: vaultInitEnvironment({ stackName: stack.stackName, vaults: places }, (value) => stack.toJsonString(value)),
      timeout: Duration.minutes(3),
    });
    for (const vault of vaults) vault.access.grantCreating(this.init.role);
    // With another program it is asked again: that brings the recovery kit of every vault up to date.
    const properties = { Vaults: places, ...(Object.keys(recipients).length > 0 && { Recipients: recipients }), Program: FileSystem.fingerprint(join(functions, 'vault-init')) };
    const made = new CustomResource(this, 'Vaults', { resourceType: 'Custom::HoldfastVaults', serviceToken: this.init.function.functionArn, properties, serviceTimeout: Duration.minutes(5) });
    // After all else: rights, rules of the buckets and keys, or the first write is refused; and whatever fails in a first
    // deploy fails while the buckets are empty, so that its roll-back can take them away again.
    made.node.addDependency(this.init, ...stack.node.children.filter((child) => child !== this));
  }
}
