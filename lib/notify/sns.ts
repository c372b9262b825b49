import { PublishCommand } from '@aws-sdk/client-sns';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { Channel } from './channel.ts';
import { renderText } from './render.ts';
import { encodeAlert } from './topic-message.ts';

export interface SnsOptions {
  readonly client: Pick<SNSClient, 'send'>;
  readonly topicArn: string;
  readonly stackName: string;
  /** An error of the SDK in our words. */
  readonly translate: (cause: unknown, what: string) => Error;
}

/**
 * The alerts' topic: people who subscribed by e-mail read the text, functions and queues get JSON that holds the alert
 * and the same text. Severity and kind are attributes, so that a subscription can filter by them.
 */
export function snsChannel({ client, topicArn, stackName, translate }: SnsOptions): Channel {
  return {
    name: 'sns',
    send: async (alert) => {
      const { subject, text } = renderText(alert, stackName);
      const json = encodeAlert(alert, text);
      const message = { default: text, email: text, lambda: json, sqs: json, https: json, firehose: json };
      const attribute = (value: string) => ({ DataType: 'String', StringValue: value });
      await client.send(new PublishCommand({
        TopicArn: topicArn,
        Subject: subject,
        MessageStructure: 'json',
        Message: JSON.stringify(message),
        MessageAttributes: { kind: attribute(alert.kind), severity: attribute(alert.severity), state: attribute(alert.state) },
      })).catch((cause: unknown) => {
        throw translate(cause, `The alert ${alert.alertId} could not be published to ${topicArn}`);
      });
    },
  };
}
