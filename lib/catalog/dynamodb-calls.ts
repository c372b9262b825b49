import { randomUUID } from 'node:crypto';
import { BatchGetCommand, BatchWriteCommand, QueryCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { QueryCommandInput, TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { HoldfastError } from '../model/errors.ts';
import { dynamodbError, refusedRow } from './dynamodb-errors.ts';
import type { RowKey } from './dynamodb-keys.ts';
import type { DynamodbPlace } from './dynamodb-table.ts';

type Item = Readonly<Record<string, unknown>>;
type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

/** One row of a transaction: a built action of dynamodb-toolbox. */
export interface RowAction {
  params(): TransactItem & { readonly ToolboxItem?: unknown };
}

export interface QueryRange {
  readonly partition: string;
  /** The table itself when absent; indexes are behind by some milliseconds. */
  readonly index?: 'byTime' | 'byGroup';
  /** Sort keys below, from, or beginning with. */
  readonly below?: string;
  readonly from?: string;
  readonly prefix?: string;
  readonly isNewestFirst?: boolean;
  /** How many rows each request asks for, or the next one; all that fit into 1 MB when absent. */
  readonly pageSize?: number | (() => number);
}

const BASE_DELAY_MS = 50;
const MAX_DELAY_MS = 3_000;
const BUDGET_MS = 20_000;
/** DynamoDB's own limits of one request. */
const BATCH_GET = 100;
const BATCH_WRITE = 25;
/** Of 409,600 bytes; what JSON leaves out (lengths, types) is far less than the rest. */
const LARGEST_ROW = 390_000;

/**
 * Requests to one table, each repeated while it fails for reasons that pass (throttling, 5xx, conflicts of transactions),
 * with random pauses below a doubling bound. After the budget: `busy` or `unavailable`, retryable.
 */
export class DynamodbCalls {
  readonly #place: DynamodbPlace;

  constructor(place: DynamodbPlace) {
    this.#place = place;
  }

  /**
   * All rows or none. Undefined when written, else the index of the first row whose condition did not hold. The token
   * makes a repeated request, after a lost answer, the same request: DynamoDB answers it without writing again.
   */
  async write(rows: readonly RowAction[]): Promise<number | undefined> {
    const TransactItems = this.build(() => rows.map((row) => withoutToolbox(row.params())));
    TransactItems.forEach((row) => this.#checkSize(row.Put?.Item ?? row.Update?.ExpressionAttributeValues));
    const command = { TransactItems, ClientRequestToken: randomUUID() };
    return await this.#unlessRefused(() => this.send(() => this.#place.documents.send(new TransactWriteCommand(command))));
  }

  /** One row, for steps that do no harm when they are done twice: half the price of a transaction. False when its condition did not hold. */
  async writeOne(send: () => Promise<unknown>): Promise<boolean> {
    return (await this.#unlessRefused(() => this.send(send))) === undefined;
  }

  async #unlessRefused(send: () => Promise<unknown>): Promise<number | undefined> {
    try {
      await send();
      return undefined;
    } catch (error) {
      const row = refusedRow((error as { cause?: unknown }).cause);
      if (row === undefined) throw error;
      return row;
    }
  }

  /** Rows of a partition, page by page, in the order of the sort key. */
  async *query(range: QueryRange): AsyncGenerator<readonly Item[]> {
    let start: Item | undefined;
    do {
      const page = await this.send(() => this.#place.documents.send(new QueryCommand({ ...this.#queryInput(range), ...(start && { ExclusiveStartKey: start }) })));
      yield page.Items ?? [];
      start = page.LastEvaluatedKey;
    } while (start !== undefined);
  }

  /** Consistent. Absent rows are left out; in no order. */
  async getMany(keys: readonly RowKey[]): Promise<Item[]> {
    const found: Item[] = [];
    let left: readonly RowKey[] = keys;
    while (left.length > 0) {
      const asked = left.slice(0, BATCH_GET);
      const answer = await this.send(() => this.#place.documents.send(new BatchGetCommand({ RequestItems: { [this.#place.tableName]: { Keys: [...asked], ConsistentRead: true } } })));
      found.push(...(answer.Responses?.[this.#place.tableName] ?? []));
      left = [...left.slice(BATCH_GET), ...((answer.UnprocessedKeys?.[this.#place.tableName]?.Keys ?? []) as RowKey[])];
    }
    return found;
  }

  /** Puts or deletes in no order and not at once: for rows that nobody reads yet or any more. */
  async batch(requests: readonly ({ readonly put: Item } | { readonly remove: RowKey })[]): Promise<void> {
    for (const request of requests) if ('put' in request) this.#checkSize(request.put);
    let left = requests.map((request) => ('put' in request ? { PutRequest: { Item: { ...request.put } } } : { DeleteRequest: { Key: { ...request.remove } } }));
    let failures = 0;
    while (left.length > 0) {
      const RequestItems = { [this.#place.tableName]: left.slice(0, BATCH_WRITE) };
      const answer = await this.send(() => this.#place.documents.send(new BatchWriteCommand({ RequestItems })));
      const again = (answer.UnprocessedItems?.[this.#place.tableName] ?? []) as typeof left;
      if (again.length > 0) await this.#pause((failures += 1));
      left = [...left.slice(BATCH_WRITE), ...again];
    }
  }

  /** Makes rows; a record that breaks its type is `broken-invariant`. */
  build<T>(build: () => T): T {
    try {
      return build();
    } catch (cause) {
      throw dynamodbError(this.#place.tableName, cause);
    }
  }

  /** A request with retries; other errors come out translated, with the SDK's as their cause. */
  async send<T>(request: () => Promise<T>): Promise<T> {
    const { clock, budgetMs = BUDGET_MS } = this.#place;
    const deadline = clock.now() + budgetMs;
    for (let failures = 1; ; failures++) {
      try {
        return await request();
      } catch (cause) {
        const error = dynamodbError(this.#place.tableName, cause);
        if (!error.retryable || clock.now() >= deadline) throw error;
        await this.#pause(failures);
      }
    }
  }

  async #pause(failures: number): Promise<void> {
    const { clock, random } = this.#place;
    await clock.sleep(random() * Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** failures));
  }

  #queryInput({ partition, index, below, from, prefix, isNewestFirst, pageSize }: QueryRange): QueryCommandInput {
    const { tableName, layout } = this.#place;
    const names = index === undefined ? layout : layout.indexes[index];
    const [condition, bound] = below !== undefined ? ['#s < :b', below] : from !== undefined ? ['#s >= :b', from] : ['begins_with(#s, :b)', prefix];
    return {
      TableName: tableName,
      KeyConditionExpression: bound === undefined ? '#p = :p' : `#p = :p AND ${condition}`,
      ExpressionAttributeNames: { '#p': names.partitionKey, ...(bound !== undefined && { '#s': names.sortKey }) },
      ExpressionAttributeValues: { ':p': partition, ...(bound !== undefined && { ':b': bound }) },
      ScanIndexForward: isNewestFirst !== true,
      ...(index === undefined ? { ConsistentRead: true } : { IndexName: index }),
      ...(pageSize !== undefined && { Limit: typeof pageSize === 'number' ? pageSize : pageSize() }),
    };
  }

  #checkSize(row: object | undefined): void {
    const bytes = row === undefined ? 0 : Buffer.byteLength(JSON.stringify(row));
    if (bytes <= LARGEST_ROW) return;
    throw new HoldfastError('refused', `A row of ${bytes} bytes was to be written to the catalog table ${this.#place.tableName}, wanted at most ${LARGEST_ROW}: DynamoDB takes no more.`, {
      nextStep: 'Shorten what the row carries, such as the paths, commands and patterns of one plan: split it into two.',
    });
  }
}

function withoutToolbox({ ToolboxItem: _, ...params }: ReturnType<RowAction['params']>): TransactItem {
  return params;
}
