import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation';
import { ACCOUNT, REGION } from './emulator.ts';
import type { Emulator } from './emulator.ts';

export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/** A synthesized template beside what the deploy made of it. */
export interface DeployedTemplate {
  readonly stackName: string;
  readonly resources: Readonly<Record<string, TemplateResource>>;
  /** The name that the deploy gave; fails when the stack has no such resource. */
  physical(logicalId: string): string;
  /** Properties with references, joins and substitutions in them put in. */
  value<T>(property: unknown): T;
}

export async function deployedTemplates(cloudAssembly: string, emulator: Emulator): Promise<DeployedTemplate[]> {
  const { artifacts } = JSON.parse(readFileSync(join(cloudAssembly, 'manifest.json'), 'utf8')) as { artifacts: Record<string, { type: string; displayName?: string; properties: { templateFile: string; stackName?: string } }> };
  const stacks = Object.entries(artifacts).filter(([, { type }]) => type === 'aws:cloudformation:stack');
  return Promise.all(stacks.map(async ([id, { properties }]) => deployedTemplate(properties.stackName ?? id, JSON.parse(readFileSync(join(cloudAssembly, properties.templateFile), 'utf8')), emulator)));
}

async function deployedTemplate(stackName: string, template: { Resources: Record<string, TemplateResource>; Parameters?: Record<string, { Default?: string }> }, emulator: Emulator): Promise<DeployedTemplate> {
  const client = new CloudFormationClient(emulator.client);
  const names: Record<string, string> = { 'AWS::Region': REGION, 'AWS::AccountId': ACCOUNT, 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com', 'AWS::StackName': stackName };
  for (const [name, { Default }] of Object.entries(template.Parameters ?? {})) if (Default !== undefined) names[name] = Default;
  for await (const page of paginateListStackResources({ client }, { StackName: stackName })) {
    for (const { LogicalResourceId, PhysicalResourceId } of page.StackResourceSummaries ?? []) names[LogicalResourceId as string] = PhysicalResourceId ?? '';
  }
  const physical = (logicalId: string) => {
    const name = names[logicalId];
    if (name === undefined) throw new Error(`stack ${stackName} has no ${logicalId}: it has ${Object.keys(names).join(', ')}`);
    return name;
  };
  const arnOf = (logicalId: string) => arn(template.Resources[logicalId]?.Type ?? '', physical(logicalId));
  const value = (property: unknown): unknown => {
    if (Array.isArray(property)) return property.map(value);
    if (property === null || typeof property !== 'object') return property;
    const intrinsic = property as { readonly Ref?: string; readonly 'Fn::GetAtt'?: readonly [string, string]; readonly 'Fn::Join'?: readonly [string, unknown]; readonly 'Fn::Sub'?: string };
    if (intrinsic.Ref !== undefined) return physical(intrinsic.Ref);
    if (intrinsic['Fn::GetAtt']) return arnOf(intrinsic['Fn::GetAtt'][0]);
    if (intrinsic['Fn::Join']) return (value(intrinsic['Fn::Join'][1]) as string[]).join(intrinsic['Fn::Join'][0]);
    if (intrinsic['Fn::Sub'] !== undefined) return intrinsic['Fn::Sub'].replaceAll(/\$\{([^}]+)\}/g, (_, name: string) => physical(name));
    return Object.fromEntries(Object.entries(intrinsic).map(([key, inner]) => [key, value(inner)]));
  };
  return { stackName, resources: template.Resources, physical, value: <T>(property: unknown) => value(property) as T };
}

/** Only of what the completed settings refer to; anything else fails instead of being guessed. */
function arn(type: string, name: string): string {
  if (name.startsWith('arn:')) return name;
  const arns: Record<string, string> = {
    'AWS::KMS::Key': `arn:aws:kms:${REGION}:${ACCOUNT}:key/${name}`,
    'AWS::S3::Bucket': `arn:aws:s3:::${name}`,
    'AWS::IAM::Role': `arn:aws:iam::${ACCOUNT}:role/${name}`,
    'AWS::SQS::Queue': `arn:aws:sqs:${REGION}:${ACCOUNT}:${name.split('/').at(-1)}`,
    'AWS::Lambda::Function': `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
    'AWS::DynamoDB::Table': `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`,
  };
  const found = arns[type];
  if (found === undefined) throw new Error(`the rig cannot tell the ARN of a ${type} (${name})`);
  return found;
}
