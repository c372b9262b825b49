import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { any, Entity, item, map, number, record, set, string, Table } from 'dynamodb-toolbox';
import type { Clock } from '../model/clock.ts';

/** What a catalog and a ledger in DynamoDB are given; the same for both. */
export interface DynamodbPlace {
  /** Best without attempts of its own (`maxAttempts: 1`): retries happen here. */
  readonly documents: DynamoDBDocumentClient;
  readonly tableName: string;
  /** `CATALOG_TABLE` of lib/settings. */
  readonly layout: TableLayout;
  readonly clock: Clock;
  /** Evenly from [0, 1): spreads retries. */
  readonly random: () => number;
  /** How long one call may go on failing for reasons that pass; 20 s when absent. */
  readonly budgetMs?: number;
}

/** The names of the keys are fixed by the code below; a table with others is refused by the types. */
export interface TableLayout {
  readonly partitionKey: 'pk';
  readonly sortKey: 'sk';
  readonly indexes: {
    readonly byTime: { readonly partitionKey: 'gsi1pk'; readonly sortKey: 'gsi1sk' };
    readonly byGroup: { readonly partitionKey: 'gsi2pk'; readonly sortKey: 'gsi2sk' };
  };
  readonly ttlAttribute: 'expiresAt';
}

const KEYS = { pk: string().key().hidden(), sk: string().key().hidden() };
const TIME = { gsi1pk: string().optional().hidden(), gsi1sk: string().optional().hidden() };
const GROUP = { gsi2pk: string().optional().hidden(), gsi2sk: string().optional().hidden() };
const SOURCE = map({ type: string(), description: string() });

const PLAN_ROW = item({
  ...KEYS, planId: string(), name: string(), state: string(), source: any(),
  // Sums over its backups that are not expired.
  backups: number().optional(), files: number().optional(), bytes: number().optional(), addedBytes: number().optional(),
});

const RUN_FIELDS = {
  runId: string(), planId: string(), planName: string(), type: string(), state: string(), queuedAt: number(), startedAt: number().optional(),
  finishedAt: number().optional(), backupId: string().optional(), host: string(), processId: number().optional(), error: any().optional(),
};

/** Of the catalog (no `vault`) and of the ledger. */
const RUN_ROW = item({
  ...KEYS, ...TIME, ...GROUP, ...RUN_FIELDS,
  vault: string().optional(), occurrence: string().optional(), rank: number().optional(), notBefore: number().optional(), startBy: number().optional(),
  attempts: number().optional(), waitingFor: string().optional(), fence: number().optional(), leaseUntil: number().optional(), stopBy: number().optional(),
  taskArn: string().optional(), progress: any().optional(), healing: any().optional(), order: string().optional(), configHash: string().optional(),
  // The token of its newest admission, who asked for that, and who claimed the run.
  admission: number().optional(), admittedBy: string().optional(), claimedBy: string().optional(),
});

export const BACKUP_FIELDS = {
  backupId: string(), planId: string(), planName: string(), runId: string(), type: string(), state: string(), startedAt: number(), finishedAt: number(),
  sequence: number(), entries: number(), files: number(), bytes: number(), addedBytes: number(), warnings: number(), host: string(), vault: string().optional(),
  source: SOURCE, statistics: record(string(), number()),
};

const VALIDATION_ROW = item({
  ...KEYS, ...TIME, ...GROUP, validationId: string(), backupId: string(), level: string(), result: string(), startedAt: number(), finishedAt: number(),
  bytesRead: number(), problems: any(),
});

const RESTORE_ROW = item({
  ...KEYS, ...TIME, ...GROUP, restoreId: string(), backupId: string(), target: string(), state: string(), startedAt: number(), finishedAt: number().optional(),
  files: number(), bytes: number(), error: any().optional(), stages: any().optional(),
});

const OCCURRENCE_ROW = item({
  ...KEYS, ...GROUP, key: string(), planName: string(), trigger: string(), at: number(), runId: string(), claimedAt: number(), expiresAt: number().hidden(),
});

const ALERT_ROW = item({
  ...KEYS, ...TIME, alertId: string(), kind: string(), severity: string(), state: string(), title: string(), message: string(), nextStep: string(),
  planName: string().optional(), runId: string().optional(), openedAt: number(), resolvedAt: number().optional(), delivered: set(string()).optional(),
});

/** Which generation of the rebuildable rows counts, and whether another is being built. */
const POINTER_ROW = item({ ...KEYS, generation: number(), building: number().optional(), late: number().optional(), oldest: number().optional() });

export type Rows = ReturnType<typeof openTable>;

/** Table and entities for one place. */
export function openTable({ documents, tableName, layout }: Pick<DynamodbPlace, 'documents' | 'tableName' | 'layout'>) {
  const table = new Table({
    documentClient: documents, name: tableName,
    partitionKey: { name: layout.partitionKey, type: 'string' }, sortKey: { name: layout.sortKey, type: 'string' },
    indexes: {
      byTime: { type: 'global', partitionKey: { name: layout.indexes.byTime.partitionKey, type: 'string' }, sortKey: { name: layout.indexes.byTime.sortKey, type: 'string' } },
      byGroup: { type: 'global', partitionKey: { name: layout.indexes.byGroup.partitionKey, type: 'string' }, sortKey: { name: layout.indexes.byGroup.sortKey, type: 'string' } },
    },
  });
  // Times are the control plane's and come with the records: the library's own, by the clock of this machine, are left out.
  const common = { table, timestamps: false } as const;
  return {
    table,
    plans: new Entity({ ...common, name: 'plan', schema: PLAN_ROW }),
    runs: new Entity({ ...common, name: 'run', schema: RUN_ROW }),
    backups: new Entity({ ...common, name: 'backup', schema: item({ ...KEYS, ...TIME, ...GROUP, ...BACKUP_FIELDS, revision: string() }) }),
    late: new Entity({ ...common, name: 'late', schema: item({ ...KEYS, backup: any() }) }),
    validations: new Entity({ ...common, name: 'validation', schema: VALIDATION_ROW }),
    restores: new Entity({ ...common, name: 'restore', schema: RESTORE_ROW }),
    occurrences: new Entity({ ...common, name: 'occurrence', schema: OCCURRENCE_ROW }),
    queued: new Entity({ ...common, name: 'queued', schema: item({ ...KEYS, runId: string() }) }),
    slots: new Entity({ ...common, name: 'slots', schema: item({ ...KEYS, runs: set(string()).optional() }) }),
    alerts: new Entity({ ...common, name: 'alert', schema: ALERT_ROW }),
    pauses: new Entity({ ...common, name: 'pause', schema: item({ ...KEYS, planName: string(), at: number(), by: string() }) }),
    months: new Entity({ ...common, name: 'months', schema: item({ ...KEYS, months: set(string()).optional() }) }),
    pointer: new Entity({ ...common, name: 'pointer', schema: POINTER_ROW }),
  };
}
