import { stackPlanId, stackWriterId } from '../../lib/settings/ids.ts';
import { readWorkerSettings } from '../../lib/settings/worker.ts';
import { ACTIONS_WITHOUT_RESOURCES, EXPLAINED_WILDCARDS, flat } from '../../lib/stack/explained-wildcards.ts';
import { billedByTheHour, monthlyCost } from '../../lib/stack/monthly-cost.ts';
import { IDLE } from '../../lib/stack/cost-docs.ts';
import { isAllowed } from '../support/iam-evaluate.ts';
import { REGION, arnOf, bucketPolicy, onlyOne, resolved, roleOf } from '../support/stack/deployed-names.ts';
import { RECEIVING, ofType, templateOf } from '../support/stack/synthesize.ts';

const template = templateOf({ yaml: RECEIVING });
const bucketId = onlyOne(template, 'AWS::S3::Bucket');
const bucket = arnOf(template, bucketId);
const rules = bucketPolicy(template, bucketId);
const cluster = stackPlanId('shop', 'cluster');
const orders = stackPlanId('shop', 'orders');
const RECEIVER = 'receives the WAL of plan cluster';

const serviceId = onlyOne(template, 'AWS::ECS::Service');
const service = template.Resources[serviceId]!;
const definition = ofType(template, 'AWS::ECS::TaskDefinition').find(([id]) => id === service.Properties['TaskDefinition'].Ref)![1];
const task = resolved(template, definition.Properties);

describe('a service that receives WAL around the clock (S2, R4)', () => {
  test('keeps one task running and never two: a deploy stops the old one first', () => {
    expect(service.Properties).toMatchObject({ DesiredCount: 1, LaunchType: 'FARGATE', DeploymentConfiguration: { MinimumHealthyPercent: 0, MaximumPercent: 100 }, EnableExecuteCommand: false, PropagateTags: 'TASK_DEFINITION' });
    expect(resolved(template, service.Properties['Cluster'])).toBe(arnOf(template, onlyOne(template, 'AWS::ECS::Cluster')));
    expect(service.Properties['NetworkConfiguration'].AwsvpcConfiguration).toMatchObject({ AssignPublicIp: 'ENABLED', Subnets: [{ Ref: expect.any(String) }, { Ref: expect.any(String) }] });
  });

  test('starts it when it has its rights', () => {
    const { logicalId } = roleOf(template, RECEIVER);
    const policies = ofType(template, 'AWS::IAM::Policy').filter(([, { Properties }]) => Properties['Roles'][0].Ref === logicalId).map(([id]) => id);
    expect((service as unknown as { DependsOn: string[] }).DependsOn).toEqual(expect.arrayContaining([logicalId, ...policies]));
  });

  test('runs the worker, small, with the plan in its environment and no secret', () => {
    expect(task).toMatchObject({ Family: 'shop-wal-cluster', Cpu: '256', Memory: '512', EphemeralStorage: { SizeInGiB: 21 } });
    const [container] = task.ContainerDefinitions;
    expect(container).toMatchObject({ Name: 'worker', ReadonlyRootFilesystem: true, StopTimeout: 120, LinuxParameters: { Capabilities: { Drop: ['ALL'] } } });
    const environment = Object.fromEntries((container.Environment as { Name: string; Value: string }[]).map(({ Name, Value }) => [Name, Value]));
    expect(readWorkerSettings(environment).task).toMatchObject({ kind: 'wal', plan: { name: 'cluster', planId: cluster, source: { type: 'postgres-physical', password: { kind: 'secrets-manager', name: 'shop/cluster' } }, wal: { freshnessMs: 900_000, receiver: { slot: 'holdfast_cluster', partialEveryMs: 60_000 } } } });
    expect(container.Secrets).toBeUndefined();
  });

  test('takes size, slot and pace from the plan', () => {
    const asked = templateOf({ yaml: RECEIVING.replace('wal-receiver: {}', 'wal-receiver: { cpu: 512, memory: 2 GiB, disk: 100 GiB, slot: my_slot, partial-every: 30s }') });
    const [, found] = ofType(asked, 'AWS::ECS::TaskDefinition').find(([, { Properties }]) => Properties['Family'] === 'shop-wal-cluster')!;
    expect(found.Properties).toMatchObject({ Cpu: '512', Memory: '2048', EphemeralStorage: { SizeInGiB: 100 } });
    expect(JSON.stringify(found.Properties['ContainerDefinitions'])).toMatch(/slot[^}]*my_slot[^}]*partialEveryMs[^}]*30000/);
  });

  test('is not there for a plan that does not ask for it', () => {
    expect(ofType(templateOf(), 'AWS::ECS::Service')).toEqual([]);
  });
});

