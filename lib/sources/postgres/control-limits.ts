/** Settings that a hot standby must not have lower than the server whose WAL it replays, as `pg_control` keeps them. */
export type ServerLimits = Readonly<Record<(typeof NAMES)[number], number>>;

const NAMES = ['max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction'] as const;
/** `ControlFileData` of catalog/pg_control.h: the same places in PostgreSQL 13 to 16, 17 and 18. */
const KNOWN_VERSIONS: readonly number[] = [1300, 1700, 1800];
const VERSION_AT = 8;
const FIRST_AT = 180;
const INT_BYTES = 4;
const MOST = 2 ** 31 - 1;

/** Undefined: of a version that is not known, or cut. */
export function limitsInControl(control: Buffer): ServerLimits | undefined {
  if (control.length < FIRST_AT + NAMES.length * INT_BYTES || !KNOWN_VERSIONS.includes(control.readUInt32LE(VERSION_AT))) return undefined;
  const values = NAMES.map((name, index) => [name, control.readUInt32LE(FIRST_AT + index * INT_BYTES)] as const);
  return values.every(([, value]) => value <= MOST) ? (Object.fromEntries(values) as unknown as ServerLimits) : undefined;
}
