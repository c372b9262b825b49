import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CfnOutput, Stack, Stage } from 'aws-cdk-lib';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { Construct } from 'constructs';
import { HoldfastError } from '../model/errors.ts';
import type { DeployedNetworks, DeployedPlan } from '../settings/deployed.ts';
import { recipientsOfVaults } from '../settings/vault-init.ts';
import { STACK_OUTPUTS } from '../settings/outputs.ts';
import { workerEnvironment } from '../settings/worker.ts';
import { Alerts } from './alerts.ts';
import { backupTask, restoreTask, verifyTask } from './tasks.ts';
import { CatalogTable } from './catalog-table.ts';
import { environmentValues } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';
import { DeadLetters } from './dead-letters.ts';
import { Dispatch } from './dispatch.ts';
import { EventTriggers } from './event-triggers.ts';
import { explainWildcards } from './explained-wildcards.ts';
import { announceFixedCosts } from './fixed-costs.ts';
import { KeyWatch } from './key-watch.ts';
import { refuseTooMany } from './limits.ts';
import { Monitor } from './monitor.ts';
import { Network } from './network.ts';
import { Notify } from './notify.ts';
import { RestoreWorkflow } from './restore-workflow.ts';
import { Schedules } from './schedules.ts';
import type { ProcessorArchitecture, StackCode, StackInput } from './stack-input.ts';
import { Vault } from './vault.ts';
import { VaultInit } from './vault-init.ts';
import { WalReceiver } from './wal-receiver.ts';
import { WorkerFleet } from './worker-fleet.ts';

export interface HoldfastStackProps {
  readonly stackName: string;
  readonly input: StackInput;
  readonly code: StackCode;
  readonly architecture: ProcessorArchitecture;
  /** False only for stacks that are thrown away, such as those of tests. */
  readonly terminationProtection: boolean;
}

/**
 * All of Holdfast in one account and region, for one `holdfast.yaml`. Nothing in it has a name of its own but task
 * families and the group of schedules, so several live beside each other. Vaults and catalog outlive it.
 */
export class HoldfastStack extends Stack {
  constructor(scope: Construct, id: string, { stackName, input, code, architecture, terminationProtection }: HoldfastStackProps) {
    // Indented, the template of 70 plans would be longer than CloudFormation takes.
    super(scope, id, { stackName, terminationProtection, analyticsReporting: false, suppressTemplateIndentation: true, description: 'Holdfast: backup and disaster recovery' });
    const { resolved, deployed } = input;
    refuseNothing(resolved, stackName);
    const vaults = resolved.vaults.map((vault) => new Vault(this, `Vault ${vault.name}`, vault));
    const plane: ControlPlane = {
      functions: code.functions,
      architecture,
      table: new CatalogTable(this, 'Catalog'),
      alerts: new Alerts(this, 'Alerts', resolved.notifications),
      fleet: new WorkerFleet(this, 'Workers', { image: code.image, architecture }),
      vaults,
      config: this.#configAsset(deployed),
      networks: this.#networks(input),
    };
    const environment = workerEnvironment(environmentValues(plane, this), (value) => this.toJsonString(value));
    for (const plan of resolved.plans) {
      const own = deployed.plans.find(({ name }) => name === plan.name) as DeployedPlan;
      backupTask(this, { plan, plane, environment, planId: own.planId });
      if (plan.wal) new WalReceiver(this, `Wal ${plan.name}`, { plan: { ...plan, wal: plan.wal }, deployed: own, plane, environment });
    }
    for (const vault of vaults) {
      const sizes = resolved.plans.filter((plan) => plan.vault.name === vault.vaultName).map(({ task }) => task);
      if (sizes.length > 0) verifyTask(this, { vault, sizes, plane, environment });
    }
    const restores = resolved.restoreTargets.map((target) => restoreTask(this, { target, plane, environment }));

    const deadLetters = new DeadLetters(this, 'DeadLetters', plane.alerts.topic);
    const { dispatch } = new Dispatch(this, 'Runs', { plane, failures: deadLetters.failures });
    new Schedules(this, 'Schedules', { plans: deployed.plans, dispatch: dispatch.function, undelivered: deadLetters.undelivered });
    new EventTriggers(this, 'Events', { plans: deployed.plans, dispatch: dispatch.function, undelivered: deadLetters.undelivered });
    new Monitor(this, 'Monitoring', { plane, failures: deadLetters.failures });
    if (resolved.notifications.slackWebhook) new Notify(this, 'Notifying', { plane, failures: deadLetters.failures, slackWebhook: resolved.notifications.slackWebhook });
    new KeyWatch(this, 'Keys', { keys: vaults.map(({ key }) => key.keyArn), topic: plane.alerts.topic });
    const { machine } = new RestoreWorkflow(this, 'Restores', { plane, tasks: restores, failures: deadLetters.failures });
    new VaultInit(this, 'VaultInit', { functions: code.functions, architecture, vaults, recipients: recipientsOfVaults(deployed) });
    this.#outputs({ ...environmentValues(plane, this), dispatch: dispatch.function.functionName, restoreMachine: machine.stateMachineArn });
    refuseTooMany(this, resolved);
    explainWildcards(this);
    announceFixedCosts(this, resolved);
  }

  /** Named by the hash of what it says, so that a run under way can still read the one it was started with. */
  #configAsset(deployed: StackInput['deployed']): Asset {
    const path = join((Stage.of(this) as Stage).assetOutdir, `holdfast-${this.stackName}.json`);
    writeFileSync(path, JSON.stringify(deployed));
    return new Asset(this, 'Config', { path });
  }

  #networks({ resolved }: StackInput): DeployedNetworks {
    return Object.fromEntries(Object.entries(resolved.networks).map(([name, network]) => [name, new Network(this, `Network ${name}`, network).place]));
  }

  #outputs(values: ReturnType<typeof environmentValues> & { readonly dispatch: string; readonly restoreMachine: string }): void {
    const texts: Record<string, string> = {
      [STACK_OUTPUTS.table]: values.table,
      [STACK_OUTPUTS.vaults]: this.toJsonString(values.vaults),
      [STACK_OUTPUTS.configUrl]: values.configUrl,
      [STACK_OUTPUTS.dispatch]: values.dispatch,
      [STACK_OUTPUTS.restoreWorkflow]: values.restoreMachine,
      [STACK_OUTPUTS.topic]: values.topic,
      // For people and for rigs.
      HoldfastCluster: values.cluster,
      HoldfastNetworks: this.toJsonString(values.networks),
      HoldfastRegion: this.region,
    };
    for (const [name, value] of Object.entries(texts)) new CfnOutput(this, name, { value });
  }
}

/** A file for the local runtime would deploy a control plane that controls nothing. */
function refuseNothing({ vaults }: StackInput['resolved'], stackName: string): void {
  if (vaults.length > 0) return;
  throw new HoldfastError('config-invalid', `The configuration of stack ${stackName} has no vault with "aws", wanted at least one.`, { nextStep: 'Describe a vault as in examples/aws/holdfast.yaml: `vaults: { main: { aws: {} } }`.' });
}
