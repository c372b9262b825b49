import type { ByteString } from '../model/byte-string.ts';
import { fromText } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { isBelow } from '../repository/index.ts';

/** Which entries of a backup a restore wants. */
export interface Selection {
  /** Everything selected lies at or below this path; only tree chunks that can hold it are read. */
  readonly below: ByteString;
  readonly isWhole: boolean;
  matches(path: ByteString): boolean;
}

const WHOLE: Selection = { below: '' as ByteString, isWhole: true, matches: () => true };

/**
 * Patterns against paths inside the backup: `*` and `?` stay within a component, `**` crosses them, `[a-z]` is one of
 * a set, `\` takes the next character as it is. A match selects the entry and everything below it. No pattern selects all.
 */
export function selectEntries(patterns: readonly string[]): Selection {
  if (patterns.length === 0) return WHOLE;
  refuseEmpty(patterns);
  const wanted = patterns.map((text) => parse(text));
  if (wanted.some((pattern) => pattern.fixed === '' && pattern.glob === undefined)) return WHOLE;
  const below = wanted.map((pattern) => pattern.fixed).reduce(commonFolder) as ByteString;
  return { below, isWhole: false, matches: (path) => wanted.some(({ fixed, glob }) => (glob ? glob.test(path) : isBelow(path, fixed))) };
}

/**
 * Entries that match themselves, not what lies below them: for looking for names. A pattern without a slash is looked for in
 * every directory, one with a slash starts at the top of the backup.
 */
export function selectNames(patterns: readonly string[]): Selection {
  refuseEmpty(patterns);
  const wanted = patterns.map((text) => parse(text.includes('/') ? text : `**/${text}`, ''));
  const below = wanted.map(({ fixed }) => fixed).reduce(commonFolder) as ByteString;
  return { below, isWhole: false, matches: (path) => path !== '' && wanted.some(({ fixed, glob }) => (glob ? glob.test(path) : path === fixed)) };
}

/** `"$FILE"` with FILE unset would otherwise choose everything, and perhaps overwrite it. */
function refuseEmpty(patterns: readonly string[]): void {
  if (patterns.includes('')) throw new HoldfastError('usage', 'One of the patterns is empty (""), wanted a name or a path.', { nextStep: 'Check the variable that it came from; without any pattern everything is meant.' });
}

interface Pattern {
  /** The components before the first one with a wildcard. */
  readonly fixed: string;
  readonly glob: RegExp | undefined;
}

function parse(text: string, end = '(?:/[^]*)?'): Pattern {
  const components = fromText(text).split('/').filter((component) => component !== '' && component !== '.');
  if (components.includes('..')) throw new HoldfastError('usage', `The pattern ${text} holds "..": patterns start at the top of the backup.`);
  const firstGlob = components.findIndex((component) => /[*?[\\]/.test(component));
  if (firstGlob < 0) return { fixed: components.join('/'), glob: undefined };
  return { fixed: components.slice(0, firstGlob).join('/'), glob: toRegExp(components, { text, end }) };
}

function toRegExp(components: readonly string[], { text, end }: { readonly text: string; readonly end: string }): RegExp {
  let source = '';
  for (const [index, component] of components.entries()) {
    const isLast = index === components.length - 1;
    if (component === '**') source += isLast ? '[^]+' : '(?:[^/]+/)*';
    else source += component.replace(/\\(.)|\[(!?)((?:\\.|[^\]\\])+)\]|[^]/g, translate) + (isLast ? '' : '/');
  }
  try {
    return new RegExp(`^${source}${end}$`);
  } catch (cause) {
    throw new HoldfastError('usage', `The pattern ${text} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

/** One character in UTF-8, or one byte that is not UTF-8. */
const CHARACTER = '(?:[\\xc2-\\xf4][\\x80-\\xbf]+|[^/])';

function translate(token: string, escaped: string | undefined, negation: string | undefined, set: string | undefined): string {
  if (escaped !== undefined) return literal(escaped);
  if (set !== undefined) return `(?!/)[${negation ? '^' : ''}${set.replace(/[\\^[\]&]/g, '\\$&')}]`;
  return token === '*' ? '[^/]*' : token === '?' ? CHARACTER : literal(token);
}

function literal(character: string): string {
  return character.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

function commonFolder(left: string, right: string): string {
  const a = left.split('/');
  const b = right.split('/');
  let count = 0;
  while (count < a.length && count < b.length && a[count] === b[count]) count++;
  return a.slice(0, count).join('/');
}
