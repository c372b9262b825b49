import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { HoldfastError } from '../model/errors.ts';
import { readStackOutputs } from '../settings/outputs.ts';
import type { StackOutputs } from '../settings/outputs.ts';
import { fromAwsError } from './aws-error.ts';

/** What a deployed stack says of itself. Fails as `not-found`, `permission`, `config-invalid`, `unavailable`. */
export async function findStack(client: Pick<CloudFormationClient, 'send'>, stackName: string): Promise<StackOutputs> {
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stackName })).catch((cause: unknown) => {
    throw isUnknownStack(cause) ? unknownStack(stackName) : fromAwsError(cause, `The stack ${stackName} could not be asked`);
  });
  const [stack] = Stacks;
  if (stack === undefined) throw unknownStack(stackName);
  return readStackOutputs(stackName, Object.fromEntries((stack.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue])));
}

/** CloudFormation says `ValidationError` of a stack that is not there. */
function isUnknownStack(cause: unknown): boolean {
  return cause instanceof Error && /does not exist/.test(cause.message);
}

function unknownStack(stackName: string): HoldfastError {
  return new HoldfastError('not-found', `No stack ${stackName} is in this account and region.`, { nextStep: 'Check the name, AWS_PROFILE and AWS_REGION; `aws cloudformation list-stacks` shows what is there.' });
}
