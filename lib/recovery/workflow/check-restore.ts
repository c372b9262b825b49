import type { Catalog } from '../../catalog/catalog.ts';
import type { BackupRecord } from '../../catalog/records.ts';
import { HoldfastError } from '../../model/errors.ts';
import { checkFitness, declaredTarget } from './decide-restore.ts';
import type { DeclaredTarget } from './decide-restore.ts';
import { restoreIdOf } from './restore-id.ts';
import { parseRestoreRequest } from './restore-request.ts';
import type { RestoreRequest } from './restore-request.ts';
import type { Checked, Execution, RestoreTask } from './states.ts';

export interface CheckPorts {
  readonly catalog: Pick<Catalog, 'getBackup' | 'recordRestore'>;
  readonly targets: readonly DeclaredTarget[];
  readonly networks: Readonly<Record<string, NetworkPlace>>;
  /** The family of the task definition of a target. */
  readonly familyOf: (targetName: string) => string;
  /** The vault of this stack in which the snapshot lies; undefined when none has it. */
  readonly vaultOf: (backup: Pick<BackupRecord, 'planId' | 'backupId'>) => Promise<string | undefined>;
  readonly now: () => number;
}

export interface NetworkPlace {
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  readonly assignPublicIp: boolean;
}

/**
 * The first state of the workflow. Everything that the task will be told is decided here from what was deployed and what
 * the vault holds; the person who started it chose only among that. Callable again: the same execution writes the same
 * record. Fails as `usage`, `refused`, `not-found`, `config-invalid`; then nothing was written.
 */
export async function checkRestore({ execution, input }: { readonly execution: Execution; readonly input: unknown }, ports: CheckPorts): Promise<Checked> {
  const startedAt = ports.now();
  const request = parseRestoreRequest(input);
  const target = declaredTarget(request, ports.targets);
  const backup = await ports.catalog.getBackup(request.backup);
  checkFitness(backup, target, request);
  const vault = await ports.vaultOf(backup);
  if (vault === undefined) throw notInVault(backup);
  const { backupId, planId, planName, bytes } = backup;
  const restoreId = restoreIdOf(execution.id);
  const task = taskFor({ restoreId, backup, vault, target, request }, ports);
  await ports.catalog.recordRestore({
    restoreId, backupId, target: target.name, state: 'running', startedAt: Date.parse(execution.startTime), files: 0, bytes: 0,
    stages: [{ name: 'checked', state: 'done', startedAt, finishedAt: ports.now() }],
  });
  return { restoreId, backupId, planId, planName, vault, targetName: target.name, bytes, task };
}

/** All of a task's overrides may have 8,192 characters; the token that is added has about 1,000. */
const MAX_ORDER_CHARACTERS = 6000;

interface Decision {
  readonly restoreId: string;
  readonly backup: BackupRecord;
  readonly vault: string;
  readonly target: DeclaredTarget;
  readonly request: RestoreRequest;
}

function taskFor({ restoreId, backup, vault, target, request }: Decision, { networks, familyOf }: CheckPorts): RestoreTask {
  const network = networks[target.network];
  if (network === undefined) {
    throw new HoldfastError('config-invalid', `The network "${target.network}" of target "${target.name}" is not deployed, wanted one of ${Object.keys(networks).join(', ')}.`, { nextStep: 'Deploy the stack again.' });
  }
  const { backupId, planId, planName } = backup;
  const order = JSON.stringify({ restoreId, backupId, planId, planName, vault, targetName: target.name, target: target.target, ...(request.part !== undefined && { part: request.part }), select: request.select });
  if (order.length > MAX_ORDER_CHARACTERS) {
    throw new HoldfastError('usage', `The order of this restore has ${order.length} characters, wanted at most ${MAX_ORDER_CHARACTERS}: "select" is too long.`, { nextStep: 'Select by fewer or shorter patterns, or restore the whole folder above them.' });
  }
  return {
    family: familyOf(target.name),
    networkConfiguration: { AwsvpcConfiguration: { Subnets: network.subnets, SecurityGroups: network.securityGroups, AssignPublicIp: network.assignPublicIp ? 'ENABLED' : 'DISABLED' } },
    order,
  };
}

function notInVault({ backupId, planName }: BackupRecord): HoldfastError {
  return new HoldfastError('not-found', `The backup ${backupId} of plan ${planName} is in the catalog and in no vault of this stack.`, {
    nextStep: 'Make the catalog again from the vaults with `holdfast catalog rebuild --aws STACK`, and take a backup that it lists. Nothing was restored.',
  });
}
