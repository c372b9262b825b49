import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STACK_OUTPUTS } from '../../lib/settings/outputs.ts';
import { EXAMPLE, ofType, synthesize, templateOf } from '../support/stack/synthesize.ts';
import type { Template } from '../support/stack/synthesize.ts';

const template = templateOf();
const STATEFUL = ['AWS::S3::Bucket', 'AWS::DynamoDB::GlobalTable', 'AWS::KMS::Key', 'AWS::SNS::Topic', 'AWS::SQS::Queue'];
const stateful = (of: Template) => Object.fromEntries(Object.entries(of.Resources).filter(([, { Type }]) => STATEFUL.includes(Type)).map(([id, resource]) => [id, resource]));
const without = (plan: string) => EXAMPLE.replace(new RegExp(`\\n  ${plan}:\\n(    .*\\n|\\n)+`), '\n');

test('the cluster names no capacity providers: they fail the first deploy of an account in which ECS was never used', () => {
  expect(ofType(template, 'AWS::ECS::Cluster').map(([, { Properties }]) => Object.keys(Properties))).toEqual([['ClusterSettings']]);
});

describe('what outlives the stack', () => {
  test('keeps its logical ids: another id is another bucket, table or key, and the old one is orphaned', () => {
    expect(Object.fromEntries(Object.entries(stateful(template)).map(([id, { Type, DeletionPolicy }]) => [id, `${Type} ${DeletionPolicy ?? 'Delete'}`]))).toEqual({
      AlertsKeyE7245541: 'AWS::KMS::Key Delete',
      AlertsTopicCF7C81C9: 'AWS::SNS::Topic Delete',
      CatalogTableBBEA0CBC: 'AWS::DynamoDB::GlobalTable Retain',
      DeadLettersFailures2B3A8794: 'AWS::SQS::Queue Delete',
      DeadLettersUndelivered38E8742A: 'AWS::SQS::Queue Delete',
      VaultmainBucket4108C6AF: 'AWS::S3::Bucket RetainExceptOnCreate',
      VaultmainKeyE5725051: 'AWS::KMS::Key RetainExceptOnCreate',
    });
    for (const id of ['CatalogTableBBEA0CBC', 'VaultmainBucket4108C6AF', 'VaultmainKeyE5725051']) expect(template.Resources[id]?.UpdateReplacePolicy).toBe('Retain');
  });

  test('keeps the rules of its bucket: what is left behind is guarded as before, also for a stack that adopts it', () => {
    const policies = ofType(template, 'AWS::S3::BucketPolicy').map(([, { DeletionPolicy, UpdateReplacePolicy }]) => [DeletionPolicy, UpdateReplacePolicy]);
    expect(policies).toEqual([['RetainExceptOnCreate', 'Retain']]);
  });

  test('is made before anything is written into it: a first deploy that is rolled back leaves no bucket that is not empty', () => {
    const [[made, { DependsOn }]] = ofType(template, 'Custom::HoldfastVaults') as unknown as [[string, { DependsOn: readonly string[] }]];
    expect(Object.keys(template.Resources).filter((id) => id !== made && !DependsOn.includes(id))).toEqual([]);
  });

  test('hands the public halves of recipients to the function that makes vaults, and asks it again when they change (K11)', () => {
    const recipients = { main: [{ label: 'office.recipient', text: 'holdfast-recipient-1:...' }] };
    const [[, withThem]] = ofType(templateOf({ recipients }), 'Custom::HoldfastVaults') as unknown as [[string, { Properties: Record<string, unknown> }]];
    const [[, without]] = ofType(template, 'Custom::HoldfastVaults') as unknown as [[string, { Properties: Record<string, unknown> }]];
    expect([withThem.Properties['Recipients'], without.Properties['Recipients']]).toEqual([recipients, undefined]);
  });

  test('the table has recovery to a point in time, protection from deletion and the keys of the settings', () => {
    expect(template.Resources['CatalogTableBBEA0CBC']?.Properties).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }, { AttributeName: 'sk', KeyType: 'RANGE' }],
      GlobalSecondaryIndexes: [{ IndexName: 'byTime', Projection: { ProjectionType: 'ALL' } }, { IndexName: 'byGroup', Projection: { ProjectionType: 'ALL' } }],
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      Replicas: [{ DeletionProtectionEnabled: true, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }],
    });
  });

  test('is not touched when a schedule changes, nor is anything replaced but the schedule\'s words', () => {
    const changed = templateOf({ yaml: EXAMPLE.replace('0 2 * * *', '30 3 * * *') });
    expect(stateful(changed)).toEqual(stateful(template));
    expect(Object.keys(changed.Resources)).toEqual(Object.keys(template.Resources));
    const differing = Object.keys(template.Resources).filter((id) => JSON.stringify(changed.Resources[id]) !== JSON.stringify(template.Resources[id]));
    const types = new Set(differing.map((id) => template.Resources[id]?.Type));
    // The configuration's asset has another name: functions are told, and the roles that read it.
    expect([...types].map(String).sort()).toEqual(['AWS::IAM::Policy', 'AWS::Lambda::Function', 'AWS::Scheduler::Schedule']);
  });

  test('stays when a plan is removed: only its task, role and schedule go', () => {
    const removed = templateOf({ yaml: without('settings') });
    expect(stateful(removed)).toEqual(stateful(template));
    const gone = Object.keys(template.Resources).filter((id) => removed.Resources[id] === undefined).map((id) => template.Resources[id]?.Type);
    expect(gone.map(String).sort()).toEqual(['AWS::ECS::TaskDefinition', 'AWS::IAM::Policy', 'AWS::IAM::Role', 'AWS::Scheduler::Schedule']);
  });

  test('is not deleted by mistake: the stack has termination protection', () => {
    expect(synthesize().stacks[0]?.terminationProtection).toBe(true);
  });
});

