import { IAMClient, UpdateAssumeRolePolicyCommand } from '@aws-sdk/client-iam';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { deployedTemplates } from './deployed-template.ts';
import { ACCOUNT } from './emulator.ts';
import type { Emulator } from './emulator.ts';
import type { RoleCredentials } from './task-credentials.ts';

const ECS = 'ecs-tasks.amazonaws.com';

interface TrustPolicy {
  readonly Version: string;
  readonly Statement: readonly { readonly Principal?: { readonly Service?: string | readonly string[] } }[];
}

/** Roles for tasks trust ECS alone, and here the rig is ECS: it becomes trusted, too. Callable after every deploy. */
export async function trustRig(cloudAssembly: string, emulator: Emulator): Promise<string[]> {
  const iam = new IAMClient(emulator.client);
  const trusting: string[] = [];
  for (const template of await deployedTemplates(cloudAssembly, emulator)) {
    for (const [id, { Type, Properties }] of Object.entries(template.resources)) {
      if (Type !== 'AWS::IAM::Role' || !JSON.stringify(Properties).includes(ECS)) continue;
      const policy = template.value<TrustPolicy>(Properties?.['AssumeRolePolicyDocument']);
      const rig = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` } };
      await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: template.physical(id), PolicyDocument: JSON.stringify({ ...policy, Statement: [...policy.Statement, rig] }) }));
      trusting.push(`${template.stackName} ${id}: trusts the rig as it trusts ECS`);
    }
  }
  return trusting;
}

export async function assumeRole(emulator: Emulator, roleArn: string): Promise<RoleCredentials> {
  const { Credentials } = await new STSClient(emulator.client).send(new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: 'task' }));
  if (!Credentials?.AccessKeyId || !Credentials.SecretAccessKey || !Credentials.SessionToken || !Credentials.Expiration) throw new Error(`no credentials for ${roleArn}`);
  return { RoleArn: roleArn, AccessKeyId: Credentials.AccessKeyId, SecretAccessKey: Credentials.SecretAccessKey, Token: Credentials.SessionToken, Expiration: Credentials.Expiration.toISOString() };
}
