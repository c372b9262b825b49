import { HoldfastError } from '../../../model/errors.ts';

/** Positions in WAL are 64-bit: byte counts since initdb. */
const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;

/** `0/3000028`, as PostgreSQL writes it. Fails as `usage`. */
export function parseLsn(text: string): bigint {
  const [, high, low] = LSN.exec(text) ?? [];
  if (high !== undefined && low !== undefined) return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
  throw new HoldfastError('usage', `${JSON.stringify(text)} is no WAL position, wanted two hexadecimal numbers as in 16/B374D848.`, { nextStep: '`SELECT pg_current_wal_lsn()` shows the present one.' });
}

export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

/** Of the file name of a segment (24 hexadecimal digits): which one it is, counted from the beginning of WAL. */
export function segmentNumber(name: string, segmentBytes: number): number {
  const perFile = 2 ** 32 / segmentBytes;
  return Number.parseInt(name.slice(8, 16), 16) * perFile + Number.parseInt(name.slice(16, 24), 16);
}

export function segmentName(timeline: number, number: number, segmentBytes: number): string {
  const perFile = 2 ** 32 / segmentBytes;
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
  return `${hex(timeline)}${hex(Math.floor(number / perFile))}${hex(number % perFile)}`;
}

export function segmentOf(lsn: bigint, segmentBytes: number): number {
  return Number(lsn / BigInt(segmentBytes));
}

export function segmentStart(number: number, segmentBytes: number): bigint {
  return BigInt(number) * BigInt(segmentBytes);
}
