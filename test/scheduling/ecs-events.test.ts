import { stoppedTaskOf } from '../../lib/scheduling/ecs-events.ts';
import { mayBeStartedAgain, stopError } from '../../lib/scheduling/stop-reasons.ts';
import { windowEnded } from '../../lib/scheduling/wait-reasons.ts';

const RUN = '01KT438XG01E3D4DEW2QQ3G8JJ';
const ARN = 'arn:aws:ecs:us-west-2:111122223333:task/holdfast/b99d40b3-5176-4f71-9a52-9dbd6f1cebef';

/** Shaped as the ECS developer guide shows the event, with the fields of a Fargate task. */
function event(detail: object, container: object = {}): object {
  return {
    version: '0', id: '3317b2af-7005-947d-b652-f55e762e571a', 'detail-type': 'ECS Task State Change', source: 'aws.ecs', account: '111122223333', time: '2026-06-02T12:00:00Z', region: 'us-west-2', resources: [ARN],
    detail: {
      attachments: [{ id: '1789bcae', type: 'eni', status: 'DELETED', details: [{ name: 'subnetId', value: 'subnet-abcd1234' }] }],
      availabilityZone: 'us-west-2c', capacityProviderName: 'FARGATE', clusterArn: 'arn:aws:ecs:us-west-2:111122223333:cluster/holdfast', connectivity: 'CONNECTED', cpu: '256', createdAt: '2026-06-02T11:58:00Z', desiredStatus: 'STOPPED',
      containers: [{ containerArn: `${ARN}/c`, lastStatus: 'STOPPED', name: 'worker', image: '123456789012.dkr.ecr.us-west-2.amazonaws.com/worker', networkInterfaces: [], cpu: '256', ...container }],
      group: 'family:holdfast-backup-shop', lastStatus: 'STOPPED', launchType: 'FARGATE', memory: '512',
      overrides: { containerOverrides: [{ name: 'worker', environment: [{ name: 'HOLDFAST_RUN_ID', value: RUN }] }] },
      platformVersion: '1.4.0', startedBy: RUN, taskArn: ARN, taskDefinitionArn: 'arn:aws:ecs:us-west-2:111122223333:task-definition/holdfast-backup-shop:3', updatedAt: '2026-06-02T12:00:00Z', version: 4,
      ...detail,
    },
  };
}

