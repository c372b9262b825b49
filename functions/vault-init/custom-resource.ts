import * as z from 'zod';
import { HoldfastError } from '../../lib/model/errors.ts';
import { deployedRecipient } from '../../lib/settings/parse-deployed.ts';

/** As CloudFormation calls a function: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html */
export const resourceEvent = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url(),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string().optional(),
  ResourceProperties: z.object({ Recipients: z.record(z.string(), z.array(deployedRecipient)).optional() }).optional(),
});
export type ResourceEvent = z.infer<typeof resourceEvent>;

export type ResourceAnswer = { readonly Status: 'SUCCESS'; readonly Data: Readonly<Record<string, string>> } | { readonly Status: 'FAILED'; readonly Reason: string };

export interface AnswerPorts {
  readonly fetch: typeof fetch;
  readonly sleep: (milliseconds: number) => Promise<unknown>;
}

/** CloudFormation takes 4 KiB in all. */
const MAX_REASON = 1500;
const ATTEMPTS = 5;

/**
 * Puts the answer where CloudFormation waits for it; without one a deploy hangs until its timeout. Fails as
 * `unavailable` when it was not taken. The address is a secret of this deploy and in no message.
 */
export async function answerResource(event: ResourceEvent, physicalId: string, answer: ResourceAnswer, { fetch, sleep }: AnswerPorts): Promise<void> {
  const { StackId, RequestId, LogicalResourceId } = event;
  const reason = answer.Status === 'FAILED' ? { Reason: answer.Reason.slice(0, MAX_REASON) } : {};
  // As bytes: the address was signed for a request without a content type, which a text would get.
  const body = Buffer.from(JSON.stringify({ ...answer, ...reason, PhysicalResourceId: physicalId, StackId, RequestId, LogicalResourceId }));
  for (let attempt = 1; ; attempt++) {
    const status = await fetch(event.ResponseURL, { method: 'PUT', body, signal: AbortSignal.timeout(10_000) }).then((response) => response.status, () => 0);
    if (status >= 200 && status < 300) return;
    const isLast = attempt === ATTEMPTS || (status >= 400 && status < 500);
    if (isLast) throw new HoldfastError('unavailable', `CloudFormation did not take the answer (${status === 0 ? 'no connection' : `status ${status}`}), wanted 200.`, { nextStep: 'Wait until the deploy times out, then deploy again: making vaults is repeatable.' });
    await sleep(500 * 2 ** attempt);
  }
}
