import { display, toBytes } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import type { SnapshotReader, TreeDamage } from '../../repository/index.ts';
import type { ExportFormat } from './formats.ts';

/** `never-kept`: its content could not be read when the backup was made. */
export type LeftOutKind = 'damaged' | 'never-kept' | 'socket';

/** An entry that is not in the export, and why. */
export interface LeftOut {
  readonly path: ByteString;
  readonly kind: LeftOutKind;
  readonly reason: string;
}

/** What was selected, in plain bytes, and how many of those entries are not in the export. */
export interface ExportedContent {
  readonly entries: number;
  readonly files: number;
  readonly bytes: number;
  readonly left: number;
}

export interface ExportFacts {
  readonly name: ByteString;
  readonly format: ExportFormat;
  readonly bytes: number;
  readonly sha256: string;
  readonly content: ExportedContent;
  /** SHA-256 of whole streams, which the backup recorded. */
  readonly streams: readonly { readonly path: ByteString; readonly bytes: number; readonly sha256: string }[];
  readonly patterns: readonly string[];
  readonly leftOut: readonly LeftOut[];
  readonly treeDamage: readonly TreeDamage[];
  /** Milliseconds since the epoch. */
  readonly exportedAt: number;
  readonly version: string;
  readonly manifestSha256: string;
}

/** The document beside an export (`docs/exports.md`); its keys are only ever added to. */
export function exportMetadata({ manifest }: SnapshotReader, facts: ExportFacts): object {
  const { name, leftOut, treeDamage } = facts;
  const { backup, plan, planName, type, sequence, source, host, startedAt, finishedAt, statistics, warnings, contentSha256, parts } = manifest;
  const isComplete = !leftOut.some(({ kind }) => kind === 'damaged') && treeDamage.length === 0;
  return {
    type: 'holdfast-export', version: 1,
    ...named('name', name), format: facts.format, bytes: facts.bytes, sha256: facts.sha256, isComplete,
    exportedAt: new Date(facts.exportedAt).toISOString(), program: `holdfast ${facts.version}`,
    patterns: facts.patterns, content: facts.content,
    streams: facts.streams.map(({ path, ...stream }) => ({ ...named('path', path), ...stream })),
    leftOut: leftOut.map(({ path, kind, reason }) => ({ ...named('path', path), kind, reason })),
    unreadableRanges: treeDamage.map(({ from, to, error }) => ({ from: display(from), to: to === undefined ? null : display(to), problem: error.message })),
    backup: {
      id: backup, plan: planName, planId: plan, kind: type, sequence, host, startedAt, finishedAt,
      source: { type: source.type, description: source.description },
      ...(parts && { parts: parts.map((part) => ({ name: part.name, type: part.source.type, description: part.source.description, startedAt: part.startedAt, finishedAt: part.finishedAt })) }),
      files: statistics.files, bytes: statistics.bytes, manifestSha256: facts.manifestSha256, contentSha256, warnings,
    },
  };
}

/** A line that `sha256sum -c` reads; names with a line break or a backslash are escaped as it escapes them. */
export function checksumLine(sha256: string, name: ByteString): Uint8Array {
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return Buffer.concat([Buffer.from(`${escaped === name ? '' : '\\'}${sha256}  `), toBytes(escaped as ByteString), Buffer.from('\n')]);
}

/** Said at the top of an archive from which something is missing. */
export function incompleteNote(backup: string, leftOut: readonly LeftOut[], treeDamage: readonly TreeDamage[]): Uint8Array {
  const lines = [
    `This export of the backup ${backup} is not complete: what is named here is damaged in the vault and not in this archive.`,
    ...leftOut.filter(({ kind }) => kind === 'damaged').map(({ path, reason }) => `${display(path)}: ${reason}`),
    ...treeDamage.map(({ from, to, error }) => `everything from ${display(from)} up to ${to === undefined ? 'the end' : `(not with) ${display(to)}`} that is not in this archive: ${error.message}`),
  ];
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** Text for people, and the bytes where they are not that text. */
function named(key: 'name' | 'path', name: ByteString): object {
  const text = display(name);
  return toBytes(name).equals(Buffer.from(text)) ? { [key]: text } : { [key]: text, [`${key}Base64`]: toBytes(name).toString('base64') };
}
