import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { DynamodbPlace } from '../../lib/catalog/dynamodb-table.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { CATALOG_TABLE } from '../../lib/settings/catalog-table.ts';
import type { Ministack } from '../support/servers/ministack.ts';

/** One client and as many fresh tables as a suite wants, with the keys that the stack deploys. */
export class DynamodbTables {
  readonly client: DynamoDBClient;
  readonly documents: DynamoDBDocumentClient;
  #made = 0;

  constructor(server: Pick<Ministack, 'client'>, config: DynamoDBClientConfig = {}) {
    this.client = new DynamoDBClient({ ...server.client, maxAttempts: 1, ...config });
    this.documents = DynamoDBDocumentClient.from(this.client);
  }

  async make(fields: Partial<DynamodbPlace> = {}): Promise<DynamodbPlace> {
    const tableName = `catalog-${process.pid}-${(this.#made += 1)}`;
    const { partitionKey, sortKey, indexes } = CATALOG_TABLE;
    const keys = (partition: string, sort: string) => [{ AttributeName: partition, KeyType: 'HASH' as const }, { AttributeName: sort, KeyType: 'RANGE' as const }];
    const names = [partitionKey, sortKey, ...Object.values(indexes).flatMap((index) => [index.partitionKey, index.sortKey])];
    await this.client.send(new CreateTableCommand({
      TableName: tableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: keys(partitionKey, sortKey),
      AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      GlobalSecondaryIndexes: Object.entries(indexes).map(([IndexName, index]) => ({ IndexName, KeySchema: keys(index.partitionKey, index.sortKey), Projection: { ProjectionType: 'ALL' } })),
    }));
    return { documents: this.documents, tableName, layout: CATALOG_TABLE, clock: systemClock, random: Math.random, ...fields };
  }

  close(): void {
    this.client.destroy();
  }
}
