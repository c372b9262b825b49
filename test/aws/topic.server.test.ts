import { CreateQueueCommand, DeleteMessageBatchCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { snsClient } from '../../lib/aws/clients.ts';
import { topicOf } from '../../lib/aws/sns-publisher.ts';
import type { Alert } from '../../lib/notify/alert.ts';
import { decodeAlert } from '../../lib/notify/topic-message.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

const ALERT: Alert = {
  alertId: 'backup-failed/01J', kind: 'backup-failed', severity: 'high', state: 'open', title: 'Sicherung für "orders" fehlt', message: 'It failed: <no> {words} ${here}.', nextStep: 'Mend it.',
  planName: 'orders', openedAt: Date.UTC(2026, 10, 21, 10),
};

describe('the alerts\' topic on an emulator (M4)', () => {
  let aws: Ministack;
  let sqs: SQSClient;

  beforeAll(async () => {
    aws = await startMinistack();
    sqs = new SQSClient(aws.client);
  });
  afterAll(async () => {
    sqs?.destroy();
    await aws?.stop();
  });

  async function subscribedQueue(name: string): Promise<{ topicArn: string; queueUrl: string }> {
    const sns = snsClient(aws.client);
    const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: name }));
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: Attributes?.['QueueArn'] ?? '' }));
    return { topicArn: TopicArn, queueUrl: QueueUrl };
  }

  async function received(queueUrl: string): Promise<{ Message: string; Subject: string; MessageAttributes: Record<string, { Value: string }> }> {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 10, MaxNumberOfMessages: 10 }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })) }));
    expect(Messages).toHaveLength(1);
    return JSON.parse(Messages[0]?.Body ?? '') as never;
  }

  it('gives a queue the alert, the text that people read, and attributes to filter by', async () => {
    const { topicArn, queueUrl } = await subscribedQueue('alerts');
    await topicOf({ topicArn, stackName: 'prod' }, snsClient(aws.client)).send(ALERT);
    const { Message, Subject, MessageAttributes } = await received(queueUrl);
    expect(Subject).toBe('[prod] HIGH: Sicherung f?r "orders" fehlt');
    expect(decodeAlert({ messageId: '', subject: Subject, message: Message, sentAt: 0 })).toEqual({ alert: ALERT, isOurs: true });
    const { text } = JSON.parse(Message) as { text: string };
    for (const part of [ALERT.title, ALERT.message, 'Since: 2026-11-21 10:00:00 UTC', 'What to do: Mend it.', 'of stack prod']) expect(text).toContain(part);
    expect(MessageAttributes).toMatchObject({ kind: { Value: 'backup-failed' }, severity: { Value: 'high' }, state: { Value: 'open' } });
  });

  it('says not-found of a topic that is gone', async () => {
    const topicArn = 'arn:aws:sns:eu-central-1:000000000000:nothing';
    await expect(topicOf({ topicArn, stackName: 'prod' }, snsClient(aws.client)).send(ALERT)).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining(topicArn) as string });
  });

  it('says unavailable, to be tried again, when nobody answers', async () => {
    const gone = snsClient({ ...aws.client, endpoint: 'http://127.0.0.1:1', maxAttempts: 1 });
    await expect(topicOf({ topicArn: 'arn:aws:sns:eu-central-1:1:x', stackName: 'prod' }, gone).send(ALERT)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });
});
