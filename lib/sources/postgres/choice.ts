/** What of a database a dump holds. */
export interface DumpChoice {
  /** Patterns as `pg_dump --schema` takes them; all schemas by default. */
  readonly schemas: readonly string[];
  /** Patterns as `pg_dump --exclude-table` takes them. */
  readonly excludeTables: readonly string[];
  readonly content: 'all' | 'schema' | 'data';
}

/** A table locked for longer ends the run with its name, instead of holding it up for ever. */
export const LOCK_WAIT_MILLISECONDS = 600_000;

export interface DumpSwitches extends DumpChoice {
  readonly lockWaitMilliseconds?: number | undefined;
  /** Id of an exported snapshot. */
  readonly snapshot?: string | undefined;
}

/** Arguments of pg_dump. Its compression is off: the engine compresses, and only equal plain bytes are found again by deduplication. */
export function dumpSwitches({ schemas, excludeTables, content, snapshot, lockWaitMilliseconds = LOCK_WAIT_MILLISECONDS }: DumpSwitches): string[] {
  return [
    '--compress=0', '--no-password', `--lock-wait-timeout=${lockWaitMilliseconds}`,
    ...(content === 'all' ? [] : [`--${content}-only`]),
    ...schemas.map((pattern) => `--schema=${pattern}`),
    ...excludeTables.map((pattern) => `--exclude-table=${pattern}`),
    ...(snapshot === undefined ? [] : [`--snapshot=${snapshot}`]),
  ];
}
