import { EXPLAINED_WILDCARDS } from './explained-wildcards.ts';
import { iamTable } from './iam-table.ts';

type Template = Parameters<typeof iamTable>[0];

/** docs/iam.md: every right of every role, with why there are wildcards. */
export function iamDocs(template: Template, withReceiver: Template): string {
  const wildcards = EXPLAINED_WILDCARDS.map(({ shown, reason }) => `| ${shown === '*' ? '`*`' : shown} | ${reason} |`);
  return `# Rights in AWS

Generated from the template of \`examples/aws/holdfast.yaml\`, deployed as stack \`shop\`, by \`node scripts/write-iam-docs.ts\`. Do not edit.
References such as \`<VaultmainBucket.Arn>\` name a resource of the stack; long hexadecimal names are the ids of plans and of the stack's writer.

No action is a wildcard. No role has \`s3:DeleteObjectVersion\`, \`s3:BypassGovernanceRetention\` or \`s3:PutBucketObjectLockConfiguration\`, and the
bucket refuses the first to everybody. test/stack evaluates these policies for each role: what it can, and what it cannot.

The pruner's role is there because the bucket's rules name it; its task comes with retention. A keeper, who extends locks, comes with its task.

## Wildcards in resources

Every one is one of these; another fails cdk-nag and a test.

| wildcard | why |
| --- | --- |
${wildcards.join('\n')}

${iamTable(template)}
# With \`wal-receiver\`

A plan \`cluster\` that has one gets one role more. No role of the stack may start, stop or change its service: ECS keeps it running.

${iamTable(receivers(withReceiver))}`;
}

/** The roles of receivers, with all policies: a role finds its own. */
function receivers({ Resources }: Template): Template {
  const isWanted = ({ Type, Properties }: Template['Resources'][string]) => Type === 'AWS::IAM::Policy' || (Type === 'AWS::IAM::Role' && String(Properties?.['Description']).startsWith('Holdfast: receives the WAL'));
  return { Resources: Object.fromEntries(Object.entries(Resources).filter(([, resource]) => isWanted(resource))) };
}
