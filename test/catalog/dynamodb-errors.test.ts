import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { DynamodbCatalog } from '../../lib/catalog/dynamodb-catalog.ts';
import { dynamodbError, refusedRow } from '../../lib/catalog/dynamodb-errors.ts';
import { DynamodbLedger } from '../../lib/catalog/dynamodb-ledger.ts';
import { CATALOG_TABLE } from '../../lib/settings/catalog-table.ts';
import { backup } from '../contract/catalog.ts';

const sdk = (name: string, fields: object = {}): Error => Object.assign(new Error(`${name} says`), { name, ...fields });
const cancelled = (...codes: readonly string[]): Error => sdk('TransactionCanceledException', { CancellationReasons: codes.map((Code) => ({ Code, Message: `about ${Code}` })) });

describe('errors of DynamoDB', () => {
  it.each([
    ['throttling', sdk('ThrottlingException'), 'busy', true],
    ['throttling of the table', sdk('ProvisionedThroughputExceededException'), 'busy', true],
    ['a conflict of transactions', cancelled('None', 'TransactionConflict'), 'busy', true],
    ['a conflict and throttling', cancelled('ThrottlingError', 'TransactionConflict', 'None'), 'busy', true],
    ['a request that is still under way', sdk('TransactionInProgressException'), 'busy', true],
    ['an error inside', sdk('InternalServerError', { $metadata: { httpStatusCode: 500 } }), 'unavailable', true],
    ['an unknown 503', sdk('UnknownError', { $metadata: { httpStatusCode: 503 } }), 'unavailable', true],
    ['a refused connection', sdk('Error', { code: 'ECONNREFUSED' }), 'unavailable', true],
    ['a time-out', sdk('TimeoutError'), 'unavailable', true],
    ['a denied role', sdk('AccessDeniedException', { $metadata: { httpStatusCode: 400 } }), 'permission', false],
    ['expired credentials', sdk('ExpiredTokenException'), 'permission', false],
    ['no credentials', sdk('CredentialsProviderError'), 'permission', false],
    ['no table', sdk('ResourceNotFoundException'), 'not-found', false],
    ['a row that grew too large', sdk('ValidationException', { message: 'Item size to update has exceeded the maximum allowed size' }), 'refused', false],
    ['any other refusal', sdk('ValidationException'), 'broken-invariant', false],
    ['a transaction that is wrong', cancelled('ValidationError', 'TransactionConflict'), 'broken-invariant', false],
  ])('%s is told with the table and what to do', (_, cause, code, retryable) => {
    const error = dynamodbError('backups', cause);
    expect(error).toMatchObject({ code, retryable, cause, message: expect.stringContaining('table backups') });
    expect(code === 'broken-invariant' || (error.nextStep ?? '').length > 10).toBe(true);
  });

  it('name the row whose condition did not hold, and only then', () => {
    expect(refusedRow(cancelled('None', 'ConditionalCheckFailed', 'ConditionalCheckFailed'))).toBe(1);
    expect(refusedRow(cancelled('TransactionConflict', 'ConditionalCheckFailed'))).toBe(1);
    expect(refusedRow(sdk('ConditionalCheckFailedException'))).toBe(0);
    expect(refusedRow(cancelled('None', 'TransactionConflict'))).toBeUndefined();
    expect(refusedRow(sdk('ThrottlingException'))).toBeUndefined();
  });
});

describe('retries of DynamoDB', () => {
  /** Answers from a list; the clock only moves by what the code sleeps. */
  function scripted(answers: readonly (Error | object)[]) {
    const left = [...answers];
    const slept: number[] = [];
    const tokens: unknown[] = [];
    const client = new DynamoDBClient({ region: 'eu-central-1', endpoint: 'http://127.0.0.1:9', maxAttempts: 1, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
    const documents = DynamoDBDocumentClient.from(client);
    documents.middlewareStack.add(
      (_next, context) => async (args) => {
        const { commandName } = context as { commandName?: string };
        if (commandName !== 'TransactWriteItemsCommand') return { response: {}, output: { $metadata: {} } } as never;
        tokens.push((args.input as { ClientRequestToken?: string }).ClientRequestToken);
        const answer = left.length > 1 ? left.shift() : left[0];
        if (answer instanceof Error) throw answer;
        return { response: {}, output: { $metadata: {}, ...answer } } as never;
      },
      { step: 'initialize', priority: 'low', name: 'scripted' },
    );
    let now = 0;
    const clock = { now: () => now, sleep: async (milliseconds: number) => void (slept.push(milliseconds), (now += milliseconds)) };
    return { slept, tokens, place: { documents, tableName: 'backups', layout: CATALOG_TABLE, clock, random: () => 0.5, budgetMs: 10_000 } };
  }

  it('wait below a doubling bound, and ask with the same token, so that a lost answer changes nothing', async () => {
    const { place, slept, tokens } = scripted([sdk('ThrottlingException'), cancelled('TransactionConflict'), sdk('TimeoutError'), {}]);
    await new DynamodbCatalog(place).recordBackup(backup(1));
    expect(slept).toEqual([50, 100, 200]);
    expect(tokens).toHaveLength(4);
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).toEqual(expect.any(String));
  });

  it.each([['busy', sdk('ThrottlingException')], ['busy', cancelled('TransactionConflict', 'None')], ['unavailable', sdk('InternalServerError')]])('end as %s when the budget is spent', async (code, error) => {
    const { place, slept } = scripted([error]);
    await expect(new DynamodbCatalog(place).recordBackup(backup(1))).rejects.toMatchObject({ code, retryable: true });
    const total = slept.reduce((sum, pause) => sum + pause, 0);
    expect(total).toBeGreaterThanOrEqual(10_000);
    expect(total).toBeLessThan(12_000);
  });

  it('are not made for what waiting does not mend', async () => {
    const { place, slept } = scripted([sdk('AccessDeniedException')]);
    await expect(new DynamodbLedger(place).openAlert({ alertId: 'a', kind: 'control-plane', severity: 'low', state: 'open', title: 't', message: 'm', nextStep: 'n', openedAt: 1 })).rejects.toMatchObject({ code: 'permission' });
    expect(slept).toEqual([]);
  });

  it('read records that break their type as a mistake in Holdfast, before anything is sent', async () => {
    const { place, tokens } = scripted([{}]);
    await expect(new DynamodbCatalog(place).recordBackup(backup(1, { host: undefined as never }))).rejects.toMatchObject({ code: 'broken-invariant', message: expect.stringContaining('host') });
    expect(tokens).toEqual([]);
  });
});
