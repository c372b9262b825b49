import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { HoldfastError } from '../model/errors.ts';
import { backupFamily, restoreFamily, verifyFamily, walFamily } from '../settings/ids.ts';

/** What a task is for. Who may start tasks may start those of a kind, however many there are: IAM counts the letters of a policy. */
export type TaskKind = 'backup' | 'restore' | 'verify' | 'wal';

const FAMILIES: Readonly<Record<TaskKind, (stackName: string, name: string) => string>> = { backup: backupFamily, restore: restoreFamily, verify: verifyFamily, wal: walFamily };

/** The family of the task for a plan, a target or a vault. ECS takes letters, digits, "_" and "-", 255 at most. */
export function taskFamily(scope: Construct, kind: TaskKind, name: string): string {
  const family = FAMILIES[kind](Stack.of(scope).stackName, name);
  if (/^[A-Za-z0-9_-]{1,255}$/.test(family)) return family;
  throw new HoldfastError('config-invalid', `The task family ${family} has ${family.length} characters, wanted letters, digits, "_" and "-", 255 at most.`, { nextStep: 'Shorten the name of the plan, the target or the stack.' });
}

/** All families of a kind. Those of a stack whose name goes on as this pattern does match as well; their roles do not. */
export function taskFamilies(scope: Construct, kind: TaskKind): string {
  return FAMILIES[kind](Stack.of(scope).stackName, '*');
}

/** The IAM path of the roles of a kind: no other stack and no other kind has a role there, for no name holds a slash. */
export function taskRolePath(scope: Construct, kind: TaskKind): string {
  return `/holdfast/${Stack.of(scope).stackName}/${kind}/`;
}
