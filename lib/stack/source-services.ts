import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { singlesOf } from '../config/parts.ts';
import type { ResolvedSingleSource, ResolvedSource } from '../config/resolved-source.ts';

/**
 * Lets a role read the parameters, secrets and log groups that its plan names, and no others; nothing is written. A service elsewhere, or
 * one whose keys the plan names, gets nothing. Values under a customer's own KMS key need, beside this, `kms:Decrypt` for the role in
 * that key's policy.
 */
export function grantSourceServices(role: IRole, source: ResolvedSource): void {
  for (const single of singlesOf(source)) for (const statement of statementsOf(Stack.of(role), single)) role.addToPrincipalPolicy(statement);
}

function statementsOf(stack: Stack, source: ResolvedSingleSource): PolicyStatement[] {
  if ((source.type !== 'configs' && source.type !== 'logs') || source.endpoint !== undefined || source.credentials !== undefined) return [];
  const region = source.region === undefined ? {} : { region: source.region };
  if (source.type === 'logs') return logStatements(source.logGroups, (resourceName) => stack.formatArn({ service: 'logs', resource: 'log-group', resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME, ...region }));
  return [
    ...parameterStatements(source.parameters, (resourceName) => stack.formatArn({ service: 'ssm', resource: 'parameter', resourceName, ...region })),
    ...secretStatements(source.secrets, (resourceName) => stack.formatArn({ service: 'secretsmanager', resource: 'secret', resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME, ...region })),
  ];
}

type ArnOf = (name: string) => string;

/** Values come from the history of one parameter: DescribeParameters would have to be allowed on all. */
function parameterStatements(wanted: readonly string[], arn: ArnOf): PolicyStatement[] {
  if (wanted.length === 0) return [];
  const names = wanted.map((name) => name.replace(/^\//, ''));
  const paths = names.filter((name) => name.endsWith('*'));
  const below = paths.flatMap((path) => (path === '*' ? [arn(path)] : [arn(path.slice(0, -2)), arn(path)]));
  return [
    new PolicyStatement({ actions: ['ssm:GetParameter', 'ssm:GetParameterHistory', 'ssm:ListTagsForResource'], resources: names.map(arn) }),
    ...(below.length > 0 ? [new PolicyStatement({ actions: ['ssm:GetParametersByPath'], resources: below })] : []),
  ];
}

/** Secrets Manager ends every ARN with a dash and six random characters. */
function secretStatements(wanted: readonly string[], arn: ArnOf): PolicyStatement[] {
  if (wanted.length === 0) return [];
  return [
    new PolicyStatement({ actions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'], resources: wanted.map((name) => arn(name.endsWith('*') ? name : `${name}-??????`)) }),
    ...(wanted.some((name) => name.endsWith('*')) ? [new PolicyStatement({ actions: ['secretsmanager:ListSecrets'], resources: ['*'] })] : []),
  ];
}

function logStatements(wanted: readonly string[], arn: ArnOf): PolicyStatement[] {
  if (wanted.length === 0) return [];
  return [
    new PolicyStatement({ actions: ['logs:FilterLogEvents'], resources: wanted.flatMap((name) => (name.endsWith('*') ? [arn(name)] : [arn(name), `${arn(name)}:*`])) }),
    new PolicyStatement({ actions: ['logs:DescribeLogGroups'], resources: [arn('*')] }),
  ];
}
