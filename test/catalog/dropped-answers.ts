import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createHash } from 'node:crypto';

const WRITES = new Set(['PutItemCommand', 'UpdateItemCommand', 'DeleteItemCommand', 'TransactWriteItemsCommand', 'BatchWriteItemCommand']);

/**
 * Performs every write and then loses its answer, once for each different request: what a broken connection does. The
 * code must ask again and come to the same truth. Counts what it lost. (Around the deserializer: an answer that nobody
 * reads would keep its connection.)
 */
export function dropFirstAnswers(client: DynamoDBClient): { readonly lost: () => number } {
  const seen = new Set<string>();
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const answer = await next(args);
      const { commandName = '' } = context as { commandName?: string };
      const body = createHash('sha256').update((args.request as { readonly body: Uint8Array }).body).digest('hex');
      if (!WRITES.has(commandName) || seen.has(body)) return answer;
      seen.add(body);
      throw Object.assign(new Error('the answer was lost'), { name: 'TimeoutError' });
    },
    { step: 'deserialize', priority: 'high', name: 'dropFirstAnswers' },
  );
  return { lost: () => seen.size };
}
