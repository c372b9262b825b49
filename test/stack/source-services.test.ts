import { EXPLAINED_WILDCARDS, flat } from '../../lib/stack/explained-wildcards.ts';
import { isAllowed } from '../support/iam-evaluate.ts';
import { roleOf } from '../support/stack/deployed-names.ts';
import { templateOf } from '../support/stack/synthesize.ts';

const plan = (name: string, policy: string, fields: string) => `  ${name}: { source: { type: ${fields} }, policy: ${policy} }\n`;
const template = templateOf({
  yaml: `vaults: { main: { aws: {} } }
plans:
${plan('below', 'configs', 'configs, parameters: ["/shop/*"], secrets: ["shop/*"], region: eu-west-1')}${plan('single', 'configs', 'configs, parameters: ["/shop/db/password"], secrets: [shop/api]')}${plan('elsewhere', 'configs', 'configs, parameters: ["/shop/*"], endpoint: "https://aws.example.com"')}${plan('web', 'logs', 'logs, log-groups: [/shop/web, "/aws/lambda/shop-*"]')}notifications: { email: [operations@example.com] }
`,
});

function may(name: string, action: string, resource: string): boolean {
  const { arn: principal, statements } = roleOf(template, `backups of plan ${name}`);
  return isAllowed({ action, resource, principal, context: { 'aws:SecureTransport': 'true' } }, { identity: statements });
}

const resourcesOf = (name: string) => roleOf(template, `backups of plan ${name}`).statements.filter(({ Action }) => [Action].flat().some((action) => /^(?:ssm|secretsmanager|logs):/.test(action))).flatMap(({ Resource }) => [Resource].flat()).map(flat).map(asReferences);

/** The rows of explained wildcards know no account and no region. */
function asReferences(arn: string): string {
  return arn.replace(/^arn:aws:([a-z]+):([a-z0-9-]+):\d+:/, (_, service: string, region: string) => `arn:<AWS::Partition>:${service}:${region === 'eu-west-1' ? region : '<AWS::Region>'}:<AWS::AccountId>:`);
}

describe('the role of a plan whose source is configs or logs (S8, S9, C6)', () => {
  test('names what the plan names, in its region, and nothing else', () => {
    const here = 'arn:<AWS::Partition>';
    const of = (service: string, region: string, rest: string) => `${here}:${service}:${region}:<AWS::AccountId>:${rest}`;
    expect(resourcesOf('below')).toEqual(expect.arrayContaining([of('ssm', 'eu-west-1', 'parameter/shop/*'), of('ssm', 'eu-west-1', 'parameter/shop'), of('secretsmanager', 'eu-west-1', 'secret:shop/*'), '*']));
    expect(resourcesOf('single')).toEqual([of('ssm', '<AWS::Region>', 'parameter/shop/db/password'), of('secretsmanager', '<AWS::Region>', 'secret:shop/api-??????')]);
    expect(resourcesOf('elsewhere')).toEqual([]);
    expect(new Set(resourcesOf('web'))).toEqual(new Set(['/shop/web', '/shop/web:*', '/aws/lambda/shop-*', '*'].map((name) => of('logs', '<AWS::Region>', `log-group:${name}`))));
  });

  test.each(['ssm:PutParameter', 'ssm:DeleteParameter', 'ssm:DescribeParameters', 'secretsmanager:PutSecretValue', 'secretsmanager:DeleteSecret', 'logs:DeleteLogGroup', 'logs:PutLogEvents', 'kms:Decrypt'])('nobody gets %s', (action) => {
    for (const name of ['below', 'single', 'web']) expect(may(name, action, '*')).toBe(false);
  });

  test('all secrets are listed only for a plan that names some by their beginning', () => {
    expect([may('below', 'secretsmanager:ListSecrets', '*'), may('single', 'secretsmanager:ListSecrets', '*')]).toEqual([true, false]);
  });

  test('every wildcard is explained', () => {
    const wild = ['below', 'single', 'web'].flatMap(resourcesOf).filter((resource) => /[*?]/.test(resource));
    expect(wild.length).toBeGreaterThan(5);
    for (const resource of wild) expect([resource, EXPLAINED_WILDCARDS.some((row) => row.resource.test(resource))]).toEqual([resource, true]);
  });
});
