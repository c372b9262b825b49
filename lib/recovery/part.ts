import { fromText } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { closestWord } from '../config/closest-word.ts';
import { HoldfastError } from '../model/errors.ts';
import { PartReader, isBelow } from '../repository/index.ts';
import type { Manifest, ManifestPart, SnapshotReader } from '../repository/index.ts';

/**
 * A part of a backup of several sources as if it were the backup, for everything that restores; the whole when no part is
 * named. Fails as `not-found`.
 */
export function partOf(reader: SnapshotReader, name: string | undefined): SnapshotReader {
  if (name === undefined) return reader;
  const { manifest } = reader;
  const { parts = [], backup } = manifest;
  const part = parts.find((one) => one.name === name);
  if (part !== undefined) return new PartReader(reader, { folder: fromText(name), isRooted: part.isRooted, manifest: manifestOf(manifest, part) });
  if (parts.length === 0) throw new HoldfastError('not-found', `The backup ${backup} has no parts: it is one of ${manifest.source.type} alone.`, { nextStep: 'Leave --part away.' });
  const names = parts.map((one) => one.name);
  const closest = closestWord(name, names);
  throw new HoldfastError('not-found', `The backup ${backup} has no part ${name}, wanted one of ${names.join(', ')}${closest === undefined ? '' : ` (did you mean "${closest}"?)`}.`, { nextStep: `\`holdfast show ${backup}\` says what each of them is.` });
}

/** For targets that take one source. Fails as `usage` when the backup has several and none was named. */
export function refuseSeveral({ manifest: { backup, parts = [] } }: SnapshotReader): void {
  if (parts.length < 2) return;
  throw new HoldfastError('usage', `The backup ${backup} is one of several sources, wanted the name of one with --part: ${parts.map(({ name, source }) => `${name} (${source.type})`).join(', ')}.`, { nextStep: 'Restore part by part; --to DIR takes all of them, each into a directory of its name.' });
}

/** Where an entry comes from: the source of its part. */
export function sourceAt({ source, parts = [] }: Manifest, path: ByteString): Manifest['source'] {
  return parts.find(({ name }) => isBelow(path, name))?.source ?? source;
}

/** What the manifest would say if the part were alone; it still names its part, and only that. */
function manifestOf(manifest: Manifest, part: ManifestPart): Manifest {
  const { facts: _, evidence = [], ...rest } = manifest;
  const { name, source, startedAt, finishedAt, entries, files, bytes, facts } = part;
  const below = `${name}/`;
  const own = evidence.flatMap((one) => (one.entry === name ? [{ ...one, entry: source.description }] : one.entry.startsWith(below) ? [{ ...one, entry: one.entry.slice(below.length) }] : []));
  return { ...rest, source, startedAt, finishedAt, statistics: { ...manifest.statistics, entries, files, bytes }, parts: [part], ...(own.length > 0 && { evidence: own }), ...(facts && { facts }) };
}
