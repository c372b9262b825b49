import type { LambdaClient } from '@aws-sdk/client-lambda';
import { requestRun } from '../../lib/aws/start-run.ts';
import type { Dispatched } from '../../lib/scheduling/dispatch.ts';
import { parseTrigger } from '../../lib/scheduling/trigger.ts';
import type { Trigger } from '../../lib/scheduling/trigger.ts';

/** Reads requests as the function dispatch does, and gives one of its answers. */
function dispatchThat(answer: Dispatched): { readonly client: Pick<LambdaClient, 'send'>; readonly triggers: Trigger[] } {
  const triggers: Trigger[] = [];
  const send = async ({ input }: { readonly input: { readonly Payload: Uint8Array } }) => {
    triggers.push(parseTrigger(JSON.parse(Buffer.from(input.Payload).toString('utf8'))));
    return { Payload: Buffer.from(JSON.stringify(answer)) };
  };
  return { client: { send } as never, triggers };
}

const ACCEPTED = { outcome: 'accepted', runId: '01K00000000000000000000RUN', occurrence: 'orders/manual/k', isNew: true, start: 'started' } as unknown as Dispatched;

describe('asking a stack for a run', () => {
  it('is a request that dispatch takes, of everything when it was asked so', async () => {
    const { client, triggers } = dispatchThat(ACCEPTED);
    expect(await requestRun(client, 'dispatch', { plan: 'orders', isFull: false, idempotencyKey: 'k' })).toBe('01K00000000000000000000RUN');
    await requestRun(client, 'dispatch', { plan: 'orders', isFull: true, idempotencyKey: 'k' });
    expect(triggers).toEqual([{ plan: 'orders', kind: 'manual', idempotencyKey: 'k' }, { plan: 'orders', kind: 'manual', idempotencyKey: 'k', type: 'full' }]);
  });

  it('fails with the reason for which dispatch refuses, and what to do', async () => {
    const { client } = dispatchThat({ outcome: 'refused', reason: 'Plan orders is paused.', nextStep: 'Resume plan orders.' });
    await expect(requestRun(client, 'dispatch', { plan: 'orders', isFull: false })).rejects.toMatchObject({ code: 'refused', message: 'Plan orders is paused.', nextStep: 'Resume plan orders.' });
  });
});
