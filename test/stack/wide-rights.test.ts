import { ACTIONS_WITHOUT_RESOURCES, EXPLAINED_WILDCARDS, flat } from '../../lib/stack/explained-wildcards.ts';
import { key } from '../../lib/catalog/dynamodb-keys.ts';
import type { PlanId, RunId } from '../../lib/model/ids.ts';
import { isAllowed } from '../support/iam-evaluate.ts';
import { ACCOUNT, REGION, allRoles, arnOf, onlyOne, resolved, roleOf } from '../support/stack/deployed-names.ts';
import { ofType, synthesize, templateOf } from '../support/stack/synthesize.ts';
import type { Template } from '../support/stack/synthesize.ts';

const template = templateOf();
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
const written = ofType(template, 'AWS::IAM::Policy').flatMap(([id, { Properties }]) => (Properties['PolicyDocument'].Statement as { Effect: string; Action: unknown; Resource: unknown }[]).map((statement) => ({ id, ...statement })));

describe('what no role has (C6)', () => {
  test('no action is a wildcard', () => {
    const wide = written.flatMap(({ id, Action }) => list(Action).filter((action) => String(action).includes('*')).map((action) => `${id}: ${String(action)}`));
    expect(wide).toEqual([]);
    expect(written.length).toBeGreaterThan(40);
  });

  test('every resource with a wildcard is in the explained list, and * only for actions that know no resources', () => {
    for (const { id, Action, Resource } of written) {
      for (const resource of list(Resource).map(flat).filter((one) => /[*?]/.test(one))) {
        expect([id, resource, EXPLAINED_WILDCARDS.some((row) => row.resource.test(resource))]).toEqual([id, resource, true]);
        if (resource === '*') expect([id, list(Action).filter((action) => !ACTIONS_WITHOUT_RESOURCES.includes(String(action)))]).toEqual([id, []]);
      }
    }
  });

  test('roles carry no managed and no inline policies besides', () => {
    for (const [id, { Properties }] of ofType(template, 'AWS::IAM::Role')) expect([id, Properties['ManagedPolicyArns'], Properties['Policies']]).toEqual([id, undefined, undefined]);
  });

  test('every role is taken by one service, tasks and schedules for this account alone', () => {
    for (const [id, { Properties }] of ofType(template, 'AWS::IAM::Role')) {
      const [statement, ...more] = resolved(template, Properties['AssumeRolePolicyDocument']).Statement;
      expect([id, more]).toEqual([id, []]);
      expect(statement).toMatchObject({ Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: expect.stringMatching(/\.amazonaws\.com$/) } });
    }
    for (const description of ['backups of plan orders', 'restores to orders-copy', 'reads backups in vault main back', 'removes what retention and prune have ruled']) {
      const [{ Condition }] = resolved(template, template.Resources[roleOf(template, description).logicalId]?.Properties['AssumeRolePolicyDocument']).Statement;
      expect([description, Condition]).toEqual([description, { StringEquals: { 'aws:SourceAccount': ACCOUNT }, ArnLike: { 'aws:SourceArn': `arn:aws:ecs:${REGION}:${ACCOUNT}:*` } }]);
    }
  });
});

