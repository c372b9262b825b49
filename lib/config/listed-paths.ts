import type { ConfigsFields } from './configs-schema.ts';
import type { LogsFields } from './logs-schema.ts';
import type { ConfigPath } from './problems.ts';

/** Paths of a source that lists them, and where each is written. */
export function listedPaths(at: ConfigPath, source: ConfigsFields | LogsFields): (readonly [at: ConfigPath, written: string])[] {
  if (source.type === 'logs') return (source.paths ?? []).map((written, index) => [[...at, 'paths', index], written] as const);
  return (['files', 'environment-files'] as const).flatMap((list) => (source[list] ?? []).map((file, index) => (typeof file === 'string' ? ([[...at, list, index], file] as const) : ([[...at, list, index, 'path'], file.path] as const))));
}
