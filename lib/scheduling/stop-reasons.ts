import type { ErrorCode } from '../model/errors.ts';
import { HoldfastError } from '../model/errors.ts';
import type { TaskState } from './task-launcher.ts';
import { isLackOfCapacity } from './wait-reasons.ts';

interface StopRow {
  readonly matches: (task: TaskState) => boolean;
  readonly code: ErrorCode;
  /** Ends the sentence "The task of the run ...". */
  readonly what: string;
  readonly nextStep: string;
}

const says = (words: RegExp) => (task: TaskState): boolean => words.test(`${task.stopCode ?? ''} ${task.reason ?? ''}`);
const exits = (code: number) => (task: TaskState): boolean => task.exitCode === code;
const LOG = 'Read the log of the task (`holdfast runs show RUN --aws STACK` says where it is); the last line says what failed.';

const NO_MACHINE: StopRow = { matches: (task) => task.exitCode === undefined && isLackOfCapacity(task.reason ?? ''), code: 'unavailable', what: 'was not given a machine', nextStep: 'Add subnets in other availability zones to the network of the plan, or check the Fargate quotas.' };

/**
 * What ECS says of a task that has ended, in plain words. The first row that matches; the words are those of "Stopped
 * tasks error messages" and "Amazon ECS API failure reasons" in the ECS developer guide, the exit codes are the CLI's.
 */
const STOPS: readonly StopRow[] = [
  { matches: says(/OutOfMemory/i), code: 'interrupted', what: 'ran out of memory and was killed', nextStep: 'Raise `memory` of the `task` of the plan.' },
  { matches: says(/SpotInterruption|Spot Task was interrupted/i), code: 'interrupted', what: 'was taken back by Fargate Spot', nextStep: 'The next run reuses what is stored. Nothing to do unless it lasts.' },
  { matches: says(/TerminationNotice|InfrastructureHealth|retire|maintenance|host (is )?unhealthy/i), code: 'interrupted', what: 'ended because AWS retired its host', nextStep: 'The next run reuses what is stored. Start the plan again now if it may not wait.' },
  { matches: says(/CannotPull|pull image|manifest unknown|image .*(not found|does not exist)|ImageNotFound/i), code: 'not-found', what: 'could not pull its image', nextStep: 'Check that the image of the worker is in its registry and that the network of the plan reaches it (a public address, NAT, or endpoints for ECR and S3); then deploy.' },
  { matches: says(/ResourceInitializationError.*(secret|ssm|parameter)|unable to (pull|retrieve) secret/is), code: 'permission', what: 'could not read a secret before it began', nextStep: 'Check that the secret exists, that the role of the task may read it, and that the network reaches Secrets Manager.' },
  { matches: says(/no space left|disk full|ENOSPC/i), code: 'no-space', what: 'filled its disk', nextStep: 'Raise `disk` of the `task` of the plan (21 to 180 GiB).' },
  NO_MACHINE,
  { matches: says(/ResourceInitializationError|CannotStartContainer|CannotCreateContainer|TaskFailedToStart/i), code: 'unavailable', what: 'could not be set up', nextStep: 'See what ECS said; most often the network of the plan cannot reach ECR, S3 or CloudWatch Logs.' },
  { matches: says(/UserInitiated/), code: 'interrupted', what: 'was stopped', nextStep: 'Nothing is kept of this run but what the next one reuses. Start the plan again when that was not meant.' },
  { matches: exits(137), code: 'interrupted', what: 'was killed (exit code 137), most often for lack of memory', nextStep: 'Raise `memory` of the `task` of the plan.' },
  { matches: exits(139), code: 'broken-invariant', what: 'crashed (exit code 139)', nextStep: LOG },
  { matches: exits(143), code: 'interrupted', what: 'was told to stop (exit code 143)', nextStep: 'Start the plan again when that was not meant.' },
  { matches: exits(130), code: 'interrupted', what: 'was interrupted by a signal', nextStep: 'Start the plan again when that was not meant.' },
  { matches: exits(1), code: 'source-failed', what: 'failed (exit code 1)', nextStep: LOG },
  { matches: exits(2), code: 'config-invalid', what: 'could not read its configuration (exit code 2)', nextStep: `${LOG} Then correct holdfast.yaml and deploy.` },
  { matches: exits(10), code: 'vault-not-found', what: 'found no vault (exit code 10)', nextStep: 'Check that the bucket of the vault is there; `cdk deploy` makes it.' },
  { matches: exits(11), code: 'wrong-key', what: 'could not open the vault (exit code 11)', nextStep: 'Check the KMS key of the vault: that it is enabled and that the role of the task may use it.' },
  { matches: exits(12), code: 'damaged', what: 'found damage in the vault (exit code 12)', nextStep: 'Run `holdfast verify` on the vault before anything is removed from it.' },
  { matches: exits(13), code: 'busy', what: 'found what it needs held by something else (exit code 13)', nextStep: 'The next run tries again. If it lasts, look for a second run on the same source.' },
  { matches: exits(0), code: 'interrupted', what: 'ended without saying how its run went', nextStep: LOG },
];

/** Why a stopped task's run has failed. The reason is ECS's own, which never holds a secret. */
export function stopError(task: TaskState): HoldfastError {
  const row = STOPS.find(({ matches }) => matches(task)) ?? { code: 'interrupted', what: 'ended', nextStep: LOG };
  const details = [task.stopCode, task.reason, task.exitCode === undefined ? undefined : `exit code ${task.exitCode}`].filter((part) => part !== undefined && part !== '');
  const said = details.length === 0 ? '' : ` (${details.join('; ')})`;
  return new HoldfastError(row.code, `The task of the run ${row.what}${said}.`, { nextStep: row.nextStep, retryable: false });
}

/** A task that never ran for lack of something that comes back: its run may wait for another one. */
export function mayBeStartedAgain(task: TaskState): boolean {
  return task.stopCode !== 'UserInitiated' && STOPS.find(({ matches }) => matches(task)) === NO_MACHINE;
}
