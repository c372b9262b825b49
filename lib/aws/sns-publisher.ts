import type { SNSClient } from '@aws-sdk/client-sns';
import type { Channel } from '../notify/channel.ts';
import { snsChannel } from '../notify/sns.ts';
import { fromAwsError } from './aws-error.ts';

/** The stack's topic: how every process of the stack tells people something. */
export function topicOf({ topicArn, stackName }: { readonly topicArn: string; readonly stackName: string }, client: Pick<SNSClient, 'send'>): Channel {
  return snsChannel({ client, topicArn, stackName, translate: fromAwsError });
}
