import { HoldfastError } from '../../model/errors.ts';
import { isHexId, isUlid } from '../../model/ids.ts';

/**
 * What PostgreSQL archives, by the name that it gives a file: `segment` is a whole WAL segment, `partial` the beginning
 * of one that is still being written, `history` says where a timeline branched off, `label` what a base backup covered.
 */
export type WalKind = 'segment' | 'partial' | 'history' | 'label';

export interface WalFile {
  readonly kind: WalKind;
  /** As PostgreSQL calls it, a partial segment without its suffix. */
  readonly name: string;
  readonly timeline: number;
}

/** Whose WAL: PostgreSQL's system identifier in decimal, made by initdb and shared by all copies of a cluster. */
export interface WalPlace {
  readonly plan: string;
  readonly systemId: string;
}

/** One object of the vault by its name (format §16). */
export interface WalObjectName extends WalPlace, WalFile {
  /** Of a partial segment: how many bytes of the segment it holds, and what keeps its name apart from others. */
  readonly partial?: { readonly bytes: number; readonly id: string };
  /** From 1. */
  readonly part: number;
  readonly parts: number;
}

const FILE = /^(?:([0-9A-F]{24})(\.partial|\.[0-9A-F]{8}\.backup)?|([0-9A-F]{8}\.history))$/;
const OBJECT = /^([0-9A-F]{24}|[0-9A-F]{24}\.[0-9A-F]{8}\.backup|[0-9A-F]{8}\.history)(?:\.partial\.(0|[1-9]\d{0,9})\.([0-9A-Z]{26}))?(?:\.([1-9]\d?)-([1-9]\d?))?$/;
/** 2^64 - 1 has 20 digits. */
const SYSTEM = /^[1-9]\d{0,19}$/;

/** A file as `%f` of archive_command and restore_command names it. Undefined: PostgreSQL names nothing like this. */
export function parseWalFile(name: string): WalFile | undefined {
  const [, segment, suffix, history] = FILE.exec(name) ?? [];
  if (history !== undefined) return { kind: 'history', name, timeline: timelineOf(history) };
  if (segment === undefined) return undefined;
  const timeline = timelineOf(segment);
  if (suffix === undefined) return { kind: 'segment', name, timeline };
  return suffix === '.partial' ? { kind: 'partial', name: segment, timeline } : { kind: 'label', name, timeline };
}

/** Fails as `usage`. */
export function walFile(name: string): WalFile {
  const file = parseWalFile(name);
  if (file !== undefined && file.timeline > 0) return file;
  throw new HoldfastError('usage', `${JSON.stringify(name)} is no name of a file that PostgreSQL archives, wanted 24 hexadecimal digits (a segment), 8 and ".history", or a segment's with ".partial" or ".XXXXXXXX.backup".`, { nextStep: 'Give %p and %f of archive_command and restore_command as PostgreSQL fills them in.' });
}

/** Where all WAL of a system lies; of a plan when no system is named. Ends in `/`. */
export function walFolder(plan: string, systemId?: string): string {
  return systemId === undefined ? `wal/${plan}/` : `wal/${plan}/${checkedSystem(systemId)}/`;
}

export function walObjectName({ plan, systemId, name, timeline, partial, part, parts }: Omit<WalObjectName, 'kind'>): string {
  const middle = partial === undefined ? '' : `.partial.${partial.bytes}.${partial.id}`;
  return `${walFolder(plan, systemId)}${timelineInHex(timeline)}/${name}${middle}${parts === 1 ? '' : `.${part}-${parts}`}`;
}

/** Undefined for what is no WAL object by its name: nothing reads it. */
export function parseWalObjectName(object: string): WalObjectName | undefined {
  const [folder, plan = '', systemId = '', timeline = '', file = '', ...rest] = object.split('/');
  const [, name, bytes, id, part = '1', parts = '1'] = OBJECT.exec(file) ?? [];
  const known = name === undefined ? undefined : parseWalFile(name);
  if (folder !== 'wal' || rest.length > 0 || known === undefined || !isHexId(plan) || !SYSTEM.test(systemId) || timelineInHex(known.timeline) !== timeline) return undefined;
  // One part has no suffix: a file must not have two names.
  const isOdd = (parts === '1' && file.endsWith('-1')) || Number(part) > Number(parts);
  if (isOdd || known.timeline === 0) return undefined;
  const place = { plan, systemId, name: known.name, timeline: known.timeline, part: Number(part), parts: Number(parts) };
  if (bytes === undefined || id === undefined) return { ...place, kind: known.kind };
  return known.kind === 'segment' && isUlid(id) ? { ...place, kind: 'partial', partial: { bytes: Number(bytes), id } } : undefined;
}

/** Fails as `usage`. */
export function checkedSystem(systemId: string): string {
  if (SYSTEM.test(systemId)) return systemId;
  throw new HoldfastError('usage', `The system identifier is ${JSON.stringify(systemId)}, wanted the decimal number that \`SELECT system_identifier FROM pg_control_system()\` shows.`);
}

export function timelineInHex(timeline: number): string {
  return timeline.toString(16).toUpperCase().padStart(8, '0');
}

function timelineOf(name: string): number {
  return Number.parseInt(name.slice(0, 8), 16);
}
