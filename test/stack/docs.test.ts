import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IDLE, costDocs } from '../../lib/stack/cost-docs.ts';
import { iamDocs } from '../../lib/stack/iam-docs.ts';
import { billedByTheHour, monthlyCost } from '../../lib/stack/monthly-cost.ts';
import { RECEIVING, templateOf } from '../support/stack/synthesize.ts';

const template = templateOf();
const doc = (name: string) => readFileSync(join(__dirname, '..', '..', 'docs', name), 'utf8');

describe('pages that are made from the template', () => {
  test('docs/iam.md is up to date: node scripts/write-iam-docs.ts', () => {
    expect(doc('iam.md')).toBe(iamDocs(template, templateOf({ yaml: RECEIVING })));
  });

  test('docs/costs.md is up to date: node scripts/monthly-cost.ts', () => {
    expect(doc('costs.md')).toBe(costDocs(template.Resources));
  });
});

describe('what a stack costs (F4)', () => {
  test('nothing is billed by the hour while no task runs', () => {
    expect(billedByTheHour(template.Resources)).toEqual([]);
  });

  test.each([['AWS::EC2::NatGateway', {}], ['AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Interface' }], ['AWS::EC2::VPCEndpoint', {}], ['AWS::RDS::DBInstance', {}], ['AWS::ECS::Service', {}], ['AWS::ElasticLoadBalancingV2::LoadBalancer', {}]])('%s %j would be noticed', (Type, Properties) => {
    expect(billedByTheHour({ ...template.Resources, Added: { Type, Properties } })).toEqual(['Added']);
  });

  test('a type that nobody has priced stops the sum', () => {
    expect(() => monthlyCost({ ...template.Resources, Added: { Type: 'AWS::Kinesis::Stream' } }, IDLE)).toThrow(/Nobody has said what AWS::Kinesis::Stream/);
  });

  test('an idle stack with 100 GB costs less than six dollars, most of it for storage and keys', () => {
    const rows = monthlyCost(template.Resources, IDLE);
    expect(rows.reduce((sum, { usd }) => sum + usd, 0)).toBeLessThan(6);
    expect(rows.slice(0, 3).map(({ price }) => price)).toEqual(['s3Standard', 'kmsKey', 'alarm']);
  });
});
