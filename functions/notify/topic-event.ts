import * as z from 'zod';
import { parseEvent } from '../../lib/aws/function-context.ts';
import type { TopicMessage } from '../../lib/notify/topic-message.ts';

/** As SNS calls a function: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html */
const topicEvent = z.object({
  Records: z.array(z.object({ Sns: z.object({ MessageId: z.string(), Subject: z.string().nullish(), Message: z.string(), Timestamp: z.string() }) })).min(1),
});

/** Fails as `usage`. */
export function parseTopicEvent(event: unknown): readonly TopicMessage[] {
  return parseEvent(topicEvent, event, 'a notification of SNS').Records.map(({ Sns: { MessageId, Subject, Message, Timestamp } }) => ({ messageId: MessageId, subject: Subject ?? undefined, message: Message, sentAt: Date.parse(Timestamp) || 0 }));
}
