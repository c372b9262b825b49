import { flat } from './explained-wildcards.ts';

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource?: unknown;
  readonly Principal?: Readonly<Record<string, unknown>>;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The rights of every role of a synthesized template, as Markdown; references lose the hash of their logical id. */
export function iamTable(template: { readonly Resources: Readonly<Record<string, Resource>> }): string {
  const resources = Object.entries(template.Resources);
  const roles = resources.filter(([, { Type }]) => Type === 'AWS::IAM::Role').map(([id, role]) => roleSection(id, role, resources));
  const buckets = resources.filter(([, { Type }]) => Type === 'AWS::S3::BucketPolicy').map(([, policy]) => bucketSection(policy));
  return [...roles.sort(), ...buckets].join('\n');
}

function roleSection(id: string, role: Resource, resources: readonly [string, Resource][]): string {
  const statements = resources
    .filter(([, { Type, Properties }]) => Type === 'AWS::IAM::Policy' && list(Properties?.['Roles']).some((attached) => (attached as { Ref?: string }).Ref === id))
    .flatMap(([, { Properties }]) => statementsOf(Properties?.['PolicyDocument']));
  const taker = statementsOf(role.Properties?.['AssumeRolePolicyDocument']).map(({ Principal }) => flat(Principal?.['Service']))[0] ?? '';
  const title = (flat(role.Properties?.['Description']) || unhashed(id)).replace(/^Holdfast: /, '');
  return [`## ${title}`, '', `Role \`${unhashed(id)}\`, taken by \`${taker}\`.`, '', ...table(statements)].join('\n');
}

function bucketSection(policy: Resource): string {
  const bucket = unhashed(flat(policy.Properties?.['Bucket']));
  return [`## Rules of the bucket ${bucket}`, '', 'For everybody, whatever their own policy says.', '', ...table(statementsOf(policy.Properties?.['PolicyDocument']))].join('\n');
}

function table(statements: readonly Statement[]): string[] {
  const rows = statements.map(({ Effect, Action, Resource: on, Condition }) => `| ${Effect === 'Deny' ? '**never** ' : ''}${lines(list(Action))} | ${lines(list(on).map(flat).map(unhashed))} | ${conditions(Condition)} |`);
  return ['| may | on | only when |', '| --- | --- | --- |', ...rows, ''];
}

function conditions(condition: Statement['Condition']): string {
  return Object.entries(condition ?? {}).flatMap(([operator, keys]) => Object.entries(keys).map(([key, wanted]) => `${operator} ${key} = ${list(wanted).map(flat).map(unhashed).join(' or ')}`)).map((text) => `\`${text}\``).join('<br>');
}

function lines(texts: readonly unknown[]): string {
  return texts.map((text) => `\`${String(text)}\``).join('<br>');
}

/** The configuration is an asset named by its hash, which changes with every deploy. */
function unhashed(text: string): string {
  return text.replaceAll(/([A-Za-z]{3,}[A-Za-z0-9]*?)[0-9A-F]{8}(?![0-9A-Za-z])/g, '$1').replaceAll(/[0-9a-f]{64}/g, '<hash>').replaceAll('cdk-hnb659fds-assets', 'assets');
}

function statementsOf(document: unknown): readonly Statement[] {
  return (document as { readonly Statement?: readonly Statement[] } | undefined)?.Statement ?? [];
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}
