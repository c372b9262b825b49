import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, ProjectionType, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Attribute } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { CATALOG_TABLE } from '../settings/catalog-table.ts';

/**
 * Catalog and ledger of the stack. Under DynamoDB's own key and not a vault's: it holds names, times and digests, never
 * data or keys; a vault whose key is lost must not take the catalog of the others with it; and it costs nothing.
 */
export class CatalogTable extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.table = new TableV2(this, 'Table', {
      partitionKey: text(CATALOG_TABLE.partitionKey),
      sortKey: text(CATALOG_TABLE.sortKey),
      globalSecondaryIndexes: Object.entries(CATALOG_TABLE.indexes).map(([indexName, keys]) => ({ indexName, partitionKey: text(keys.partitionKey), sortKey: text(keys.sortKey), projectionType: ProjectionType.ALL })),
      timeToLiveAttribute: CATALOG_TABLE.ttlAttribute,
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      // Also when a first deploy is rolled back: protected from deletion, it could only make the roll-back fail. Empty, it costs nothing.
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  /**
   * Reads and writes rows, one at a time or in transactions; no scans, no deletes, no settings. The rows that a caller
   * changes are chosen by conditions on fencing tokens, which no policy can express.
   */
  grantLedger(role: IRole): void {
    role.addToPrincipalPolicy(new PolicyStatement({
      actions: ['GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem', 'ConditionCheckItem'].map((action) => `dynamodb:${action}`),
      resources: [this.table.tableArn, `${this.table.tableArn}/index/*`],
    }));
  }

  /**
   * Takes runs out of the queue: the only rows that a function deletes. Without a condition on `dynamodb:LeadingKeys`: the
   * delete is part of the transaction that admits a run, AWS does not say whether the condition would then see the keys of
   * that delete or of all its rows, and in the second case no run would ever start. What bounds the harm: whoever has this
   * can overwrite every row as well, the table can be set back to any second of the last 35 days, and the list of backups is made
   * again from the vaults, which hold the truth.
   */
  grantQueue(role: IRole): void {
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['dynamodb:DeleteItem'], resources: [this.table.tableArn] }));
  }
}

function text(name: string): Attribute {
  return { name, type: AttributeType.STRING };
}
