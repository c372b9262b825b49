import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { NamedRestoreTarget, ResolvedStackPlan } from '../config/resolved-aws.ts';
import type { TaskSize } from '../settings/deployed.ts';
import { stackWriterId } from '../settings/ids.ts';
import type { ControlPlane } from './control-plane.ts';
import { grantSecrets, secretsIn } from './secret-grants.ts';
import { bucketsOf, grantSourceBucket } from './source-buckets.ts';
import { grantSourceServices } from './source-services.ts';
import type { Vault } from './vault.ts';
import { WorkerTask } from './worker-task.ts';

interface TaskProps {
  readonly plane: ControlPlane;
  readonly environment: Readonly<Record<string, string>>;
}

/** The task of a plan: it writes below its own names in its own vault, and reads its own secrets. */
export function backupTask(scope: Construct, { plan, planId, plane, environment }: TaskProps & { readonly plan: ResolvedStackPlan; readonly planId: string }): WorkerTask {
  const { stackName } = Stack.of(scope);
  const task = new WorkerTask(scope, `Plan ${plan.name}`, {
    fleet: plane.fleet,
    kind: 'backup',
    name: plan.name,
    description: `backups of plan ${plan.name}`,
    size: plan.task,
    environment,
    mounts: plan.mounts.map((mount) => ({ ...mount, isWritten: false })),
  });
  plane.vaults.find(({ vaultName }) => vaultName === plan.vault.name)?.access.grantWriting(task.role, { writer: stackWriterId(stackName), plan: planId });
  plane.table.grantLedger(task.role);
  grantSecrets(task.role, secretsIn(plan.source));
  for (const bucket of bucketsOf(plan.source)) grantSourceBucket(task.role, bucket);
  grantSourceServices(task.role, plan.source);
  return task;
}

/** Reads backups of a vault back, with rights that no writer has (V4), and heals older ones with what a run stored anew (V1). As large as the largest plan that writes there. */
export function verifyTask(scope: Construct, { vault, sizes, plane, environment }: TaskProps & { readonly vault: Vault; readonly sizes: readonly TaskSize[] }): WorkerTask {
  const task = new WorkerTask(scope, `Verify ${vault.vaultName}`, {
    fleet: plane.fleet,
    kind: 'verify',
    name: vault.vaultName,
    description: `reads backups in vault ${vault.vaultName} back`,
    // Of Fargate's sizes, those with more CPU have more memory as well.
    size: [...sizes].sort((a, b) => b.cpu - a.cpu || b.memoryMiB - a.memoryMiB)[0] as TaskSize,
    environment,
    mounts: [],
  });
  vault.access.grantVerifying(task.role);
  vault.access.grantHealing(task.role, { writer: stackWriterId(Stack.of(scope).stackName) });
  plane.table.grantLedger(task.role);
  return task;
}

/** The task of a declared target: it reads every vault of the stack, and writes to that target alone. */
export function restoreTask(scope: Construct, { target: { name, target, task: size }, plane, environment }: TaskProps & { readonly target: NamedRestoreTarget }): WorkerTask {
  const task = new WorkerTask(scope, `Restore ${name}`, {
    fleet: plane.fleet,
    kind: 'restore',
    name,
    description: `restores to ${name}`,
    size,
    environment,
    mounts: target.type === 'directory' ? target.mounts.map((mount) => ({ ...mount, isWritten: true })) : [],
  });
  for (const vault of plane.vaults) vault.access.grantRestoring(task.role);
  plane.table.grantLedger(task.role);
  grantSecrets(task.role, secretsIn(target));
  return task;
}
