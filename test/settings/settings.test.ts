import { isHoldfastError } from '../../lib/model/errors.ts';
import { dispatchEnvironment, readDispatchSettings } from '../../lib/settings/dispatch.ts';
import { monitorEnvironment, readMonitorSettings } from '../../lib/settings/monitor.ts';
import { notifyEnvironment, readNotifySettings } from '../../lib/settings/notify.ts';
import { readRestoreStepsSettings, restoreStepsEnvironment } from '../../lib/settings/restore-steps.ts';
import { readTaskStoppedSettings, taskStoppedEnvironment } from '../../lib/settings/task-stopped.ts';
import { readVaultInitSettings, vaultInitEnvironment } from '../../lib/settings/vault-init.ts';
import { RESTORE_VARIABLE, TASK_TOKEN_VARIABLE, backupTaskEnvironment, readWorkerSettings, workerEnvironment } from '../../lib/settings/worker.ts';

const VAULTS = { main: { bucket: 'b', prefix: '', keyArn: 'arn:aws:kms:eu-central-1:1:key/k' } };
const ALL = {
  stackName: 'prod', table: 'catalog', configUrl: 's3://assets/abc.json', cluster: 'arn:aws:ecs:eu-central-1:1:cluster/c', vaults: VAULTS,
  networks: { default: { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: true } },
  topic: 'arn:aws:sns:eu-central-1:1:alerts', slackWebhook: '${secret:slack#url}',
};

const DEPLOYABLES = {
  'dispatch': [dispatchEnvironment, readDispatchSettings],
  'monitor': [monitorEnvironment, readMonitorSettings],
  'notify': [notifyEnvironment, readNotifySettings],
  'restore steps': [restoreStepsEnvironment, readRestoreStepsSettings],
  'task-stopped': [taskStoppedEnvironment, readTaskStoppedSettings],
  'vault-init': [vaultInitEnvironment, readVaultInitSettings],
} as const satisfies Record<string, readonly [(values: typeof ALL) => Record<string, string>, (environment: Record<string, string>) => object]>;

const RUN = '01J0000000000000000000000A';

describe('settings of deployables', () => {
  it.each(Object.entries(DEPLOYABLES))('of %s read back what the stack writes', (_name, [write, read]) => {
    const environment = write(ALL);
    const values = read(environment);
    expect(values).toEqual(Object.fromEntries(Object.keys(values).map((key) => [key, ALL[key as keyof typeof ALL]])));
    expect(Object.keys(environment).every((name) => name.startsWith('HOLDFAST_'))).toBe(true);
    expect(Object.keys(values).length).toBe(Object.keys(environment).length);
  });

  it.each(Object.entries(DEPLOYABLES))('of %s name every variable that is missing', (_name, [write, read]) => {
    const message = messageOf(() => read({}));
    for (const name of Object.keys(write(ALL))) expect(message).toContain(`${name} is not set, wanted`);
  });

  it.each([
    ['HOLDFAST_CONFIG', 'https://assets/abc', 'HOLDFAST_CONFIG is "https://assets/abc", wanted the address of the deployed configuration, s3://bucket/key.'],
    ['HOLDFAST_STACK', '', 'HOLDFAST_STACK is empty, wanted the name of the stack.'],
    ['HOLDFAST_TOPIC', 'alerts', 'HOLDFAST_TOPIC is "alerts", wanted the ARN'],
    ['HOLDFAST_VAULTS', 'main', 'HOLDFAST_VAULTS is "main", wanted JSON: name of the vault'],
    ['HOLDFAST_VAULTS', '{"main":{"bucket":"b","prefix":"x","keyArn":"arn:k"}}', 'at main.prefix (empty, or ending in "/")'],
    ['HOLDFAST_NETWORKS', '{"default":{"subnets":[],"securityGroups":[],"assignPublicIp":true}}', 'at default.subnets'],
  ])('name the variable %s, the value and what was wanted', (name, value, message) => {
    expect(messageOf(() => readMonitorSettings({ ...monitorEnvironment(ALL), [name]: value }))).toContain(message);
  });

  it('write JSON by the function that a stack hands in, which knows values that are not there yet', () => {
    expect(vaultInitEnvironment(ALL, () => 'TOKENS')).toEqual({ HOLDFAST_STACK: 'prod', HOLDFAST_VAULTS: 'TOKENS' });
  });
});

const ORDER = {
  restoreId: 'R', backupId: RUN, planId: 'a'.repeat(32), planName: 'db', vault: 'main', targetName: 'staging', select: ['a/*'],
  target: { type: 'postgres', host: 'h', port: 5432, database: 'd', user: 'u', password: { kind: 'secrets-manager', name: 's', key: 'k' }, createDatabase: true },
};

describe('settings of the worker', () => {
  const common = workerEnvironment(ALL);
  const restore = { ...common, [RESTORE_VARIABLE]: JSON.stringify(ORDER), [TASK_TOKEN_VARIABLE]: 'token' };

  it('read a backup by its run', () => {
    expect(readWorkerSettings({ ...common, ...backupTaskEnvironment(RUN) })).toEqual({ stackName: 'prod', table: 'catalog', vaults: VAULTS, task: { kind: 'backup', runId: RUN } });
  });

  it('read a restore with its order and its token', () => {
    expect(readWorkerSettings(restore).task).toEqual({ kind: 'restore', order: ORDER, taskToken: 'token' });
  });

  it('refuse both at once and neither', () => {
    expect(messageOf(() => readWorkerSettings(common))).toContain('none is set, wanted exactly one');
    expect(messageOf(() => readWorkerSettings({ ...restore, ...backupTaskEnvironment(RUN) }))).toContain('HOLDFAST_RUN_ID and HOLDFAST_RESTORE are set, wanted exactly one');
  });

  it('refuse an order with a field that nobody knows, and with a target of another kind', () => {
    expect(messageOf(() => readWorkerSettings({ ...restore, [RESTORE_VARIABLE]: JSON.stringify({ ...ORDER, role: 'admin' }) }))).toContain('HOLDFAST_RESTORE');
    expect(messageOf(() => readWorkerSettings({ ...restore, [RESTORE_VARIABLE]: JSON.stringify({ ...ORDER, target: { type: 'command', command: 'rm' } }) }))).toContain('target.type');
  });

  it('never show the token', () => {
    expect(messageOf(() => readWorkerSettings({ ...restore, [TASK_TOKEN_VARIABLE]: '' }))).toContain('HOLDFAST_TASK_TOKEN is empty');
  });
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isHoldfastError(error, 'config-invalid')) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}
