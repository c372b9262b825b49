/**
 * The one DynamoDB table of a stack: catalog and run ledger. Read by the stack (which makes it), by the composition roots
 * (which hand it to `lib/catalog`) and by tests. All keys are strings; indexes project all attributes.
 *
 * `byTime` lists by month, newest first. `byGroup` is sparse: active runs, backups of a plan, occurrences of a plan.
 * Frozen once released: another key means another table.
 */
export const CATALOG_TABLE = {
  partitionKey: 'pk',
  sortKey: 'sk',
  indexes: {
    byTime: { partitionKey: 'gsi1pk', sortKey: 'gsi1sk' },
    byGroup: { partitionKey: 'gsi2pk', sortKey: 'gsi2sk' },
  },
  /** Seconds since the epoch; on occurrences alone. */
  ttlAttribute: 'expiresAt',
} as const;
