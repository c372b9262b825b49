import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { DeployedNetworks } from '../settings/deployed.ts';
import type { VaultPlaces } from '../settings/variables.ts';
import type { Alerts } from './alerts.ts';
import type { CatalogTable } from './catalog-table.ts';
import type { ProcessorArchitecture } from './stack-input.ts';
import type { Vault } from './vault.ts';
import type { WorkerFleet } from './worker-fleet.ts';

/** What the functions of the control plane work on: handed to each of them whole, used by each in its own part. */
export interface ControlPlane {
  readonly functions: string;
  readonly architecture: ProcessorArchitecture;
  readonly table: CatalogTable;
  readonly alerts: Alerts;
  readonly fleet: WorkerFleet;
  readonly vaults: readonly Vault[];
  readonly config: Asset;
  readonly networks: DeployedNetworks;
}

/** Values for the environments, as lib/settings names them. */
export function environmentValues(plane: ControlPlane, stack: Stack): { stackName: string; table: string; configUrl: string; cluster: string; networks: DeployedNetworks; vaults: VaultPlaces; topic: string } {
  return {
    stackName: stack.stackName,
    table: plane.table.table.tableName,
    configUrl: `s3://${plane.config.s3BucketName}/${plane.config.s3ObjectKey}`,
    cluster: plane.fleet.cluster.attrArn,
    networks: plane.networks,
    vaults: placesOf(plane.vaults),
    topic: plane.alerts.topic.topicArn,
  };
}

export function placesOf(vaults: readonly Vault[]): VaultPlaces {
  return Object.fromEntries(vaults.map((vault) => [vault.vaultName, vault.place]));
}

/** The one object that holds this deploy's configuration. */
export function grantConfig(role: IRole, { config }: ControlPlane): void {
  const stack = Stack.of(config);
  role.addToPrincipalPolicy(new PolicyStatement({
    actions: ['s3:GetObject'],
    resources: [stack.formatArn({ service: 's3', region: '', account: '', resource: config.s3BucketName, resourceName: config.s3ObjectKey, arnFormat: ArnFormat.SLASH_RESOURCE_NAME })],
  }));
}