describe('the event that a task has stopped', () => {
  it('names the run and how its task ended', () => {
    const value = event({ stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited' }, { exitCode: 137, reason: 'OutOfMemoryError: Container killed due to memory usage' });
    expect(stoppedTaskOf(value)).toEqual({
      runId: RUN,
      task: { taskArn: ARN, status: 'stopped', stopCode: 'EssentialContainerExited', exitCode: 137, reason: 'Essential container in task exited; OutOfMemoryError: Container killed due to memory usage' },
    });
  });

  it('is nobody\'s while the task still runs, and of a task that works on no run', () => {
    expect(stoppedTaskOf(event({ lastStatus: 'RUNNING' }))).toBeUndefined();
    expect(stoppedTaskOf(event({ overrides: { containerOverrides: [] }, startedBy: 'AWS Step Functions' }))).toBeUndefined();
  });

  it('finds the run by who started the task when the overrides are not told', () => {
    expect(stoppedTaskOf(event({ overrides: {} }))).toMatchObject({ runId: RUN });
    const redacted = { containerOverrides: [{ name: 'worker', environment: [{ name: 'HOLDFAST_RUN_ID', value: 'HIDDEN_DUE_TO_SECURITY_REASONS' }] }] };
    expect(stoppedTaskOf(event({ overrides: redacted }))).toMatchObject({ runId: RUN });
  });

  it('is refused when it is something else', () => {
    expect(() => stoppedTaskOf({ source: 'aws.s3', detail: {} })).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('what ECS says of a stopped task, in plain words', () => {
  it.each([
    [{ stopCode: 'EssentialContainerExited', exitCode: 137, reason: 'OutOfMemoryError: Container killed due to memory usage' }, 'ran out of memory', 'interrupted'],
    [{ stopCode: 'EssentialContainerExited', exitCode: 137 }, 'was killed (exit code 137)', 'interrupted'],
    [{ stopCode: 'SpotInterruption', exitCode: 143, reason: 'Your Spot Task was interrupted.' }, 'taken back by Fargate Spot', 'interrupted'],
    [{ stopCode: 'TerminationNotice', exitCode: 143, reason: 'Task was stopped for scheduled maintenance' }, 'retired its host', 'interrupted'],
    [{ stopCode: 'TaskFailedToStart', reason: 'CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref' }, 'could not pull its image', 'not-found'],
    [{ stopCode: 'TaskFailedToStart', reason: 'ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm' }, 'could not read a secret', 'permission'],
    [{ stopCode: 'EssentialContainerExited', exitCode: 1, reason: 'write /scratch/x: no space left on device' }, 'filled its disk', 'no-space'],
    [{ stopCode: 'TaskFailedToStart', reason: 'Timeout waiting for network interface provisioning to complete.' }, 'was not given a machine', 'unavailable'],
    [{ stopCode: 'UserInitiated', exitCode: 130, reason: 'Task stopped by user' }, 'was stopped', 'interrupted'],
    [{ stopCode: 'EssentialContainerExited', exitCode: 2 }, 'could not read its configuration', 'config-invalid'],
    [{ stopCode: 'EssentialContainerExited', exitCode: 11 }, 'could not open the vault', 'wrong-key'],
    [{ stopCode: 'EssentialContainerExited', exitCode: 12 }, 'found damage', 'damaged'],
    [{ stopCode: 'EssentialContainerExited', exitCode: 77 }, 'ended (EssentialContainerExited; exit code 77)', 'interrupted'],
  ])('%j: %s', (task, words, code) => {
    const error = stopError({ taskArn: ARN, status: 'stopped', ...task });
    expect(error.message).toContain(words);
    expect(error.code).toBe(code);
    expect(error.nextStep).toBeTruthy();
  });

  it('lets only a task that never ran, for lack of something that comes back, be started again', () => {
    const again = (task: object) => mayBeStartedAgain({ taskArn: ARN, status: 'stopped', ...task });
    expect(again({ stopCode: 'TaskFailedToStart', reason: 'Capacity is unavailable at this time.' })).toBe(true);
    expect(again({ stopCode: 'TaskFailedToStart', reason: 'CannotPullContainerError: not found' })).toBe(false);
    // "denied" holds the letters of ENI, and registries say "insufficient_scope" of what nobody may pull.
    expect(again({ stopCode: 'TaskFailedToStart', reason: 'ResourceInitializationError: unable to pull secrets: AccessDeniedException: User is not authorized' })).toBe(false);
    expect(again({ stopCode: 'TaskFailedToStart', reason: 'CannotPullContainerError: pull access denied, insufficient_scope: authorization failed' })).toBe(false);
    expect(again({ stopCode: 'TaskFailedToStart', reason: 'RESOURCE:ENI' })).toBe(true);
    expect(again({ stopCode: 'EssentialContainerExited', exitCode: 1, reason: 'throttled' })).toBe(false);
    expect(again({ stopCode: 'UserInitiated', reason: 'no capacity, said somebody' })).toBe(false);
  });
});

describe('why a run did not start within its window', () => {
  const waited = (waitingFor?: string) => windowEnded({ planName: 'shop', vault: 'main', queuedAt: 0, startBy: 3_600_000, attempts: 4, ...(waitingFor !== undefined && { waitingFor }) });
  it.each([
    ["You've reached the limit on the number of vCPUs you can run concurrently", 'Fargate On-Demand vCPU resource count'],
    ['RESOURCE:ENI', 'Network interfaces per Region'],
    ['InsufficientFreeAddressesInSubnet', 'larger or more subnets'],
    ['ThrottlingException: Rate exceeded', 'Rate of Fargate On-Demand task launches'],
    ['RequestLimitExceeded: too many', 'Rate of Fargate On-Demand task launches'],
    ['Capacity is unavailable at this time. Please try again later or in a different availability zone', 'availability zones'],
    ['something new', 'See what ECS said'],
    ['AccessDenied', 'See what ECS said'],
  ])('%s: the next step names %s', (said, step) => {
    expect(waited(said)).toMatchObject({ code: 'unavailable', message: expect.stringContaining(`ECS said last, at attempt 4: ${said}`), nextStep: expect.stringContaining(step) });
  });

  it('is the limit of the vault when ECS was never asked', () => {
    expect(waited()).toMatchObject({ message: expect.stringContaining('other runs held every place in the vault'), nextStep: expect.stringContaining('max-concurrent-runs') });
  });
});