describe('one account', () => {
  test('synthesizing twice gives the same bytes', () => {
    expect(JSON.stringify(templateOf())).toBe(JSON.stringify(template));
  });

  test('two stacks share no name: families and the group of schedules carry that of their stack, nothing else is named', () => {
    const [shop, lab] = synthesize([{ name: 'shop' }, { name: 'lab' }]).templates as [Template, Template];
    const own = ['BucketName', 'TableName', 'QueueName', 'TopicName', 'RoleName', 'LogGroupName', 'ClusterName', 'StateMachineName', 'AlarmName', 'GroupName', 'Name', 'Family'];
    const names = (of: Template) => Object.values(of.Resources).flatMap(({ Type, Properties }) => [...own, ...(Type === 'AWS::Lambda::Function' ? ['FunctionName'] : [])].filter((key) => typeof Properties?.[key] === 'string').map((key) => `${Type} ${Properties[key]}`));
    expect(names(shop).sort()).toEqual([
      'AWS::ECS::TaskDefinition shop-backup-media', 'AWS::ECS::TaskDefinition shop-backup-orders', 'AWS::ECS::TaskDefinition shop-backup-settings',
      'AWS::ECS::TaskDefinition shop-restore-media-copy', 'AWS::ECS::TaskDefinition shop-restore-orders-copy', 'AWS::ECS::TaskDefinition shop-verify-main',
      'AWS::Scheduler::ScheduleGroup shop-declared',
    ]);
    expect(names(shop).filter((name) => names(lab).includes(name))).toEqual([]);
  });

  test('the outputs are what the command line reads', () => {
    expect(Object.keys(template.Outputs).sort()).toEqual([...Object.values(STACK_OUTPUTS), 'HoldfastCluster', 'HoldfastNetworks', 'HoldfastRegion'].sort());
  });

  test('what is brought is not made: bucket, key, topic and network', () => {
    const brought = templateOf({
      yaml: `
vaults:
  main:
    aws: { existing-bucket: old-bucket, existing-key: "arn:aws:kms:eu-central-1:111122223333:key/1234" }
plans:
  logs:
    source: { type: files, paths: [/mnt/logs] }
    policy: logs
    network: inside
    mounts: [{ path: /mnt/logs, file-system: fs-0123456789abcdef0 }]
networks:
  inside: { vpc: vpc-0123456789abcdef0, subnets: [subnet-0123456789abcdef0], security-groups: [sg-0123456789abcdef0] }
notifications:
  existing-topic: arn:aws:sns:eu-central-1:111122223333:alerts
`,
    });
    for (const type of ['AWS::S3::Bucket', 'AWS::S3::BucketPolicy', 'AWS::KMS::Key', 'AWS::SNS::Topic', 'AWS::EC2::VPC', 'AWS::EC2::SecurityGroup']) expect([type, ofType(brought, type).length]).toEqual([type, 0]);
    expect(JSON.stringify(brought)).toContain('old-bucket/packs/hot/');
  });

  test('networks that are made have no way in, no gateway that is billed, and reach S3 and DynamoDB for nothing', () => {
    const [, group] = ofType(template, 'AWS::EC2::SecurityGroup')[0] ?? [];
    expect(group?.Properties['SecurityGroupIngress']).toBeUndefined();
    expect(ofType(template, 'AWS::EC2::SecurityGroupIngress')).toEqual([]);
    expect(ofType(template, 'AWS::EC2::NatGateway')).toEqual([]);
    expect(ofType(template, 'AWS::EC2::VPCEndpoint').map(([, { Properties }]) => Properties['VpcEndpointType'])).toEqual(['Gateway', 'Gateway']);
  });
});

test('a file without a vault in AWS is refused before anything is made', () => {
  expect(() => templateOf({ yaml: 'vaults: { usb: { directory: /mnt/usb, key-file: /mnt/key } }' })).toThrow(/no vault with "aws"/);
});

describe('secrets', () => {
  const CANARY = 'canary-5f2d-never-in-a-template';

  test('are named in the template and never held by it', () => {
    process.env['HOLDFAST_TEST_CANARY'] = CANARY;
    const { outdir, synth } = synthesize({ yaml: EXAMPLE });
    synth();
    const files = ['shop.template.json', 'holdfast-shop.json', 'manifest.json', 'tree.json'].map((name) => readFileSync(join(outdir, name), 'utf8'));
    for (const text of files) expect(text.includes(CANARY)).toBe(false);
    expect(files[0]).toContain('shop/orders-db');
    delete process.env['HOLDFAST_TEST_CANARY'];
  });

  test.each(['"${env:HOLDFAST_TEST_CANARY}"', '"${file:/etc/hostname}"'])('%s is refused: what it stands for could only travel in the template', (reference) => {
    expect(() => templateOf({ yaml: EXAMPLE.replace('"${secret:shop/orders-db#password}"', reference) })).toThrow(/wanted \$\{secret:NAME\} or \$\{ssm:\/path\}/);
  });
});
