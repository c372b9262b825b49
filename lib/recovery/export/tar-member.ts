import { fromText, toBytes } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { headerBlock, padded, TAR_TYPE } from './tar-header.ts';
import type { TarType } from './tar-header.ts';
import type { SparseMap } from './sparse-map.ts';

/** One member of an archive, before its content. */
export interface TarMember {
  readonly type: TarType;
  /** Without a slash at its end, also of a directory. */
  readonly path: ByteString;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Of a symbolic link, or the first name of a hard-linked file. */
  readonly linkTarget?: ByteString;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: readonly { readonly name: ByteString; readonly value: Uint8Array }[];
  /** Only the data of a sparse file follows, the map before it. */
  readonly sparse?: SparseMap;
}

type PaxRecord = readonly [keyword: string, value: Uint8Array];

/** Field widths of ustar: names, eight octal digits less the end, eleven of size and time. */
const NAME_BYTES = 100;
const LARGEST_ID = 0o7777777;
const LARGEST_NUMBER = 0o77777777777;

/**
 * Header blocks of one member in the pax interchange format (IEEE Std 1003.1, "pax"), with what GNU tar and libarchive
 * add to it: `SCHILY.xattr`, and `GNU.sparse` 1.0, whose map of data follows here too. An extended header is written only
 * where ustar's fields do not hold a value exactly. The same member always gives the same bytes.
 */
export function memberHeader(member: TarMember): Uint8Array {
  const map = member.sparse?.encode();
  const stored = member.sparse === undefined ? member.size : member.sparse.dataBytes + (map?.length ?? 0);
  const records = paxRecords(member, stored);
  const name = nameField(member);
  const header = headerBlock({
    ...member, name, size: atMost(stored, LARGEST_NUMBER), uid: atMost(member.uid, LARGEST_ID), gid: atMost(member.gid, LARGEST_ID),
    mtime: isExactTime(member) ? member.mtimeSeconds : clampedTime(member.mtimeSeconds), linkName: toBytes(member.linkTarget ?? ('' as ByteString)).subarray(0, NAME_BYTES),
  });
  return Buffer.concat([...(records.length === 0 ? [] : extendedHeader(records)), header, ...(map === undefined ? [] : [map])]);
}

function paxRecords(member: TarMember, stored: number): PaxRecord[] {
  const { path, linkTarget, sparse } = member;
  const records: PaxRecord[] = [];
  const full = fullName(member);
  const isNameLong = !fits(full);
  const isLinkLong = linkTarget !== undefined && !fits(linkTarget);
  // Values are UTF-8 unless this comes first; names that fit stand in ustar's own fields, as bytes.
  if (((isNameLong || sparse) && !isUtf8(full)) || (isLinkLong && !isUtf8(linkTarget))) records.push(['hdrcharset', ascii('BINARY')]);
  if (sparse) records.push(['GNU.sparse.major', ascii('1')], ['GNU.sparse.minor', ascii('0')], ['GNU.sparse.name', toBytes(path)], ['GNU.sparse.realsize', ascii(String(member.size))]);
  else if (isNameLong) records.push(['path', toBytes(full)]);
  if (isLinkLong) records.push(['linkpath', toBytes(linkTarget)]);
  if (stored > LARGEST_NUMBER) records.push(['size', ascii(String(stored))]);
  if (member.uid > LARGEST_ID) records.push(['uid', ascii(String(member.uid))]);
  if (member.gid > LARGEST_ID) records.push(['gid', ascii(String(member.gid))]);
  if (!isExactTime(member)) records.push(['mtime', ascii(paxTime(member))]);
  for (const { name, value } of member.xattrs ?? []) records.push([`SCHILY.xattr.${escapedKeyword(name)}`, value]);
  return records;
}

/** GNU tar's way: a name with `=` would end too early. */
function escapedKeyword(name: ByteString): string {
  return name.replaceAll('%', '%25').replaceAll('=', '%3D');
}

function extendedHeader(records: readonly PaxRecord[]): Uint8Array[] {
  const body = Buffer.concat(records.map(encodeRecord));
  const header = headerBlock({ type: TAR_TYPE.extended, name: ascii('PaxHeaders/member'), size: body.length, mode: 0o644, uid: 0, gid: 0, mtime: 0, linkName: new Uint8Array(0) });
  return [header, padded(body)];
}

/** `<length> <keyword>=<value>\n`, where the length counts its own digits. */
function encodeRecord([keyword, value]: PaxRecord): Uint8Array {
  const rest = 1 + keyword.length + 1 + value.length + 1;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${keyword}=`, 'latin1'), value, ascii('\n')]);
}

function fullName({ type, path }: TarMember): ByteString {
  if (type !== TAR_TYPE.directory) return path;
  return (path === '' ? './' : `${path}/`) as ByteString;
}

/** Readers that know no pax headers find this; what is too long is cut, and whole in the extended header. */
function nameField(member: TarMember): Uint8Array {
  const name = member.sparse ? (`GNUSparseFile.0/${member.path.slice(member.path.lastIndexOf('/') + 1)}` as ByteString) : fullName(member);
  return toBytes(name).subarray(0, NAME_BYTES);
}

function fits(name: ByteString): boolean {
  return name.length <= NAME_BYTES;
}

function isUtf8(name: ByteString): boolean {
  return fromText(toBytes(name).toString('utf8')) === name;
}

function isExactTime({ mtimeSeconds, mtimeNanoseconds }: TarMember): boolean {
  return mtimeNanoseconds === 0 && mtimeSeconds >= 0 && mtimeSeconds <= LARGEST_NUMBER;
}

function clampedTime(seconds: number): number {
  return Math.max(0, Math.min(seconds, LARGEST_NUMBER));
}

/** Decimal seconds; before 1970 the nanoseconds count forward from a negative second, a decimal number does not. */
function paxTime({ mtimeSeconds, mtimeNanoseconds }: TarMember): string {
  const total = BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanoseconds);
  const [sign, rest] = total < 0n ? ['-', -total] : ['', total];
  const fraction = rest % 1_000_000_000n;
  return `${sign}${rest / 1_000_000_000n}${fraction === 0n ? '' : `.${String(fraction).padStart(9, '0')}`}`;
}

/** Whatever does not fit stands in the extended header; a reader that ignores it must not see a number that seems right. */
function atMost(value: number, largest: number): number {
  return value > largest ? 0 : value;
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}