describe('who may start what', () => {
  const cluster = arnOf(template, onlyOne(template, 'AWS::ECS::Cluster'));
  const may = (description: string, family: string, context = { 'ecs:cluster': cluster }) => {
    const role = roleOf(template, description);
    return isAllowed({ action: 'ecs:RunTask', resource: `arn:aws:ecs:${REGION}:${ACCOUNT}:task-definition/${family}:7`, principal: role.arn, context }, { identity: role.statements });
  };

  test.each([
    ['starts runs', 'shop-backup-orders', true],
    ['starts runs', 'shop-restore-orders-copy', false],
    ['starts runs', 'shop-verify-main', false],
    ['looks after runs, queue, freshness and alerts', 'shop-backup-media', true],
    ['looks after runs, queue, freshness and alerts', 'shop-verify-main', true],
    ['looks after runs, queue, freshness and alerts', 'shop-restore-orders-copy', false],
    ['ends runs whose task ended', 'shop-backup-orders', false],
    ['starts runs', 'shop2-backup-orders', false],
    ['starts runs', 'another-shop-backup-orders', false],
    ['backups of plan orders', 'shop-backup-orders', false],
  ] as const)('%s: %s is %s', (description, family, expected) => {
    expect(may(description, family)).toBe(expected);
  });

  test('no task is started in another cluster', () => {
    expect(may('starts runs', 'shop-backup-orders', { 'ecs:cluster': `${cluster}2` })).toBe(false);
  });

  test('the restore workflow runs the tasks of declared targets and nothing else', () => {
    const machine = template.Resources[onlyOne(template, 'AWS::StepFunctions::StateMachine')];
    const role = allRoles(template).find(({ logicalId }) => logicalId === machine?.Properties['RoleArn']['Fn::GetAtt'][0]);
    const as = (family: string) => isAllowed({ action: 'ecs:RunTask', resource: `arn:aws:ecs:${REGION}:${ACCOUNT}:task-definition/${family}:1`, principal: '', context: { 'ecs:cluster': cluster } }, { identity: role?.statements ?? [] });
    expect([as('shop-restore-orders-copy'), as('shop-restore-media-copy'), as('shop-backup-orders')]).toEqual([true, true, false]);
  });

  test('a role is handed to ECS tasks alone, and only one of the tasks that may be started', () => {
    const dispatch = roleOf(template, 'starts runs');
    const pass = (description: string, service: string) => isAllowed({ action: 'iam:PassRole', resource: roleOf(template, description).arn, principal: dispatch.arn, context: { 'iam:PassedToService': service } }, { identity: dispatch.statements });
    expect(pass('backups of plan orders', 'ecs-tasks.amazonaws.com')).toBe(true);
    expect(pass('backups of plan orders', 'lambda.amazonaws.com')).toBe(false);
    for (const other of ['restores to orders-copy', 'removes what retention and prune have ruled', 'reads backups in vault main back', 'looks after runs, queue, freshness and alerts']) expect([other, pass(other, 'ecs-tasks.amazonaws.com')]).toEqual([other, false]);
  });

  test('the roles of tasks lie below a path of their stack and kind, which no other name goes on as', () => {
    const path = (description: string) => template.Resources[roleOf(template, description).logicalId]?.Properties['Path'];
    expect([path('backups of plan orders'), path('restores to orders-copy'), path('reads backups in vault main back')]).toEqual(['/holdfast/shop/backup/', '/holdfast/shop/restore/', '/holdfast/shop/verify/']);
  });

  test('a stack whose name goes on as a family does is started by its own dispatch alone: the other may hand on none of its roles', () => {
    const [, other] = synthesize([{ name: 'shop' }, { name: 'shop-backup-lab' }]).templates as [Template, Template];
    const dispatch = roleOf(template, 'starts runs');
    const asDispatch = (action: string, resource: string, context: Readonly<Record<string, string>>) => isAllowed({ action, resource, principal: dispatch.arn, context }, { identity: dispatch.statements });
    expect(asDispatch('iam:PassRole', roleOf(other, 'backups of plan orders').arn, { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' })).toBe(false);
    expect(asDispatch('iam:PassRole', roleOf(template, 'backups of plan orders').arn, { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' })).toBe(true);
    expect(may('starts runs', 'shop-backup-lab-backup-orders', { 'ecs:cluster': `${cluster}-of-lab` })).toBe(false);
  });

  test('each task reads its own secrets and no others', () => {
    const read = (description: string, secret: string) => isAllowed({ action: 'secretsmanager:GetSecretValue', resource: `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${secret}-AbCdEf`, principal: '' }, { identity: roleOf(template, description).statements });
    expect([read('backups of plan orders', 'shop/orders-db'), read('backups of plan orders', 'shop/orders-restore'), read('backups of plan media', 'shop/orders-db')]).toEqual([true, false, false]);
    expect([read('restores to orders-copy', 'shop/orders-restore'), read('restores to media-copy', 'shop/orders-restore'), read('brings alerts to Slack', 'shop/slack-webhook'), read('starts runs', 'shop/slack-webhook')]).toEqual([true, false, true, false]);
  });

  test('rows are deleted by those who start and end runs, with no condition on the keys: it could see all keys of the transaction that admits a run', () => {
    const table = arnOf(template, onlyOne(template, 'AWS::DynamoDB::GlobalTable'));
    const remove = (description: string, pk: string) => isAllowed({ action: 'dynamodb:DeleteItem', resource: table, principal: '', context: { 'dynamodb:LeadingKeys': pk } }, { identity: roleOf(template, description).statements });
    const admission = [key.run('R' as RunId), key.vaultSlots('main'), key.planSlots('P' as PlanId), key.queued('main', 1, 'R' as RunId)];
    const starters = ['starts runs', 'ends runs whose task ended', 'looks after runs, queue, freshness and alerts'];
    for (const description of starters) expect([description, admission.map(({ pk }) => remove(description, pk))]).toEqual([description, [true, true, true, true]]);
    const ids = starters.map((description) => roleOf(template, description).logicalId);
    for (const role of allRoles(template).filter(({ logicalId }) => !ids.includes(logicalId))) expect([role.logicalId, isAllowed({ action: 'dynamodb:DeleteItem', resource: table, principal: '' }, { identity: role.statements })]).toEqual([role.logicalId, false]);
  });
});
