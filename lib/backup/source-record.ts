import type { Manifest } from '../repository/index.ts';
import type { Source } from '../sources/source.ts';

/** What a manifest says of a source, or of one part of a set. */
export function sourceRecord(source: Source): Manifest['source'] {
  const { type, description } = source;
  if (source.shape === 'streams' || source.shape === 'bodies' || source.shape === 'set') return { type, description, paths: [] };
  if (source.shape === 'objects') return { type, description, paths: [], selection: { include: [...(source.include ?? [])], exclude: [...(source.exclude ?? [])], isOneFileSystem: false } };
  const { include = [], exclude = [], isOneFileSystem } = source.options;
  return { type, description, paths: source.paths.map((path) => Buffer.from(path, 'latin1').toString('base64')), selection: { include: [...include], exclude: [...exclude], isOneFileSystem } };
}
