import { createHash } from 'node:crypto';
import type { PlanId, WriterId } from '../model/ids.ts';

/**
 * In aws the ids of plans and of the writer follow from names, so that roles can be limited to their prefixes when the
 * template is made, and a stack that adopts a bucket of its predecessor goes on with its chains.
 */
export function stackPlanId(stackName: string, planName: string): PlanId {
  return idOf('plan', stackName, planName) as PlanId;
}

/** All plans of a stack are one writer: they reuse each other's packs (K3). */
export function stackWriterId(stackName: string): WriterId {
  return idOf('writer', stackName) as WriterId;
}

/** The family of a plan's task definition; workflows name the family, never a revision. */
export function backupFamily(stackName: string, planName: string): string {
  return `${stackName}-backup-${planName}`.replaceAll('.', '_');
}

export function restoreFamily(stackName: string, targetName: string): string {
  return `${stackName}-restore-${targetName}`.replaceAll('.', '_');
}

/** Reads backups of a vault back, as another role than those that write there (V4). */
export function verifyFamily(stackName: string, vaultName: string): string {
  return `${stackName}-verify-${vaultName}`.replaceAll('.', '_');
}

/** Receives the WAL of a plan around the clock. */
export function walFamily(stackName: string, planName: string): string {
  return `${stackName}-wal-${planName}`.replaceAll('.', '_');
}

/** The one container of every task. */
export const WORKER_CONTAINER = 'worker';

function idOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(['holdfast/1/aws', ...parts])).digest('hex').slice(0, 32);
}
