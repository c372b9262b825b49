import type { Statement } from '../iam-evaluate.ts';
import { ofType } from './synthesize.ts';
import type { Template } from './synthesize.ts';

export const ACCOUNT = '111122223333';
export const REGION = 'eu-central-1';

const PSEUDO: Readonly<Record<string, string>> = { 'AWS::Partition': 'aws', 'AWS::Region': REGION, 'AWS::AccountId': ACCOUNT, 'AWS::URLSuffix': 'amazonaws.com', 'AWS::StackName': 'shop', 'AWS::StackId': `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/shop/1` };

/** ARNs as AWS makes them of a physical name; here the logical id stands for it, in lower case for buckets. */
const ARNS: Readonly<Record<string, (id: string) => string>> = {
  'AWS::S3::Bucket': (id) => `arn:aws:s3:::${id.toLowerCase()}`,
  'AWS::IAM::Role': (id) => `arn:aws:iam::${ACCOUNT}:role/${id}`,
  'AWS::KMS::Key': (id) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`,
  'AWS::DynamoDB::GlobalTable': (id) => `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${id}`,
  'AWS::SQS::Queue': (id) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${id}`,
  'AWS::SNS::Topic': (id) => `arn:aws:sns:${REGION}:${ACCOUNT}:${id}`,
  'AWS::Lambda::Function': (id) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${id}`,
  'AWS::Logs::LogGroup': (id) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${id}:*`,
  'AWS::ECS::Cluster': (id) => `arn:aws:ecs:${REGION}:${ACCOUNT}:cluster/${id}`,
  'AWS::StepFunctions::StateMachine': (id) => `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${id}`,
  'AWS::Scheduler::ScheduleGroup': (id) => `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule-group/${id}`,
  'AWS::Events::Rule': (id) => `arn:aws:events:${REGION}:${ACCOUNT}:rule/${id}`,
};

/** Types whose `Ref` is their ARN. */
const REF_IS_ARN = new Set(['AWS::SNS::Topic', 'AWS::StepFunctions::StateMachine']);

export function arnOf(template: Template, logicalId: string): string {
  const type = template.Resources[logicalId]?.Type ?? '';
  const arn = ARNS[type];
  if (arn === undefined) throw new Error(`no ARN is known for ${logicalId} (${type})`);
  return type === 'AWS::IAM::Role' ? arn(`${String(template.Resources[logicalId]?.Properties['Path'] ?? '/').slice(1)}${logicalId}`) : arn(logicalId);
}

/** Puts names in the place of intrinsic functions, as a deploy does. */
export function resolved(template: Template, value: unknown): any { // eslint-disable-line typescript/no-explicit-any -- as the template has it
  if (Array.isArray(value)) return value.map((one) => resolved(template, one));
  if (typeof value !== 'object' || value === null) return value;
  const map = value as Record<string, any>; // eslint-disable-line typescript/no-explicit-any -- an intrinsic function
  if ('Ref' in map) return PSEUDO[map['Ref']] ?? refOf(template, map['Ref']);
  if ('Fn::GetAtt' in map) return map['Fn::GetAtt'][1] === 'Arn' ? arnOf(template, map['Fn::GetAtt'][0]) : `${map['Fn::GetAtt'][0]}.${map['Fn::GetAtt'][1]}`;
  if ('Fn::Join' in map) return resolved(template, map['Fn::Join'][1]).join(map['Fn::Join'][0]);
  if ('Fn::Sub' in map) return String(map['Fn::Sub']).replaceAll(/\$\{([^}]+)\}/g, (_, name: string) => PSEUDO[name] ?? refOf(template, name));
  return Object.fromEntries(Object.entries(map).map(([key, inner]) => [key, resolved(template, inner)]));
}

function refOf(template: Template, logicalId: string): string {
  const type = template.Resources[logicalId]?.Type ?? '';
  return REF_IS_ARN.has(type) ? arnOf(template, logicalId) : type === 'AWS::S3::Bucket' ? logicalId.toLowerCase() : logicalId;
}

export interface RoleOf {
  readonly logicalId: string;
  readonly arn: string;
  readonly statements: readonly Statement[];
}

/** A role by the words of its description. */
export function roleOf(template: Template, description: string): RoleOf {
  const found = ofType(template, 'AWS::IAM::Role').filter(([, { Properties }]) => Properties['Description'] === `Holdfast: ${description}`);
  if (found.length !== 1) throw new Error(`${found.length} roles are described as "${description}"`);
  return roleAt(template, (found[0] as [string, unknown])[0]);
}

export function roleAt(template: Template, logicalId: string): RoleOf {
  const attached = ofType(template, 'AWS::IAM::Policy').filter(([, { Properties }]) => (Properties['Roles'] as { Ref: string }[]).some(({ Ref }) => Ref === logicalId));
  return { logicalId, arn: arnOf(template, logicalId), statements: attached.flatMap(([, { Properties }]) => resolved(template, Properties['PolicyDocument']).Statement as Statement[]) };
}

export function allRoles(template: Template): RoleOf[] {
  return ofType(template, 'AWS::IAM::Role').map(([id]) => roleAt(template, id));
}

/** The statements on one bucket. */
export function bucketPolicy(template: Template, bucketId: string): Statement[] {
  return ofType(template, 'AWS::S3::BucketPolicy').filter(([, { Properties }]) => Properties['Bucket']?.Ref === bucketId).flatMap(([, { Properties }]) => resolved(template, Properties['PolicyDocument']).Statement as Statement[]);
}

export function onlyOne(template: Template, type: string): string {
  const found = ofType(template, type);
  if (found.length !== 1) throw new Error(`${found.length} resources are of type ${type}, wanted one`);
  return (found[0] as [string, unknown])[0];
}
