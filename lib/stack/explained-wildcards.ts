import { Aspects, Stack } from 'aws-cdk-lib';
import { CfnPolicy } from 'aws-cdk-lib/aws-iam';
import type { IConstruct } from 'constructs';
import { acknowledge } from './acknowledge.ts';

/**
 * Every wildcard that a role of this stack may have, and why. What is not in this list fails cdk-nag and a test, so a new
 * one is written down here or it is not deployed. References are written as cdk-nag does: `<LogicalId.Attribute>`.
 */
export const EXPLAINED_WILDCARDS: readonly { readonly resource: RegExp; readonly shown: string; readonly reason: string }[] = [
  { resource: /^<Vault[A-Za-z0-9]*Bucket[0-9A-F]{8}\.Arn>\/\*$/, shown: 'any object of a vault', reason: 'A restore and a verification read any object of the vaults of their stack (design: Roles); they write none of what they read.' },
  { resource: /^<Vault[A-Za-z0-9]*Bucket[0-9A-F]{8}\.Arn>\/[a-z-]+\/([a-z0-9/]+\/)?\*$/, shown: 'objects below one folder of a vault, or below the ids of a plan or writer there', reason: 'Objects below one folder of one vault: their names hold random ids.' },
  { resource: /^arn:<AWS::Partition>:s3:::[a-z0-9.-]+\/([a-z-]+\/([a-z0-9/]+\/)?)?\*$/, shown: 'the same in a bucket that was brought, or any object of a bucket that is a source', reason: 'The same in a bucket that was brought; or the objects of a bucket that is a source, whose keys are not known before: they are read, never written.' },
  { resource: /^arn:<AWS::Partition>:s3:::[a-z0-9.-]+\/(?:[^*?]|<[*?$]>)*\*$/, shown: 'objects of a source below its prefix', reason: 'The objects of a bucket that is a source, below the prefix of its plan: their keys are not known before. They are read, never written.' },
  { resource: /^<CatalogTable[0-9A-F]{8}\.Arn>\/index\/\*$/, shown: 'indexes of the table', reason: 'The indexes of this stack\'s own table.' },
  { resource: /^arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task-definition\/[A-Za-z0-9-]+-(backup|restore|verify)-\*:\*$/, shown: 'task families of one kind', reason: 'Any revision of the families of one kind: a deploy makes new ones while runs wait (design: Worker image), and a list of hundreds of plans is longer than IAM takes. The cluster and the roles that may be handed on bound it to this stack.' },
  { resource: /^arn:<AWS::Partition>:iam::<AWS::AccountId>:role\/holdfast\/[A-Za-z0-9-]+\/(backup|restore|verify)\/\*$/, shown: 'roles of one kind of task', reason: 'The task roles of one kind, below the path that this stack alone has (design: Roles).' },
  { resource: /^arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task\/<WorkersCluster[0-9A-F]+>\/\*$/, shown: 'tasks of the cluster', reason: 'Tasks of this stack\'s own cluster, whose ids are not known before.' },
  { resource: /^arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:[A-Za-z0-9/_+=.@-]+-\?{6}$/, shown: 'a secret by its name', reason: 'One secret by its name; Secrets Manager adds six characters that the name does not tell.' },
  { resource: /^arn:<AWS::Partition>:ssm:(?:<AWS::Region>|[a-z0-9-]+):<AWS::AccountId>:parameter\/(?:[A-Za-z0-9_./-]+\/)?\*$/, shown: 'parameters of a source below its path', reason: 'The parameters that are a source, below the path that its plan names. They are read, never written.' },
  { resource: /^arn:<AWS::Partition>:secretsmanager:(?:<AWS::Region>|[a-z0-9-]+):<AWS::AccountId>:secret:[A-Za-z0-9/_+=.@-]*(?:\*|-\?{6})$/, shown: 'secrets of a source', reason: 'The secrets that are a source, by the beginning of their names or by a name and the six characters that the service adds. They are read, never written.' },
  { resource: /^arn:<AWS::Partition>:logs:(?:<AWS::Region>|[a-z0-9-]+):<AWS::AccountId>:log-group:[./#A-Za-z0-9_-]*:?\*$/, shown: 'log groups of a source', reason: 'The log groups that are a source and their streams, or all log groups to be listed: only names are. They are read, never written.' },
  { resource: /^\*$/, shown: '*', reason: 'secretsmanager:ListSecrets, ecr:GetAuthorizationToken, log delivery of Step Functions and X-Ray know no resources.' },
];

/** Actions that know no resources: the only ones that may have `*`. */
export const ACTIONS_WITHOUT_RESOURCES: readonly string[] = [
  'ecr:GetAuthorizationToken',
  'logs:CreateLogDelivery', 'logs:GetLogDelivery', 'logs:UpdateLogDelivery', 'logs:DeleteLogDelivery', 'logs:ListLogDeliveries',
  'logs:PutResourcePolicy', 'logs:DescribeResourcePolicies', 'logs:DescribeLogGroups',
  'xray:PutTraceSegments', 'xray:PutTelemetryRecords', 'xray:GetSamplingRules', 'xray:GetSamplingTargets',
];

/** Acknowledges, policy by policy, the findings of cdk-nag that the list explains; all others stay findings. */
export function explainWildcards(stack: Stack): void {
  Aspects.of(stack).add({
    visit(node: IConstruct): void {
      if (!(node instanceof CfnPolicy)) return;
      for (const resource of wildcardsOf(stack.resolve(node.policyDocument) as PolicyDocument)) {
        const explained = EXPLAINED_WILDCARDS.find((row) => row.resource.test(resource));
        if (explained) acknowledge(node, `AwsSolutions-IAM5[Resource::${resource}]`, explained.reason);
      }
    },
  });
}

interface PolicyDocument {
  readonly Statement: readonly { readonly Effect: string; readonly Action: string | readonly string[]; readonly Resource?: unknown }[];
}

function wildcardsOf({ Statement }: PolicyDocument): string[] {
  const resources = Statement.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Resource }) => (Array.isArray(Resource) ? Resource : [Resource]));
  return [...new Set(resources.map(flat).filter((resource) => /[*?]/.test(resource)))];
}

/** An intrinsic function as one text, in cdk-nag's spelling. */
export function flat(value: unknown): string {
  if (typeof value === 'string') return value.replaceAll('${', '<').replaceAll('}', '>');
  if (typeof value !== 'object' || value === null) return '';
  const [[name, inner] = ['', undefined]] = Object.entries(value);
  if (name === 'Ref') return `<${String(inner)}>`;
  if (name === 'Fn::GetAtt') return `<${(inner as readonly string[]).join('.')}>`;
  if (name === 'Fn::Join') return (inner as readonly [string, readonly unknown[]])[1].map(flat).join((inner as readonly [string])[0]);
  return JSON.stringify(value);
}
