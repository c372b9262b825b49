import { CfnResource } from 'aws-cdk-lib';
import type { Stack } from 'aws-cdk-lib';
import { HoldfastError } from '../model/errors.ts';
import type { StackInput } from './stack-input.ts';

/** No request raises it: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const MAX_RESOURCES = 500;

/** Fails as `config-invalid` when a stack has grown past what CloudFormation takes. Call it when all is made. */
export function refuseTooMany(stack: Stack, { plans, restoreTargets }: StackInput['resolved']): void {
  const count = stack.node.findAll().filter((node) => CfnResource.isCfnResource(node)).length;
  if (count <= MAX_RESOURCES) return;
  throw new HoldfastError('config-invalid', `The stack ${stack.stackName} would have ${count} resources for ${plans.length} plans and ${restoreTargets.length} restore targets, wanted ${MAX_RESOURCES} at most: CloudFormation takes no more in one stack.`, {
    nextStep: 'Split the plans over several stacks, each with a file and a name of its own: `-c config=... -c stack=...`.',
  });
}