describe('the role that receives WAL (C6, K7), decided by its policies and the bucket\'s', () => {
  const { arn: principal, statements: identity } = roleOf(template, RECEIVER);
  const can = (action: string, name: string, more: Record<string, string> = {}) => isAllowed({ action, resource: name === '' ? bucket : `${bucket}/${name}`, principal, context: { 'aws:SecureTransport': 'true', ...(action === 's3:PutObject' && { 's3:if-none-match': '*' }), ...more } }, { identity, resource: rules });

  test.each([
    ['s3:PutObject', `wal/${cluster}/7/00000001/000000010000000000000001`, true],
    ['s3:PutObject', `wal-kept/${cluster}/n`, true],
    ['s3:GetObject', 'holdfast.json', true],
    ['s3:GetObject', 'keys/1/s.json', true],
    ['s3:GetObject', `wal/${cluster}/7/00000001/x`, true],
    // A note whose answer was lost is compared, as everything is.
    ['s3:GetObject', `wal-kept/${cluster}/n`, true],
    ['s3:PutObject', `wal/${orders}/7/00000001/x`, false],
    ['s3:PutObject', `wal-kept/${orders}/n`, false],
    ['s3:GetObject', `wal/${orders}/7/00000001/x`, false],
    ['s3:PutObject', `snapshots/${cluster}/b`, false],
    ['s3:PutObject', `packs/hot/${stackWriterId('shop')}/ab/x`, false],
    ['s3:PutObject', 'keys/1/s.json', false],
    ['s3:GetObject', `snapshots/${cluster}/b`, false],
    ['s3:GetObject', `packs/hot/${stackWriterId('shop')}/ab/x`, false],
    ['s3:GetObject', `packs/meta/${stackWriterId('shop')}/ab/x`, false],
    ['s3:DeleteObject', `wal/${cluster}/7/00000001/x`, false],
    ['s3:DeleteObject', `wal-kept/${cluster}/n`, false],
    ['s3:ListBucket', '', false],
  ])('%s %s: %s', (action, name, expected) => {
    expect(can(action, name)).toBe(expected);
  });

  test('lists key slots and its own WAL, and nothing else', () => {
    for (const prefix of ['keys/', 'keys/1/', `wal/${cluster}/7/00000001/`]) expect(can('s3:ListBucket', '', { 's3:prefix': prefix })).toBe(true);
    for (const prefix of ['', 'snapshots/', 'wal/', `wal/${orders}/`]) expect(can('s3:ListBucket', '', { 's3:prefix': prefix })).toBe(false);
  });

  test('opens the vault for WAL, reads its own secret, and has no right to tasks, tables and topics', () => {
    const key = arnOf(template, Object.keys(template.Resources).find((id) => /^Vaultmain.*Key/.test(id)) as string);
    const decrypts = (scope: string) => isAllowed({ action: 'kms:Decrypt', resource: key, principal, context: { 'kms:EncryptionContext:holdfast:scope': scope } }, { identity });
    expect([decrypts('all'), decrypts('other')]).toEqual([true, false]);
    const secret = (name: string) => isAllowed({ action: 'secretsmanager:GetSecretValue', resource: `arn:aws:secretsmanager:${REGION}:111122223333:secret:${name}-AbCdEf`, principal }, { identity });
    expect([secret('shop/cluster'), secret('shop/orders-db')]).toEqual([true, false]);
    expect(new Set(identity.flatMap(({ Action }) => Action))).toEqual(new Set(['s3:PutObject', 's3:GetObject', 's3:ListBucket', 'kms:GenerateDataKey', 'kms:Decrypt', 'secretsmanager:GetSecretValue']));
  });

  test('the monitor sees the notes by their names and reads none; retention may remove them', () => {
    const decide = (description: string, action: string, name: string) => {
      const role = roleOf(template, description);
      return isAllowed({ action, resource: name === '' ? bucket : `${bucket}/${name}`, principal: role.arn, context: { 'aws:SecureTransport': 'true' } }, { identity: role.statements, resource: rules });
    };
    const MONITOR = 'looks after runs, queue, freshness and alerts';
    expect([decide(MONITOR, 's3:ListBucket', ''), decide(MONITOR, 's3:GetObject', `wal/${cluster}/x`), decide(MONITOR, 's3:GetObject', `wal-kept/${cluster}/n`)]).toEqual([true, false, false]);
    expect(decide('removes what retention and prune have ruled', 's3:DeleteObject', `wal-kept/${cluster}/n`)).toBe(true);
  });

  test('has no wildcard that the list does not explain', () => {
    const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
    const written = ofType(template, 'AWS::IAM::Policy').flatMap(([, { Properties }]) => Properties['PolicyDocument'].Statement as { Action: unknown; Resource: unknown }[]);
    for (const { Action, Resource } of written) {
      for (const resource of list(Resource).map(flat).filter((one) => /[*?]/.test(one))) {
        expect([resource, EXPLAINED_WILDCARDS.some((row) => row.resource.test(resource))]).toEqual([resource, true]);
        if (resource === '*') expect(list(Action).filter((action) => !ACTIONS_WITHOUT_RESOURCES.includes(String(action)))).toEqual([]);
      }
    }
  });
});

describe('what receiving WAL costs (F4)', () => {
  test('is billed by the hour, and in the sum', () => {
    expect(billedByTheHour(template.Resources)).toEqual([serviceId]);
    const rows = monthlyCost(template.Resources, IDLE).filter(({ what }) => what.startsWith('WAL receivers'));
    expect(rows.map(({ what, usd }) => [what, usd.toFixed(2)])).toEqual([['WAL receivers: processors', '7.39'], ['WAL receivers: public addresses', '3.65'], ['WAL receivers: memory', '1.62'], ['WAL receivers: disk', '0.08']]);
  });
});
