import picomatch from 'picomatch';
import type { ByteString } from '../model/byte-string.ts';
import { fromText } from '../model/byte-string.ts';

/**
 * Include and exclude patterns over paths in the backup. A pattern without a slash matches a name at any depth
 * (`*.tmp`, `node_modules`); one with a slash matches from the root. Exclude wins; directories are never left out for
 * matching no include, because something below them may.
 */
export function exclusionOf(include: readonly string[] = [], exclude: readonly string[] = []): (path: ByteString, isDirectory: boolean) => boolean {
  const excludes = exclude.map(matcher);
  const includes = include.map(matcher);
  if (excludes.length === 0 && includes.length === 0) return () => false;
  return (path, isDirectory) => {
    if (excludes.some((matches) => matches(path))) return true;
    if (includes.length === 0 || isDirectory) return false;
    return !includes.some((matches) => matches(path));
  };
}

function matcher(pattern: string): (path: string) => boolean {
  const clean = fromText(pattern.replace(/^\.?\//, '').replace(/\/$/, ''));
  const isAnchored = clean.includes('/') || pattern.startsWith('/');
  return picomatch(isAnchored ? [clean, `${clean}/**`] : [clean, `**/${clean}`, `**/${clean}/**`], { dot: true });
}
