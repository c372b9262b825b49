/**
 * One entry for every version of the schema; `PRAGMA user_version` counts how many were applied. Entries never change
 * once released: what comes later is appended.
 *
 * Runs and backups refer to their plan. Validations and restores are history: they may outlive the row of their backup
 * and refer to it by id alone. Rarely asked details are JSON, so that a new figure needs no migration.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE plans (
    plan_id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, source TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, plan_id TEXT NOT NULL REFERENCES plans, plan_name TEXT NOT NULL, type TEXT NOT NULL,
    state TEXT NOT NULL, queued_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER, backup_id TEXT,
    host TEXT NOT NULL, process_id INTEGER, error TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX runs_by_time ON runs (queued_at DESC, run_id DESC);

  CREATE TABLE backups (
    backup_id TEXT PRIMARY KEY, plan_id TEXT NOT NULL REFERENCES plans, plan_name TEXT NOT NULL, run_id TEXT NOT NULL,
    type TEXT NOT NULL, state TEXT NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL, entries INTEGER NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
    added_bytes INTEGER NOT NULL, warnings INTEGER NOT NULL, host TEXT NOT NULL, source TEXT NOT NULL, statistics TEXT NOT NULL
  ) STRICT;
  CREATE INDEX backups_by_time ON backups (finished_at DESC, backup_id DESC);

  CREATE TABLE validations (
    validation_id TEXT PRIMARY KEY, backup_id TEXT NOT NULL, level TEXT NOT NULL, result TEXT NOT NULL,
    started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL, bytes_read INTEGER NOT NULL, problems TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX validations_by_backup ON validations (backup_id, finished_at DESC, validation_id DESC);

  CREATE TABLE restores (
    restore_id TEXT PRIMARY KEY, backup_id TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL,
    started_at INTEGER NOT NULL, finished_at INTEGER, files INTEGER NOT NULL, bytes INTEGER NOT NULL, error TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX restores_by_time ON restores (started_at DESC, restore_id DESC);
  `,
  'ALTER TABLE restores ADD COLUMN stages TEXT',
  // The run ledger. A row of runs that has a vault is the ledger's; slots are its rows that are starting, running or committing.
  `
  ALTER TABLE runs ADD COLUMN vault TEXT;
  ALTER TABLE runs ADD COLUMN occurrence TEXT;
  ALTER TABLE runs ADD COLUMN rank INTEGER;
  ALTER TABLE runs ADD COLUMN not_before INTEGER;
  ALTER TABLE runs ADD COLUMN start_by INTEGER;
  ALTER TABLE runs ADD COLUMN attempts INTEGER;
  ALTER TABLE runs ADD COLUMN waiting_for TEXT;
  ALTER TABLE runs ADD COLUMN fence INTEGER;
  ALTER TABLE runs ADD COLUMN lease_until INTEGER;
  ALTER TABLE runs ADD COLUMN stop_by INTEGER;
  ALTER TABLE runs ADD COLUMN task_arn TEXT;
  ALTER TABLE runs ADD COLUMN progress TEXT;
  ALTER TABLE runs ADD COLUMN run_order TEXT;
  ALTER TABLE runs ADD COLUMN config_hash TEXT;
  ALTER TABLE runs ADD COLUMN admission INTEGER;
  ALTER TABLE runs ADD COLUMN admitted_by TEXT;
  ALTER TABLE runs ADD COLUMN claimed_by TEXT;
  CREATE INDEX runs_under_way ON runs (vault, state, rank) WHERE vault IS NOT NULL AND state IN ('queued', 'starting', 'running', 'committing');

  CREATE TABLE occurrences (
    key TEXT PRIMARY KEY, plan_name TEXT NOT NULL, trigger_kind TEXT NOT NULL, at INTEGER NOT NULL, run_id TEXT NOT NULL, claimed_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX occurrences_by_plan ON occurrences (plan_name, at);

  CREATE TABLE alerts (
    alert_id TEXT PRIMARY KEY, kind TEXT NOT NULL, severity TEXT NOT NULL, state TEXT NOT NULL, title TEXT NOT NULL,
    message TEXT NOT NULL, next_step TEXT NOT NULL, plan_name TEXT, run_id TEXT, opened_at INTEGER NOT NULL, resolved_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX alerts_by_time ON alerts (opened_at DESC, alert_id DESC);
  CREATE TABLE deliveries (alert_id TEXT NOT NULL, channel TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (alert_id, channel)) STRICT, WITHOUT ROWID;

  CREATE TABLE pauses (plan_name TEXT PRIMARY KEY, at INTEGER NOT NULL, paused_by TEXT NOT NULL) STRICT, WITHOUT ROWID;

  ALTER TABLE backups ADD COLUMN vault TEXT;
  `,
  'ALTER TABLE runs ADD COLUMN healing TEXT',
];
