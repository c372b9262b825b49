import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Catalog } from '../catalog/catalog.ts';
import { DynamodbCatalog } from '../catalog/dynamodb-catalog.ts';
import { DynamodbLedger } from '../catalog/dynamodb-ledger.ts';
import type { DynamodbPlace } from '../catalog/dynamodb-table.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { systemClock } from '../model/clock.ts';
import { CATALOG_TABLE } from '../settings/catalog-table.ts';

/** The catalog of a stack. */
export function openCatalog(client: DynamoDBClient, tableName: string): Catalog {
  return new DynamodbCatalog(placeOf(client, tableName));
}

/** Its run ledger, in the same table. */
export function openLedger(client: DynamoDBClient, tableName: string): RunLedger {
  return new DynamodbLedger(placeOf(client, tableName));
}

function placeOf(client: DynamoDBClient, tableName: string): DynamodbPlace {
  const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  return { documents, tableName, layout: CATALOG_TABLE, clock: systemClock, random: Math.random };
}
