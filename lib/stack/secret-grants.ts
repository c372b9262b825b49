import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { isRemote, secretText } from '../config/secret-reference.ts';
import type { RemoteSecretReference, SecretReference } from '../config/secret-reference.ts';
import { HoldfastError } from '../model/errors.ts';

/**
 * Lets a role read these secrets and no others. The template names where they are and never holds one, so a reference to
 * this machine's environment or files is refused: what it would resolve to could only travel in the template.
 * A secret under a customer's own KMS key needs, beside this, `kms:Decrypt` for the role in that key's policy.
 */
export function grantSecrets(role: IRole, references: readonly SecretReference[]): void {
  const arns = [...new Set(references.map((reference) => `${reference.kind === 'ssm' ? 'ssm' : 'secret'} ${secretArn(Stack.of(role), remote(reference))}`))];
  const of = (kind: string) => arns.filter((arn) => arn.startsWith(`${kind} `)).map((arn) => arn.slice(kind.length + 1));
  if (of('secret').length > 0) role.addToPrincipalPolicy(new PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: of('secret') }));
  if (of('ssm').length > 0) role.addToPrincipalPolicy(new PolicyStatement({ actions: ['ssm:GetParameter'], resources: of('ssm') }));
}

/** Every secret that a value mentions, wherever in it. */
export function secretsIn(value: unknown): SecretReference[] {
  if (typeof value !== 'object' || value === null) return [];
  if (isReference(value)) return [value];
  return Object.values(value).flatMap(secretsIn);
}

const KINDS: readonly string[] = ['env', 'file', 'secrets-manager', 'ssm'] satisfies SecretReference['kind'][];

function isReference(value: object): value is SecretReference {
  return 'kind' in value && 'name' in value && typeof value.name === 'string' && typeof value.kind === 'string' && KINDS.includes(value.kind);
}

function remote(reference: SecretReference): RemoteSecretReference {
  if (isRemote(reference)) return reference;
  throw new HoldfastError('config-invalid', `The secret ${secretText(reference)} lies on this machine, wanted \${secret:NAME} or \${ssm:/path}: a task in AWS cannot read it, and its value would land in the template.`, {
    nextStep: 'Put the secret into AWS Secrets Manager and name it in holdfast.yaml.',
  });
}

/** Secrets Manager ends every ARN with a dash and six random characters that a name alone does not know. */
function secretArn(stack: Stack, { kind, name }: RemoteSecretReference): string {
  if (name.startsWith('arn:')) return name;
  return kind === 'ssm'
    ? stack.formatArn({ service: 'ssm', resource: 'parameter', resourceName: name.replace(/^\//, '') })
    : stack.formatArn({ service: 'secretsmanager', resource: 'secret', resourceName: `${name}-??????`, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
}
