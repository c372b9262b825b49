import { Crc64 } from './crc64.ts';

/**
 * The first version of the format that has a type of values (rdb.h, `RDB_TYPE_*`). A value says itself how it is written: the
 * version in a payload only keeps it from servers that are too old, and with the lowest one it goes into every server that
 * knows its type.
 */
const FIRST_VERSION: Readonly<Record<number, number>> = { 5: 8, 14: 7, 15: 9, 16: 10, 17: 10, 18: 10, 19: 10, 20: 11, 21: 11 };
/** Types up to this one are older than all versions that are read here. */
const OLDEST_TYPE = 13;
const OLDEST_VERSION = 6;

/** What RESTORE takes, as DUMP gives it: type, value, version, CRC64. */
export function payloadOf({ type, value }: { readonly type: number; readonly value: Buffer }, fileVersion: number): Buffer {
  const version = Math.min(fileVersion, FIRST_VERSION[type] ?? (type <= OLDEST_TYPE ? OLDEST_VERSION : fileVersion));
  const payload = Buffer.allocUnsafe(1 + value.length + 2 + 8);
  payload[0] = type;
  value.copy(payload, 1);
  payload.writeUInt16LE(version, 1 + value.length);
  new Crc64().update(payload.subarray(0, -8)).digest().copy(payload, payload.length - 8);
  return payload;
}
