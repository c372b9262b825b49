import { HoldfastError } from '../../../model/errors.ts';
import { segmentNumber, segmentStart } from './lsn.ts';

/** Of PostgreSQL's access/xlog_internal.h: XLogPageHeaderData, XLogLongPageHeaderData, in the byte order of the server. */
export const LONG_HEADER_BYTES = 40;
export const SHORT_HEADER_BYTES = 24;
export const FLAG_CONTINUED = 0x1;
export const FLAG_LONG = 0x2;
/** The record that began on the page before was given up: this page does not go on with it. */
export const FLAG_OVERWRITTEN = 0x8;
/** All releases of today begin with it; the low byte counts changes of the format. */
const MAGIC_HIGH = 0xd1;

export interface PageHeader {
  readonly magic: number;
  readonly flags: number;
  readonly timeline: number;
  readonly address: bigint;
  /** Bytes of a record of the page before that stand behind this header. */
  readonly remaining: number;
}

export interface SegmentHeader extends PageHeader {
  readonly systemId: string;
  readonly segmentBytes: number;
  readonly pageBytes: number;
}

export function pageHeader(bytes: Uint8Array, at: number): PageHeader {
  const view = viewOf(bytes, at, SHORT_HEADER_BYTES);
  return { magic: view.getUint16(0, true), flags: view.getUint16(2, true), timeline: view.getUint32(4, true), address: view.getBigUint64(8, true), remaining: view.getUint32(16, true) };
}

/** Of the first page of a segment. `what`: the file, for messages. Fails as `source-failed` for what is no WAL. */
export function segmentHeader(bytes: Uint8Array, what: string): SegmentHeader {
  if (bytes.length < LONG_HEADER_BYTES) throw noWal(what, `it has ${bytes.length} bytes`);
  const header = pageHeader(bytes, 0);
  if ((header.magic & 0xff) === MAGIC_HIGH && header.magic >> 8 !== MAGIC_HIGH) throw new HoldfastError('unsupported', `${what} was written by a big-endian server; this Holdfast reads WAL of little-endian ones (x86, ARM).`, { nextStep: 'Nothing was archived. Keep this WAL with another program.' });
  if (header.magic >> 8 !== MAGIC_HIGH) throw noWal(what, `it begins with 0x${header.magic.toString(16).toUpperCase().padStart(4, '0')}, wanted 0xD1..`);
  if ((header.flags & FLAG_LONG) === 0) throw noWal(what, 'its first page is not that of a segment');
  const view = viewOf(bytes, 0, LONG_HEADER_BYTES);
  return { ...header, systemId: view.getBigUint64(24, true).toString(), segmentBytes: view.getUint32(32, true), pageBytes: view.getUint32(36, true) };
}

export interface NamedSegment {
  /** 24 hexadecimal digits. */
  readonly name: string;
  readonly timeline: number;
  readonly sizeBytes: number;
  /** Whose WAL it must be, where that is known. */
  readonly systemId?: string | undefined;
}

/**
 * Whether a file is the segment that its name says: an archive that took garbage in is found out only when somebody
 * needs it. Its first page may be of an older timeline: a new timeline begins with a copy of the segment it branched off in.
 */
export function checkSegment(header: SegmentHeader, { name, timeline, sizeBytes, systemId }: NamedSegment): void {
  const isPowerOfTwo = header.segmentBytes >= 1 << 20 && header.segmentBytes <= 1 << 30 && (header.segmentBytes & (header.segmentBytes - 1)) === 0;
  if (!isPowerOfTwo) throw noWal(name, `it says that segments have ${header.segmentBytes} bytes`);
  if (sizeBytes !== header.segmentBytes) throw noWal(name, `it has ${sizeBytes} bytes, wanted ${header.segmentBytes}`);
  const wanted = segmentStart(segmentNumber(name, header.segmentBytes), header.segmentBytes);
  if (header.address !== wanted) throw noWal(name, `it begins at ${header.address}, wanted ${wanted}`);
  if (header.timeline === 0 || header.timeline > timeline) throw noWal(name, `it is of timeline ${header.timeline}, wanted ${timeline}`);
  if (systemId !== undefined && systemId !== header.systemId) throw noWal(name, `it is of the system ${header.systemId}, wanted ${systemId}`);
}

function noWal(what: string, why: string): HoldfastError {
  return new HoldfastError('source-failed', `${what} is not the WAL segment that its name says: ${why}. Nothing was archived.`, { nextStep: 'Look at the file and at the log of the server. If its disk is damaged, take a base backup of another copy now.' });
}

function viewOf(bytes: Uint8Array, at: number, length: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, length);
}
