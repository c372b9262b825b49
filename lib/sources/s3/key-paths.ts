import type { ByteString } from '../../model/byte-string.ts';

/**
 * Keys of a bucket as paths of entries. A key may be what no path is: with empty components (`a//b`, `a/`, `/a`), with
 * `.` and `..`, with NUL, with a component of 1,024 bytes; and it may be an object and a folder of others at once. Every
 * key has one path and every path gives its key back, and the order of keys, component by component, is that of their
 * paths. Most paths are their keys, byte for byte.
 *
 * - An exclamation mark is put in front of a component that is empty or begins with a byte up to `!`; dots that would
 *   make `.` or `..` of it stay in front of the mark: `a//b` is `a/!/b`, `..` is `..!`, `!x` is `!!x`.
 * - NUL is the bytes 1 1, and 1 is 1 2.
 * - A component over 250 bytes goes on one folder deeper: its first 250 bytes and `+`, then the rest.
 * - An object that others lie below is in that folder as ` object`: no component of another key begins with a space.
 */
export function pathOfKey(key: ByteString, isFolder = false): ByteString {
  const path = key.split('/').flatMap(pathsOf).join('/');
  return (isFolder ? `${path}/${OBJECT_ITSELF}` : path) as ByteString;
}

/** The key that a path stands for. */
export function keyOfPath(path: ByteString): ByteString {
  const components: string[] = [];
  let pieces: string[] = [];
  for (const piece of path.split('/')) {
    if (piece === OBJECT_ITSELF) continue;
    pieces.push(piece);
    if (piece.length > MOST_BYTES) continue;
    const whole = pieces.reduceRight((rest, part) => part.slice(0, -1) + unmarked(rest));
    components.push(withNul(unmarked(whole)));
    pieces = [];
  }
  return components.join('/') as ByteString;
}

const OBJECT_ITSELF = ' object';
/** A name has at most 255 bytes; room for the marks. */
const MOST_BYTES = 250;
const MARK = '!';

function pathsOf(component: string): string[] {
  const pieces: string[] = [];
  let rest = marked(withoutNul(component));
  while (rest.length > MOST_BYTES) {
    pieces.push(`${rest.slice(0, MOST_BYTES)}+`);
    rest = marked(rest.slice(MOST_BYTES));
  }
  return [...pieces, rest];
}

/** Never empty, `.` or `..`, and never beginning with a byte below the mark; sorts as the text itself. */
function marked(text: string): string {
  const dots = leadingDots(text);
  return text.length === dots || text.charCodeAt(dots) <= MARK.charCodeAt(0) ? `${text.slice(0, dots)}${MARK}${text.slice(dots)}` : text;
}

function unmarked(text: string): string {
  const dots = leadingDots(text);
  return text[dots] === MARK ? text.slice(0, dots) + text.slice(dots + 1) : text;
}

/** At most two: three dots are a name like any other. */
function leadingDots(text: string): number {
  return text.startsWith('..') ? 2 : text.startsWith('.') ? 1 : 0;
}

// oxlint-disable-next-line no-control-regex -- the two bytes are the point
const LOWEST = /[\x00\x01]/g;
// oxlint-disable-next-line no-control-regex -- the two bytes are the point
const ESCAPED = /\x01([\x01\x02])/g;

function withoutNul(text: string): string {
  return text.replace(LOWEST, (byte) => (byte === '\0' ? '\x01\x01' : '\x01\x02'));
}

function withNul(text: string): string {
  return text.replace(ESCAPED, (_pair, second: string) => (second === '\x01' ? '\0' : '\x01'));
}
