import { CreateStateMachineCommand, DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { SFNClient } from '@aws-sdk/client-sfn';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { stepFunctionsClient } from '../../lib/aws/clients.ts';
import { taskToken } from '../../lib/aws/task-token.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { fromWorkflowFailure } from '../../lib/recovery/workflow/failure-text.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

/** A state that waits for a token as the restore's task does; the token comes through a queue instead of a container. */
describe('the task token on an emulator of Step Functions (R3)', () => {
  let aws: Ministack;
  let sqs: SQSClient;
  let client: SFNClient;
  let machine: string;
  let queueUrl: string;

  beforeAll(async () => {
    aws = await startMinistack();
    sqs = new SQSClient(aws.client);
    client = stepFunctionsClient(aws.client);
    queueUrl = (await sqs.send(new CreateQueueCommand({ QueueName: 'tokens' }))).QueueUrl ?? '';
    const task = { Type: 'Task', Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken', Parameters: { QueueUrl: queueUrl, MessageBody: { 'token.$': '$$.Task.Token' } }, TimeoutSeconds: 60, End: true };
    machine = (await client.send(new CreateStateMachineCommand({ name: 'waits', roleArn: 'arn:aws:iam::000000000000:role/r', definition: JSON.stringify({ StartAt: 'Wait', States: { Wait: task } }) }))).stateMachineArn ?? '';
  });
  afterAll(async () => {
    sqs?.destroy();
    await aws?.stop();
  });

  async function waiting(): Promise<{ executionArn: string; token: string }> {
    const { executionArn = '' } = await client.send(new StartExecutionCommand({ stateMachineArn: machine, input: '{}' }));
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 10 }));
    return { executionArn, token: (JSON.parse(Messages[0]?.Body ?? '{}') as { token: string }).token };
  }

  async function ended(executionArn: string) {
    for (let attempt = 0; attempt < 100; attempt++) {
      const execution = await client.send(new DescribeExecutionCommand({ executionArn }));
      if (execution.status !== 'RUNNING') return execution;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the execution did not end');
  }

  it('brings the result to the execution that waits', async () => {
    const { executionArn, token } = await waiting();
    const answer = taskToken(client, token);
    expect(await answer.heartbeat()).toBe(true);
    expect(await answer.succeed({ state: 'completed', files: 2, bytes: 3 })).toBe(true);
    const { status, output } = await ended(executionArn);
    expect([status, JSON.parse(output ?? '')]).toEqual(['SUCCEEDED', { state: 'completed', files: 2, bytes: 3 }]);
  });

  it('brings the words of an error', async () => {
    const { executionArn, token } = await waiting();
    expect(await taskToken(client, token).fail(new HoldfastError('damaged', 'The pack x is damaged.', { nextStep: 'Take another.' }))).toBe(true);
    const { status, error, cause } = await ended(executionArn);
    expect(status).toBe('FAILED');
    expect(fromWorkflowFailure({ Error: error, Cause: cause })).toEqual({ code: 'damaged', message: 'The pack x is damaged.', nextStep: 'Take another.' });
  });

  it('says that nobody waits any more', async () => {
    const { executionArn, token } = await waiting();
    await taskToken(client, token).succeed({ state: 'completed', files: 0, bytes: 0 });
    await ended(executionArn);
    expect(await taskToken(client, token).heartbeat()).toBe(false);
    expect(await taskToken(client, token).succeed({ state: 'completed', files: 0, bytes: 0 })).toBe(false);
    expect(await taskToken(client, 'nonsense').heartbeat()).toBe(false);
  });

  it('says unavailable when nobody answers, without the token', async () => {
    const away = stepFunctionsClient({ ...aws.client, endpoint: 'http://127.0.0.1:1', maxAttempts: 1 });
    await expect(taskToken(away, 'the-token').heartbeat()).rejects.toMatchObject({ code: 'unavailable', message: expect.not.stringContaining('the-token') as string });
  });
});
