import { CfnService } from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import type { ResolvedStackPlan, ResolvedWal } from '../config/resolved-aws.ts';
import type { DeployedPlan } from '../settings/deployed.ts';
import { walTaskEnvironment } from '../settings/worker.ts';
import type { ControlPlane } from './control-plane.ts';
import { grantSecrets, secretsIn } from './secret-grants.ts';
import { WorkerTask } from './worker-task.ts';

export interface WalReceiverProps {
  readonly plan: ResolvedStackPlan & { readonly wal: ResolvedWal };
  readonly deployed: DeployedPlan;
  readonly plane: ControlPlane;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Receives the WAL of one plan around the clock (S2, R4): a service that keeps one task running, which ECS starts again when
 * it ends. A deploy stops the old task before it starts the new one, because two cannot share a slot. That nothing arrives is told by
 * the monitor, from the notes that the task stores.
 */
export class WalReceiver extends Construct {
  constructor(scope: Construct, id: string, { plan, deployed, plane, environment }: WalReceiverProps) {
    super(scope, id);
    const task = new WorkerTask(this, 'Task', {
      fleet: plane.fleet,
      kind: 'wal',
      name: plan.name,
      description: `receives the WAL of plan ${plan.name}`,
      size: plan.wal.receiver.task,
      environment: { ...environment, ...walTaskEnvironment(deployed) },
      mounts: plan.mounts.map((mount) => ({ ...mount, isWritten: false })),
    });
    plane.vaults.find(({ vaultName }) => vaultName === plan.vault.name)?.access.grantReceiving(task.role, { plan: deployed.planId });
    grantSecrets(task.role, secretsIn(plan.source));
    const service = this.#service(task, plan, plane);
    // Its rights come before its first task, and the right to pull the image before that.
    service.node.addDependency(task.role, plane.fleet.starter);
  }

  #service(task: WorkerTask, { network }: ResolvedStackPlan, { fleet, networks }: ControlPlane): CfnService {
    const { subnets, securityGroups, assignPublicIp } = networks[network] as ControlPlane['networks'][string];
    return new CfnService(this, 'Service', {
      cluster: fleet.cluster.attrArn,
      taskDefinition: task.definitionArn,
      launchType: 'FARGATE',
      desiredCount: 1,
      deploymentConfiguration: { minimumHealthyPercent: 0, maximumPercent: 100 },
      networkConfiguration: { awsvpcConfiguration: { subnets: [...subnets], securityGroups: [...securityGroups], assignPublicIp: assignPublicIp ? 'ENABLED' : 'DISABLED' } },
      propagateTags: 'TASK_DEFINITION',
      enableExecuteCommand: false,
    });
  }
}
